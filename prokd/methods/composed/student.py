"""The student: ProKD's self-training, MSD's layers and MMD, and UniTrans' votes in one objective.

# N valid tokens (flattened), C classes, A layers below the last
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from prokd.data import Batch
from prokd.encoder.pooling import pooled
from prokd.methods.composed.config import (
    SEEN_AS,
    ComposedConfig,
    as_msd,
    as_unitrans,
    is_layered,
    learns_otherwise,
)
from prokd.methods.composed.effective import student_like
from prokd.methods.composed.teacher import seen_as
from prokd.methods.msd.discrepancies import Discrepancies, discrepancies_of, last_features
from prokd.methods.msd.effective import draws_features
from prokd.methods.msd.heads import all_logits, heads_of, told_weights
from prokd.methods.msd.objective import weighted_layers
from prokd.methods.msd.student import build_student as build_layered
from prokd.methods.msd.student import layer_losses, layer_teaching
from prokd.methods.prokd.student import build_student as build_self_trained
from prokd.methods.prokd.student.stage import StudentStage
from prokd.methods.unitrans.student import build_student as build_voted
from prokd.methods.unitrans.student import taught
from prokd.stages.context import Context
from prokd.stages.distillation import parts_of_student
from prokd.stages.running_means import RunningMeans
from prokd.stages.stage import Stage
from prokd.stages.weighted_labels import WeightedLabels


class ComposedStudentStage(StudentStage):
    """Trains a student on the sum of the terms that are switched on.

    L = (1 - a) L_PT + a L_KD + beta sum_m lambda'_m L_m + alpha' MMD^2 + beta' MMD^2 + mu CE of
    the labels that teachers agree on; a is ProKD's weight, 1 where it does not train itself.

    Args:
        layer_probabilities_NAC: float, (num_kept_words, A, C), p^m of target train; None = none.
        discrepancies: Compares features; None where none are drawn.
        weights_N: float, (num_kept_words,), what the label of each word counts; None = nothing.
        parts: Of ProKD's `StudentStage`.
    """

    def __init__(
        self,
        *,
        layer_probabilities_NAC: Tensor | None,
        discrepancies: Discrepancies | None,
        weights_N: Tensor | None,
        **parts: Any,
    ) -> None:
        """Take hold of what the teachers say."""
        super().__init__(**parts)
        self.layer_probabilities_NAC, self.discrepancies = layer_probabilities_NAC, discrepancies
        labels_N = self.teacher_probabilities.argmax(dim=-1)
        self.labels = (
            None if weights_N is None else WeightedLabels(labels_N, weights_N, self.model.device)
        )

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, as ProKD's student does."""
        if self.discrepancies is not None:
            self.discrepancies.begin(self.epoch)
        return super().run_epoch()

    def _forward(
        self, batch: Batch, num_sentences: int, means: RunningMeans
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        settings: Any = self.config.student
        words_N = batch.word_index_N
        told: dict[str, Tensor] = {}
        losses: list[Tensor] = []
        if self.layer_probabilities_NAC is not None:
            found = all_logits(self.model, batch)
            tokens_ND, logits_NC = found.tokens_ND, found.logits_NC
            features_BD = pooled(found.cls_BD, tokens_ND, batch, how=settings.mmd_features)
            teacher_NAC = self.layer_probabilities_NAC[words_N]
            layers_A = layer_losses(teacher_NAC, found, settings, num_sentences)
            weights_A = heads_of(self.model).layer_weights()
            losses.append(weighted_layers(layers_A, weights_A, heads_weight=settings.heads_weight))
            told |= told_weights(self.model)
        else:
            tokens_ND, features_BD = last_features(self.model, batch, how=settings.mmd_features)
            logits_NC = self.model.logits(tokens_ND)
        if self.discrepancies is not None:
            models, languages = self.discrepancies.losses(self.model, features_BD)
            losses.append(settings.mmd_model * models + settings.mmd_language * languages)
            told |= {"mmd_model": models, "mmd_language": languages}
        if self.labels is not None:
            voted, share = self.labels.loss(logits_NC, words_N)
            losses.append(settings.voted_weight * voted)
            told |= {"voted_loss": voted, "voted_share": share}
        for name, value in told.items():
            means.add(f"student/{name}", value, batch.num_tokens)
        return tokens_ND, logits_NC, torch.stack(losses).sum() if losses else None


_BUILDERS: dict[str, Callable[[Context], Stage]] = {
    "prokd": build_self_trained,
    "msd": build_layered,
    "unitrans": build_voted,
}


def build_student(context: Context) -> Stage:
    """Build a student: that of another method where the parts are that method's alone."""
    config: ComposedConfig = context.config
    if (like := student_like(config)) is not None:
        return _BUILDERS[like](seen_as(context, SEEN_AS[like](config)))
    parts, weights_N = parts_of_student(context), None
    if learns_otherwise(config):
        parts["teacher_probabilities"], weights_N = taught(context, as_unitrans(config))
    model, of_msd = parts["model"], seen_as(context, as_msd(config))
    return ComposedStudentStage(
        **parts,
        layer_probabilities_NAC=layer_teaching(of_msd, model) if is_layered(config) else None,
        discrepancies=discrepancies_of(of_msd, model) if draws_features(of_msd.config) else None,
        weights_N=weights_N if config.student.voted_weight > 0 else None,
    )
