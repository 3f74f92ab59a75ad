"""The teacher: a tagger of sentences and their translations, whose features are contrasted.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.method import PAIRED_TRAIN
from prokd.methods.concner.config import ConCNERConfig
from prokd.methods.concner.contrast import Contrast
from prokd.methods.concner.effective import is_plain, translates
from prokd.methods.concner.objective import teacher_objective
from prokd.methods.concner.pairs import collate_pairs, pair_tagging_losses
from prokd.stages.context import Context
from prokd.stages.tagger import TaggerStage, parts_of_tagger


class ContrastedTeacherStage(TaggerStage):
    """Trains a tagger on source sentences, each beside its translation.

    Args:
        source_train: Labelled source sentences.
        paired: Source sentences, then their translations in the same order; None where nothing is
            translated.
        parts: Of `TaggerStage`.
    """

    def __init__(
        self, *, source_train: EncodedCorpus, paired: EncodedCorpus | None, **parts: Any
    ) -> None:
        """Take hold of both corpora."""
        super().__init__(source_train=source_train, **parts)
        self.paired = paired
        self.contrast = Contrast(self.settings.contrast, self.config.seed)

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch."""
        self.contrast.begin(self.epoch)
        return super().run_epoch()

    def _collated(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return a batch of sentences, and behind them their translations."""
        if self.paired is None:
            return super()._collated(indices)
        return collate_pairs(self.paired, indices, self.pad_token_id)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L_tea of a batch of sentences, and of their translations behind them."""
        settings, last = self.settings.contrast, self.model.num_layers
        with self.model.autocast():
            found = layer_features(self.model, batch, (last,))
        tokens_ND = found.tokens[last]
        logits_NC = self.model.logits(tokens_ND)
        if self.paired is None:
            tagging = self._tagging_loss(logits_NC, batch, num_sentences)
            translated = tagging * 0.0
        else:
            tagging, translated = pair_tagging_losses(
                logits_NC, batch, num_sentences, reduction=self.settings.loss_reduction
            )
        sentences, labels, told = self.contrast.losses(found.cls_BD, tokens_ND, batch)
        told = {"tagging_loss": tagging, "translated_loss": translated} | told
        loss = teacher_objective(
            tagging,
            translated,
            sentences,
            labels,
            sentences_weight=settings.sentences,
            labels_weight=settings.labels,
        )
        return loss, told


def build_teacher(context: Context) -> TaggerStage:
    """Build a teacher; without translation and contrast it is the plain one of TSL."""
    config: ConCNERConfig = context.config
    model: TokenClassifier = context.model()
    parts = parts_of_tagger(context, model)
    if is_plain(config):
        return TaggerStage(**parts)
    paired = context.corpus(PAIRED_TRAIN, model) if translates(config) else None
    return ContrastedTeacherStage(**parts, paired=paired)
