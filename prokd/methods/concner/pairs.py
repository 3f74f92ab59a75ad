"""Batches of sentences and their translations, and the tagging loss of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from prokd.data import Batch, EncodedCorpus, collate
from prokd.terms.tagging_loss import LossReduction, tagging_loss


def collate_pairs(
    paired: EncodedCorpus, indices: npt.NDArray[np.int64], pad_token_id: int
) -> Batch:
    """Build the tensors of some sentences, and behind them their translations.

    Args:
        paired: S sentences, then their S translations.
        indices: (B,), places of the sentences, below S.
        pad_token_id: Of the tokenizer.
    """
    both = np.concatenate([indices, indices + len(paired) // 2])
    return collate(paired, both, pad_token_id)


def pair_tagging_losses(
    logits_NC: Tensor, batch: Batch, num_sentences: int, *, reduction: LossReduction
) -> tuple[Tensor, Tensor]:
    """Return the tagging losses of sentences and of their translations: CE(source), CE(trans).

    Args:
        logits_NC: float, (N, C), of all tokens of the batch.
        batch: Of `collate_pairs`.
        num_sentences: B, without their translations.
        reduction: See `tagging_loss`.
    """
    assert batch.labels_N is not None, "source batches carry labels"
    is_source_N = batch.places.sentence_N < num_sentences
    source, translated = (
        tagging_loss(
            logits_NC[part_N],
            batch.labels_N[part_N],
            num_sentences=num_sentences,
            reduction=reduction,
        )
        for part_N in (is_source_N, ~is_source_N)
    )
    return source, translated
