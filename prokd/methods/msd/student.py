"""The student: distillation layer by layer, features drawn towards the teacher's.

# B sentences, N valid tokens (flattened), C classes, A layers below the last, D feature size
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.pooling import pooled
from prokd.methods.msd.config import MSDConfig, MSDStudentConfig
from prokd.methods.msd.discrepancies import Discrepancies, discrepancies_of, last_features
from prokd.methods.msd.effective import distils_alone, draws_features
from prokd.methods.msd.heads import (
    Found,
    all_logits,
    heads_of,
    layer_probabilities,
    told_weights,
    with_heads,
)
from prokd.methods.msd.objective import layer_distillation, mixture, student_objective
from prokd.stages.context import Context
from prokd.stages.distillation import (
    DistillationStage,
    build_distillation,
    normalised,
    parts_of_student,
)


class LayeredStudentStage(DistillationStage):
    """Trains a student on all classifiers of a teacher, and on its features of source text.

    Args:
        layer_probabilities_NAC: float, (num_kept_words, A, C), p^m of target train; None where
            the layers below the last have no classifier.
        discrepancies: Compares features; None where none are drawn.
        parts: Of `DistillationStage`.
    """

    def __init__(
        self,
        *,
        layer_probabilities_NAC: Tensor | None,
        discrepancies: Discrepancies | None,
        **parts: Any,
    ) -> None:
        """Take hold of what the teacher says."""
        super().__init__(**parts)
        self.layer_probabilities_NAC = layer_probabilities_NAC
        self.discrepancies = discrepancies

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch over the target sentences, source sentences beside them."""
        if self.discrepancies is not None:
            self.discrepancies.begin(self.epoch)
        return super().run_epoch()

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L of a batch of target sentences and the next source sentences."""
        settings, words_N = self.settings, batch.word_index_N
        if self.layer_probabilities_NAC is None:
            tokens_ND, features_BD = last_features(self.model, batch, how=settings.mmd_features)
            distillation = self._distillation(
                self.teacher_probabilities[words_N], self.model.logits(tokens_ND), num_sentences
            )
            told = {"distillation_loss": distillation}
        else:
            distillation, features_BD, told = self._distillation_of_all(batch, num_sentences)
        if self.discrepancies is None:
            return distillation, told
        models, languages = self.discrepancies.losses(self.model, features_BD)
        told |= {"mmd_model": models, "mmd_language": languages}
        loss = student_objective(
            distillation,
            models,
            languages,
            mmd_model=settings.mmd_model,
            mmd_language=settings.mmd_language,
        )
        return loss, told

    def _distillation_of_all(
        self, batch: Batch, num_sentences: int
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return L_stu, the sentences' features, and what is told of both."""
        assert self.layer_probabilities_NAC is not None, "there are classifiers below the last"
        settings, words_N = self.settings, batch.word_index_N
        found = all_logits(self.model, batch)
        last = self._distillation(
            self.teacher_probabilities[words_N], found.logits_NC, num_sentences
        )
        teacher_NAC = self.layer_probabilities_NAC[words_N]
        layers_A = layer_losses(teacher_NAC, found, settings, num_sentences)
        weights_A = heads_of(self.model).layer_weights()
        loss = mixture(last, layers_A, weights_A, heads_weight=settings.heads_weight)
        told = {"distillation_loss": last} | told_weights(self.model)
        features_BD = pooled(found.cls_BD, found.tokens_ND, batch, how=settings.mmd_features)
        return loss, features_BD, told


def layer_losses(
    teacher_NAC: Tensor, found: Found, settings: MSDStudentConfig, num_sentences: int
) -> Tensor:
    """Return L_m of each layer on a batch, (A,), as a student's settings have it.

    Args:
        teacher_NAC: float, (N, A, C), p^m of the batch.
        found: What the student's classifiers say of it.
        settings: The student's.
        num_sentences: Of the batch.
    """
    return layer_distillation(
        teacher_NAC.movedim(1, 0),
        torch.softmax(found.logits_ANC, dim=-1),
        class_reduction=settings.distillation_reduction,
        num_sentences=num_sentences,
        reduction=settings.loss_reduction,
    )


def layer_teaching(context: Context, model: TokenClassifier) -> Tensor:
    """Put heads beside a student; return what the stage ``teacher``'s say of target train: p^m.

    Returns:
        float32, (num_kept_words, A, C), on the student's device.
    """
    config = context.config
    with_heads(model, config)
    found = context.outputs(
        "teacher", layer_probabilities, prepare=lambda teacher: with_heads(teacher, config)
    )
    return normalised(found.reshape(len(found), -1, model.num_classes)).to(model.device)


def build_student(context: Context) -> DistillationStage:
    """Build a student; without heads and MMD it is the plain one of other methods."""
    config: MSDConfig = context.config
    if distils_alone(config):
        return build_distillation(context)
    parts = parts_of_student(context)
    model = parts["model"]
    layers = layer_teaching(context, model) if config.student.heads_weight > 0 else None
    compared = discrepancies_of(context, model) if draws_features(config) else None
    return LayeredStudentStage(
        **parts, name=context.name, layer_probabilities_NAC=layers, discrepancies=compared
    )
