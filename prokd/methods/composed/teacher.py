"""The teacher: ProKD's alignment, MSD's classifiers and ConCNER's contrast in one objective."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.layer_features import layer_features
from prokd.method import PAIRED_TRAIN
from prokd.methods.composed.config import (
    SEEN_AS,
    ComposedConfig,
    as_concner,
    as_msd,
    as_prokd,
    contrasts,
    is_paired,
)
from prokd.methods.composed.effective import teacher_like
from prokd.methods.concner.contrast import Contrast
from prokd.methods.concner.pairs import collate_pairs, pair_tagging_losses
from prokd.methods.concner.teacher import build_teacher as build_contrasted
from prokd.methods.msd.heads import all_logits, heads_of, told_weights, with_heads
from prokd.methods.msd.objective import mixture
from prokd.methods.msd.teacher import build_teacher as build_layered
from prokd.methods.prokd.effective import aligns
from prokd.methods.prokd.teacher import build_teacher as build_aligned
from prokd.methods.prokd.teacher.stage import TeacherStage
from prokd.stages.context import Context
from prokd.stages.running_means import RunningMeans
from prokd.stages.stage import Stage
from prokd.terms.tagging_loss import tagging_loss


class ComposedTeacherStage(TeacherStage):
    """Trains a teacher on the sum of the terms that are switched on.

    L = CE + w L_CA + alpha sum_m lambda_m CE_m + lambda1 L_TCL + lambda2 L_LCL; where there are
    translations, each CE is the sum of that of the source and that of the translation.

    Args:
        paired: Source sentences, then their translations; None where nothing is translated.
        contrast: Both contrastive losses; None = none.
        parts: Of ProKD's `TeacherStage`.
    """

    beside_alignment = "loss_without_alignment"

    def __init__(
        self, *, paired: EncodedCorpus | None, contrast: Contrast | None, **parts: Any
    ) -> None:
        """Take hold of the parts."""
        super().__init__(**parts)
        self.paired, self.contrast = paired, contrast

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, as ProKD's teacher does."""
        if self.contrast is not None:
            self.contrast.begin(self.epoch)
        return super().run_epoch()

    def _collated(self, indices: npt.NDArray[np.int64]) -> Batch:
        if self.paired is None:
            return super()._collated(indices)
        return collate_pairs(self.paired, indices, self.pad_token_id)

    def _tagging_of(
        self, batch: Batch, num_sentences: int, means: RunningMeans
    ) -> tuple[Tensor, Tensor]:
        settings: Any = self.config.teacher
        told: dict[str, Tensor] = {}
        if settings.heads_weight > 0:
            found = all_logits(self.model, batch)
            cls_BD, tokens_ND = found.cls_BD, found.tokens_ND
            layers_A = torch.stack(
                [self._loss_of(logits_NC, batch, num_sentences) for logits_NC in found.logits_ANC]
            )
            last = self._loss_of(found.logits_NC, batch, num_sentences)
            weights_A = heads_of(self.model).layer_weights()
            loss = mixture(last, layers_A, weights_A, heads_weight=settings.heads_weight)
            told |= {"tagging_loss": last} | told_weights(self.model)
        else:
            number = self.model.num_layers
            with self.model.autocast():
                features = layer_features(self.model, batch, (number,))
            cls_BD, tokens_ND = features.cls_BD, features.tokens[number]
            loss = self._loss_of(self.model.logits(tokens_ND), batch, num_sentences)
            told["tagging_loss"] = loss
        if self.contrast is not None:
            sentences, labels, more = self.contrast.losses(cls_BD, tokens_ND, batch)
            chosen = self.contrast.settings
            loss = loss + chosen.sentences * sentences + chosen.labels * labels
            told |= more
        for name, value in told.items():
            means.add(f"teacher/{name}", value, batch.num_tokens)
        return loss, tokens_ND

    def _loss_of(self, logits_NC: Tensor, batch: Batch, num_sentences: int) -> Tensor:
        reduction = self.config.teacher.loss_reduction
        if self.paired is not None:
            source, translated = pair_tagging_losses(
                logits_NC, batch, num_sentences, reduction=reduction
            )
            return source + translated
        assert batch.labels_N is not None, "source batches carry labels"
        return tagging_loss(
            logits_NC, batch.labels_N, num_sentences=num_sentences, reduction=reduction
        )


_BUILDERS: dict[str, Callable[[Context], Stage]] = {
    "prokd": build_aligned,
    "msd": build_layered,
    "concner": build_contrasted,
}


def build_teacher(context: Context) -> Stage:
    """Build a teacher: that of another method where the parts are that method's alone."""
    config: ComposedConfig = context.config
    if (like := teacher_like(config)) is not None:
        return _BUILDERS[like](seen_as(context, SEEN_AS[like](config)))
    model = context.model()
    if config.teacher.heads_weight > 0:
        with_heads(model, as_msd(config))
    source_train = context.source_train(model)
    settings = as_concner(config).teacher.contrast
    return ComposedTeacherStage(
        model=model,
        config=config,
        source_train=source_train,
        source_dev=context.source_dev(model),
        # Without alignment nothing looks at it: it is not read then.
        target_train=context.target_train(model) if aligns(as_prokd(config)) else source_train,
        pad_token_id=context.pad_token_id,
        paired=context.corpus(PAIRED_TRAIN, model) if is_paired(config) else None,
        contrast=Contrast(settings, config.seed) if contrasts(config) else None,
    )


def seen_as(context: Context, config: Any) -> Context:
    """Return a context with another method's settings."""
    found = copy.copy(context)
    found.config = config
    return found
