"""The student's training, epoch by epoch.

Where this differs from the paper, why, and what measures it:

S1. Losses are means over valid tokens, not sums (`loss_reduction`, `distillation_reduction`).
S2. Prototypes start from the teacher's p over the target corpus: with an untrained classifier q is
    uniform, and Eq. 4 would make all prototypes equal (`prototype_start`).
S3. The stable reading measures Eq. 8 between unit vectors and adds the logarithm of the teacher's
    class distribution: under plain distances psi is one-hot, the teacher's prior cannot correct
    it, and a rare class near the mean of all tokens swallows the corpus (`distance`,
    `distance_scale`, `class_prior`).
S4. The stable reading recomputes the prototypes at every epoch (`prototype_refresh`): at the
    printed lambda the moving average is still made of features of the untrained student.
S5. The stable reading takes the likeliest valid IOB2 tags of a sentence as pseudo-labels, and the
    probability of a tag given that all are valid as weight of Eq. 4: tags that are chosen one by
    one break spans apart (`pseudo_labels`, `given_valid_tags`).
S6. The stable reading looks at target text without dropout before it labels it
    (`pseudo_label_features`).
S7. The frozen part of the encoder runs without dropout, as the teacher's (T5).
S8. The soft reading divides the distances of Eq. 8 by the root of the feature size: the teacher's
    prior then corrects what is near two prototypes (`distance`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.effective import self_trains
from prokd.methods.prokd.student.health import (
    check_health,
    class_distribution_distance,
    prototype_separation,
    with_tag_names,
)
from prokd.methods.prokd.student.labelling import Labelling
from prokd.methods.prokd.student.objective import student_objective
from prokd.methods.prokd.student.schedule import distillation_weight
from prokd.methods.prokd.student.self_training import self_training_loss
from prokd.methods.prokd.weights import configured_weights
from prokd.scoring.evaluation import LabelledSplit, corpus_prototypes
from prokd.stages.criteria import unlabelled_criteria
from prokd.stages.distillation import normalised
from prokd.stages.optimization import Optimization
from prokd.stages.pace import paced
from prokd.stages.progress import named_scores, progress_of, restore
from prokd.stages.running_means import RunningMeans
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import STUDENT_STREAM, epoch_generator, training_batches
from prokd.terms.distillation import distillation_loss
from prokd.terms.prototypes import PrototypeBank


class StudentStage:
    """Trains a student on unlabelled target text with the probabilities of a frozen teacher.

    Args:
        model: The classifier to train.
        config: The experiment.
        target_train: Target sentences without labels.
        source_dev: Labelled source sentences to score on.
        teacher_probabilities: float, (num_kept_words, C), p of the teacher for target train.
        pad_token_id: Of the tokenizer.
    """

    def __init__(
        self,
        *,
        model: TokenClassifier,
        config: ProKDConfig,
        target_train: EncodedCorpus,
        source_dev: LabelledSplit,
        teacher_probabilities: npt.NDArray[np.floating],
        pad_token_id: int,
    ) -> None:
        """Make optimiser and prototype bank; put the teacher's probabilities on the device."""
        self.model, self.config = model, config
        model.micro_batch_tokens = config.student.micro_batch_tokens
        self.target_train, self.source_dev = target_train, source_dev
        self.pad_token_id = pad_token_id
        self.epoch, self.num_epochs = 0, config.student.epochs
        self.teacher_probabilities = normalised(teacher_probabilities).to(model.device)
        self.self_trains = self_trains(config)
        self.teacher_distribution_C = self.teacher_probabilities.mean(dim=0)
        num_steps = sum(len(self._batches(epoch)) for epoch in range(self.num_epochs))
        self.optimization = Optimization(model, config.student, num_steps=num_steps)
        self.bank = PrototypeBank(model.num_classes, model.num_features).to(model.device)
        self.labelling = Labelling(
            model,
            config,
            bank=self.bank,
            teacher_distribution_C=self.teacher_distribution_C,
        )

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch; CollapsedRun if pseudo-labels leave the teacher or a loss breaks."""
        seed_everything(self.config.seed, self.epoch)
        settings = self.config.student
        alpha = self._distillation_weight()
        self._prepare_prototypes()
        means = RunningMeans(self.model.device)
        self.model.train()
        batches = paced(self._batches(self.epoch), "student", self.epoch, self.num_epochs)
        for indices in batches:
            batch = collate(self.target_train, indices, self.pad_token_id)
            batch = self.model.with_bottom(batch.to(self.model.device, non_blocking=True))
            teacher_NC = self.teacher_probabilities[batch.word_index_N]
            features_ND, logits_NC, further = self._forward(batch, len(indices), means)
            student_NC = torch.softmax(logits_NC.float(), dim=-1)
            distillation = distillation_loss(
                teacher_NC,
                student_NC,
                class_reduction=settings.distillation_reduction,
                num_sentences=len(indices),
                reduction=settings.loss_reduction,
            )
            loss = distillation
            if self.self_trains:
                labels_N, kept_N = self.labelling.label(
                    batch, features_ND, student_NC, teacher_NC, means
                )
                self_training = self_training_loss(
                    logits_NC,
                    labels_N,
                    kept_N=kept_N,
                    num_sentences=len(indices),
                    reduction=settings.loss_reduction,
                )
                means.add("student/self_training_loss", self_training, batch.num_tokens)
                loss = student_objective(self_training, distillation, distillation_weight=alpha)
            loss = loss if further is None else loss + further
            means.add("student/gradient_norm", self.optimization.step(loss))
            means.add("student/distillation_loss", distillation, batch.num_tokens)
        self.epoch += 1
        return self._finish_epoch(means, alpha)

    def _forward(
        self, batch: Batch, num_sentences: int, means: RunningMeans
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return features (N, D) and logits (N, C), and what else is trained down; None = nothing.

        A method that adds to this one adds it here.
        """
        with self.model.autocast():
            features_ND, logits_NC = self.model(batch)
        return features_ND, logits_NC, None

    def _finish_epoch(self, means: RunningMeans, alpha: float) -> dict[str, float]:
        self.optimization.check("student", self.epoch)
        metrics = {"student/distillation_weight": alpha, **means.result()}
        if self.self_trains:
            metrics |= class_distribution_distance(metrics, self.teacher_distribution_C)
            metrics |= prototype_separation(self.bank)
        if self.self_trains and alpha < 1:
            check_health(metrics, self.config.student.collapse_agreement, self.epoch)
        metrics = with_tag_names(metrics, self.target_train.tag_set.names)
        return metrics | named_scores(self, self.config.source)

    def criteria(self) -> dict[str, float]:
        """Return `criteria.unlabelled_criteria` of the student as it is now."""
        return unlabelled_criteria(
            self.model, self.target_train, self.pad_token_id, self.teacher_probabilities
        )

    def _distillation_weight(self) -> float:
        """Return alpha of this epoch."""
        settings = self.config.student
        if not self.self_trains:
            return 1.0
        if settings.schedule == "constant":
            return settings.constant_distillation_weight
        return distillation_weight(self.epoch, self.num_epochs, first_epoch=settings.first_epoch)

    def _batches(self, epoch: int) -> list[Any]:
        generator = epoch_generator(self.config.seed, epoch, STUDENT_STREAM)
        return training_batches(self.target_train, self.config.student, generator)

    def _prepare_prototypes(self) -> None:
        """Start the prototypes from the teacher's p (S2), or refresh them at an epoch's begin."""
        settings = self.config.student
        if not self.self_trains:
            return
        starts = self.epoch == 0 and settings.prototype_start == "teacher"
        if not starts and not (self.epoch > 0 and settings.prototype_refresh == "epoch"):
            return

        def weights(batch: Batch, logits_NC: Tensor) -> Tensor:
            from_teacher = starts or settings.prototype_weights_from == "teacher"
            values_NC = (
                self.teacher_probabilities[batch.word_index_N]
                if from_teacher
                else torch.softmax(logits_NC.float(), dim=-1)
            )
            return configured_weights(values_NC, batch.places, self.config.prototypes)

        self.bank.replace(
            *corpus_prototypes(self.model, self.target_train, self.pad_token_id, weights)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        return {
            **progress_of(self),
            "bank": self.bank.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        restore(self, state)
        self.bank.load_state_dict(state["bank"])
