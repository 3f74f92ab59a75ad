"""A tagger trained on labelled source text alone: a plain teacher, and direct transfer."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.method import SOURCE_TRAIN
from prokd.stages.context import Context
from prokd.stages.one_corpus import OneCorpusStage
from prokd.stages.stage import SOURCE_STREAM
from prokd.terms.tagging_loss import tagging_loss


class TaggerStage(OneCorpusStage):
    """Trains a tagger on labelled source text, Eq. (1).

    Args:
        source_train: Labelled source sentences.
        parts: Of `OneCorpusStage`.
    """

    def __init__(self, *, source_train: EncodedCorpus, **parts: Any) -> None:
        """Make the optimiser."""
        super().__init__(corpus=source_train, stream=SOURCE_STREAM, **parts)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the tagging loss of a batch."""
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        loss = self._tagging_loss(logits_NC, batch, num_sentences)
        return loss, {"tagging_loss": loss}

    def _tagging_loss(self, logits_NC: Tensor, batch: Batch, num_sentences: int) -> Tensor:
        assert batch.labels_N is not None, "source batches carry labels"
        return tagging_loss(
            logits_NC,
            batch.labels_N,
            num_sentences=num_sentences,
            reduction=self.settings.loss_reduction,
        )

    def criteria(self) -> dict[str, float]:
        """Return nothing: it looks at no target text."""
        return {}


def parts_of_tagger(
    context: Context,
    model: TokenClassifier,
    *,
    corpus: str = SOURCE_TRAIN,
    section: str = "teacher",
) -> dict[str, Any]:
    """Return what a tagger is built from.

    Args:
        context: Of the stage.
        model: The classifier to train.
        corpus: What it learns from, labelled: a name of `prokd.method`.
        section: Its part of the settings.
    """
    return {
        "model": model,
        "config": context.config,
        "settings": getattr(context.config, section),
        "source_train": context.corpus(corpus, model),
        "source_dev": context.source_dev(model),
        "pad_token_id": context.pad_token_id,
        "name": context.name,
    }


def build_tagger(context: Context) -> TaggerStage:
    """Build a tagger on new weights."""
    return TaggerStage(**parts_of_tagger(context, context.model()))
