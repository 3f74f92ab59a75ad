"""The pseudo-labels of one batch: prototypes, moved by it, and the teacher's prior.

# N valid tokens of a batch (flattened), C classes, D feature size
"""

from __future__ import annotations

import torch
from torch import Tensor

from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.student.health import add_health
from prokd.methods.prokd.student.pseudo_labels import (
    hard_labels,
    hybrid_probabilities,
    prototype_probabilities,
)
from prokd.methods.prokd.weights import configured_weights
from prokd.stages.running_means import RunningMeans
from prokd.terms.prototypes import PrototypeBank, weighted_prototypes


class Labelling:
    """Eq. (4), (5) and (8) to (10) on one batch, as the settings have it.

    Args:
        model: The student that is trained.
        config: The experiment.
        bank: Prototypes of the target; moved by each batch.
        teacher_distribution_C: float, (C,), the teacher's mean probabilities of target train.
    """

    def __init__(
        self,
        model: TokenClassifier,
        config: ProKDConfig,
        *,
        bank: PrototypeBank,
        teacher_distribution_C: Tensor,
    ) -> None:
        """Take hold of what a step reads and moves."""
        self.model, self.bank = model, bank
        self.settings, self.prototypes = config.student, config.prototypes
        self.teacher_distribution_C = teacher_distribution_C

    @torch.no_grad()
    def label(
        self,
        batch: Batch,
        features_ND: Tensor,
        student_NC: Tensor,
        teacher_NC: Tensor,
        means: RunningMeans,
    ) -> tuple[Tensor, Tensor | None]:
        """Move the prototypes by one batch (Eq. 4, 5), then label its tokens (Eq. 8 to 10).

        Args:
            batch: Target sentences.
            features_ND: float, (N, D), features of its tokens, as they are trained.
            student_NC: float, (N, C), the student's probabilities, likewise.
            teacher_NC: float, (N, C), the teacher's probabilities.
            means: The epoch's means; gets what the labels are like.

        Returns:
            Labels, int64, (N,), and the tokens that are sure enough, bool, (N,); None = all.
        """
        settings = self.settings
        if settings.pseudo_label_features == "evaluation":
            features_ND, student_NC = self._without_dropout(batch)
        features_ND = features_ND.float()
        from_teacher = settings.prototype_weights_from == "teacher"
        self._move(batch, features_ND, teacher_NC if from_teacher else student_NC)
        prototype_NC = prototype_probabilities(
            features_ND,
            self.bank.prototypes_CD,
            temperature=settings.prototype_temperature,
            distance=settings.distance,
            scale=settings.distance_scale,
            known_C=self.bank.known_C,
            class_prior_C=self.teacher_distribution_C if settings.class_prior else None,
        )
        hybrid_NC = hybrid_probabilities(
            prototype_NC, teacher_NC, fusion_weight=settings.fusion_weight
        )
        places = batch.places if settings.pseudo_labels == "valid" else None
        labels_N = hard_labels(hybrid_NC, places)
        changed_N = hard_labels(prototype_NC, places) != labels_N
        means.add("student/changed_by_teacher", changed_N.double().mean(), len(labels_N))
        add_health(means, prototype_NC, labels_N, teacher_NC)
        kept_N = None
        if settings.confidence > 0:
            kept_N = hybrid_NC.max(dim=-1).values >= settings.confidence
            means.add("student/kept_share", kept_N.double().mean(), len(labels_N))
        return labels_N, kept_N

    def _move(self, batch: Batch, features_ND: Tensor, probabilities_NC: Tensor) -> None:
        """Move the prototypes by one batch (Eq. 4, 5)."""
        prototypes = self.prototypes
        batch_CD, mass_C = weighted_prototypes(
            features_ND, configured_weights(probabilities_NC, batch.places, prototypes)
        )
        self.bank.replace(
            self.bank.averaged(
                batch_CD,
                mass_C,
                update_rate=prototypes.update_rate,
                weighs=prototypes.update_rate_weighs,
            ),
            mass_C,
        )

    def _without_dropout(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features and probabilities of a second forward pass in eval mode."""
        self.model.eval()
        with self.model.autocast():
            features_ND, logits_NC = self.model(batch)
        self.model.train()
        return features_ND, torch.softmax(logits_NC.float(), dim=-1)
