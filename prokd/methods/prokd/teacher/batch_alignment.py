"""The alignment of one batch: target prototypes, moved by it, against those of the source.

# N valid tokens of a batch (flattened), C classes, D feature size
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.teacher.alignment import alignment_loss, with_gradient
from prokd.methods.prokd.teacher.shares import TargetShares
from prokd.methods.prokd.weights import configured_weights
from prokd.stages.running_means import RunningMeans
from prokd.terms.prototypes import PrototypeBank, labelled_prototypes, weighted_prototypes


class BatchAlignment:
    """Eq. (4) to (6) on one batch of each language, as the settings have it.

    Args:
        model: The teacher that is trained.
        config: The experiment.
        source_bank: Prototypes of the source; read.
        target_bank: Prototypes of the target; moved by each batch, unless they are batchwise.
        shares: Class shares of the target; moved where they correct probabilities.
    """

    def __init__(
        self,
        model: TokenClassifier,
        config: ProKDConfig,
        *,
        source_bank: PrototypeBank,
        target_bank: PrototypeBank,
        shares: TargetShares,
    ) -> None:
        """Take hold of what a step reads and moves."""
        self.model, self.shares = model, shares
        self.prototypes, self.settings = config.prototypes, config.teacher.alignment
        self.source_bank, self.target_bank = source_bank, target_bank

    def loss(
        self, batch: Batch, source_ND: Tensor, source_labels_N: Tensor, means: RunningMeans
    ) -> Tensor:
        """Move the target prototypes by one batch (Eq. 4, 5) and return Eq. 6, with gradient.

        Args:
            batch: Of the target, without labels.
            source_ND: Features of the source batch, float, (N, D).
            source_labels_N: Its labels, int64, (N,).
            means: The epoch's means; gets ``teacher/prototype_similarity``.
        """
        settings = self.settings
        with self.model.autocast():
            features_ND, logits_NC = self.model(batch)
        weights_NC = self._weights(batch, logits_NC)
        target_CD, mass_C = weighted_prototypes(features_ND.float(), weights_NC)
        source_CD = self.source_bank.prototypes_CD
        classes_C = mass_C > 0
        if not settings.is_batchwise:
            target_CD = self._moved(target_CD, mass_C)
            classes_C = self.source_bank.known_C & self.target_bank.known_C
        if settings.source == "batch":
            source_CD, counts_C = labelled_prototypes(
                source_ND.float(), source_labels_N, num_classes=self.model.num_classes
            )
            classes_C = classes_C & (counts_C > 0)
        classes_C = self._chosen(classes_C, weights_NC)
        cosine_C = nn.functional.cosine_similarity(source_CD, target_CD.detach())
        num_classes = classes_C.sum()
        means.add(
            "teacher/prototype_similarity",
            (cosine_C * classes_C).sum() / num_classes.clamp_min(1),
            num_classes,
        )
        return alignment_loss(
            source_CD,
            target_CD,
            temperature=settings.temperature,
            classes_C=classes_C,
            weights_C=mass_C.detach() if settings.class_weights == "share" else None,
            summation=settings.summation,
            negatives=settings.negatives,
            positive_in_denominator=settings.positive_in_denominator,
        )

    def _weights(self, batch: Batch, logits_NC: Tensor) -> Tensor:
        """Return the weights of Eq. 4, (N, C), from the teacher's own probabilities."""
        settings = self.settings
        probabilities_NC = torch.softmax(logits_NC.float(), dim=-1)
        if not settings.weight_gradient:
            probabilities_NC = probabilities_NC.detach()
        if settings.least_entity_share > 0:
            probabilities_NC = self.shares.corrected(
                probabilities_NC,
                least=settings.least_entity_share,
                update_rate=settings.share_update_rate,
            )
        return configured_weights(probabilities_NC, batch.places, self.prototypes)

    def _moved(self, batch_CD: Tensor, mass_C: Tensor) -> Tensor:
        """Move the target prototypes (Eq. 5); return what Eq. 6 sees of them, (C, D)."""
        averaged_CD = self.target_bank.averaged(
            batch_CD,
            mass_C,
            update_rate=self.prototypes.update_rate,
            weighs=self.prototypes.update_rate_weighs,
        )
        target_CD = with_gradient(
            averaged_CD, batch_CD, gradient=self.settings.gradient, supported_C=mass_C > 0
        )
        self.target_bank.replace(averaged_CD.detach(), mass_C)
        return target_CD

    def _chosen(self, classes_C: Tensor, weights_NC: Tensor) -> Tensor:
        """Take those classes away that the settings leave out of Eq. 6."""
        if self.settings.supported_classes_only:
            counts_C = torch.zeros_like(classes_C, dtype=torch.int64)
            likeliest_N = weights_NC.argmax(dim=-1)
            counts_C.index_add_(0, likeliest_N, torch.ones_like(likeliest_N))
            classes_C = classes_C & (counts_C > 0)
        if not self.settings.outside_class:
            classes_C = classes_C.clone()
            classes_C[0] = False
        return classes_C
