"""Batches of an encoded corpus: which sentences go together, and their padded tensors."""


# B sentences, T subwords of the longest one, N kept words of the batch (its valid tokens)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from prokd.data.encoding import EncodedCorpus
from prokd.data.subwords import ranges
from prokd.errors import UserError
from prokd.terms.sequences import Places

EVALUATION_TOKENS = {"cpu": 4096, "cuda": 16384}
"""Subwords of a batch, padding in: enough for few products of a size, and to fill a GPU."""


@dataclass(frozen=True)
class Batch:
    """Tensors of some sentences.

    Args:
        input_ids_BT: int64 (B, T), vocabulary indices, padded on the right.
        attention_mask_BT: int64 (B, T), 1 for subwords, 0 for padding.
        lengths_B: int64 (B,), subwords of each sentence; on the CPU wherever the others are.
        token_index_N: int64 (N,), places of the valid tokens (first subwords of kept words) in a
            (B*T, ...) view, ascending.
        labels_N: int64 (N,), class indices, or None if unlabelled.
        word_index_N: int64 (N,), row of each valid token among the kept words of the corpus.
        places: Sentence of each valid token, and its place in it.
        bottom_BTD: float (B, T, D), hidden states upon the encoder's frozen part, or None where
            they are still to be computed.
    """

    input_ids_BT: torch.Tensor
    attention_mask_BT: torch.Tensor
    lengths_B: torch.Tensor
    token_index_N: torch.Tensor
    labels_N: torch.Tensor | None
    word_index_N: torch.Tensor
    places: Places
    bottom_BTD: torch.Tensor | None = None

    @property
    def num_tokens(self) -> int:
        """N, the number of valid tokens."""
        return len(self.token_index_N)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch on another device (``non_blocking`` as in ``torch.Tensor.to``)."""

        def move(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        tensors = {
            field.name: move(value)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), torch.Tensor)
            and field.name != "lengths_B"
        }
        sentence_N, position_N = move(self.places.sentence_N), move(self.places.position_N)
        places = replace(self.places, sentence_N=sentence_N, position_N=position_N)
        return replace(self, places=places, **tensors)

    def parts(self, most_tokens: int | None) -> list[Batch]:
        """Split the batch between sentences into parts of at most that many subwords.

        Args:
            most_tokens: Padding in; None = one part. A sentence that is longer is a part alone.
        """
        num_sentences, longest = self.input_ids_BT.shape
        rows = max((most_tokens or self.input_ids_BT.numel()) // longest, 1)
        if rows >= num_sentences:
            return [self]
        counts = torch.bincount(self.places.sentence_N, minlength=num_sentences).tolist()
        return [
            self._rows(first, min(first + rows, num_sentences), counts)
            for first in range(0, num_sentences, rows)
        ]

    def _rows(self, first: int, end: int, counts: list[int]) -> Batch:
        """Return the sentences ``first`` to ``end`` as a batch of their own."""
        longest = self.input_ids_BT.shape[1]
        begin = sum(counts[:first])
        tokens = slice(begin, begin + sum(counts[first:end]))
        return Batch(
            input_ids_BT=self.input_ids_BT[first:end],
            attention_mask_BT=self.attention_mask_BT[first:end],
            lengths_B=self.lengths_B[first:end],
            token_index_N=self.token_index_N[tokens] - first * longest,
            labels_N=None if self.labels_N is None else self.labels_N[tokens],
            word_index_N=self.word_index_N[tokens],
            places=Places(
                self.places.sentence_N[tokens] - first,
                self.places.position_N[tokens],
                end - first,
                max([*counts[first:end], 1]),
            ),
            bottom_BTD=None if self.bottom_BTD is None else self.bottom_BTD[first:end],
        )


def make_batches(
    encoded: EncodedCorpus,
    *,
    batch_sentences: int,
    batch_tokens: int,
    generator: np.random.Generator | None,
    batch_pool: int = 1,
    sentences: npt.NDArray[np.int64] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """Group sentences; every one is in exactly one batch.

    With a generator, sentences are shuffled, sorted by length within pools of
    ``batch_pool * batch_sentences``, cut into batches, and the batches are shuffled: their number
    may differ a little between epochs where ``batch_tokens`` is the tighter limit. Without one,
    all sentences are sorted by length, the longest first: the order for evaluation.

    Args:
        encoded: The corpus.
        batch_sentences: Largest number of sentences in a batch, >= 1.
        batch_tokens: Largest number of subwords in a batch, padding included, >= 1. A sentence
            that is longer than this is a batch of its own.
        generator: Source of randomness, or None.
        batch_pool: Batches' worth of shuffled sentences that are sorted together, >= 1.
        sentences: int64, indices of the sentences that take part; None = all.

    Returns:
        The indices of the sentences of each batch, int64 (B,).

    Raises:
        UserError: A limit is less than 1.
    """
    if min(batch_sentences, batch_tokens, batch_pool) < 1:
        raise UserError(
            f"`batch_sentences >= 1`, `batch_tokens >= 1` and `batch_pool >= 1` must hold, "
            f"but got (batch_sentences={batch_sentences}, batch_tokens={batch_tokens}, "
            f"batch_pool={batch_pool})."
        )
    lengths = np.diff(encoded.offsets)
    chosen = np.arange(len(lengths)) if sentences is None else sentences
    if generator is None:
        return _cut(chosen, lengths, batch_sentences, batch_tokens)
    order = generator.permutation(chosen)
    chunk = batch_pool * batch_sentences
    batches = [
        batch
        for start in range(0, len(order), chunk)
        for batch in _cut(order[start : start + chunk], lengths, batch_sentences, batch_tokens)
    ]
    return [batches[i] for i in generator.permutation(len(batches))]


def _cut(
    indices: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    batch_sentences: int,
    batch_tokens: int,
) -> list[npt.NDArray[np.int64]]:
    by_length = indices[np.argsort(-lengths[indices], kind="stable")]
    batches = []
    start = 0
    while start < len(by_length):
        # The first sentence is the longest, so it alone decides how many fit.
        fit = batch_tokens // int(lengths[by_length[start]])
        size = max(1, min(batch_sentences, fit))
        batches.append(by_length[start : start + size])
        start += size
    return batches


def collate(
    encoded: EncodedCorpus,
    sentence_indices: Sequence[int] | npt.NDArray[np.int64],
    pad_token_id: int,
) -> Batch:
    """Build the tensors of some sentences, in the given order.

    Args:
        encoded: The corpus.
        sentence_indices: Indices of B >= 1 sentences.
        pad_token_id: Vocabulary index that fills up the shorter sentences.

    Returns:
        The batch on the CPU, in pinned memory where there is a CUDA device.
    """
    indices_B = np.asarray(sentence_indices, dtype=np.int64)
    starts_B = encoded.offsets[indices_B]
    lengths_B = encoded.offsets[indices_B + 1] - starts_B
    longest = int(lengths_B.max())
    mask_BT = np.arange(longest) < lengths_B[:, None]
    input_ids_BT = np.full(mask_BT.shape, pad_token_id, dtype=np.int64)
    input_ids_BT[mask_BT] = encoded.input_ids[ranges(starts_B, lengths_B)]

    word_starts_B = encoded.word_offsets[indices_B]
    num_kept_B = encoded.word_offsets[indices_B + 1] - word_starts_B
    word_index_N = ranges(word_starts_B, num_kept_B)
    row_N = np.repeat(np.arange(len(indices_B)), num_kept_B)
    token_index_N = row_N * longest + encoded.word_positions[word_index_N]
    labels = encoded.labels
    position_N = word_index_N - np.repeat(word_starts_B, num_kept_B)
    return Batch(
        input_ids_BT=_tensor(input_ids_BT),
        attention_mask_BT=_tensor(mask_BT.astype(np.int64)),
        lengths_B=torch.from_numpy(lengths_B),
        token_index_N=_tensor(token_index_N),
        labels_N=None if labels is None else _tensor(labels[word_index_N].astype(np.int64)),
        word_index_N=_tensor(word_index_N),
        places=Places(
            _tensor(row_N), _tensor(position_N), len(indices_B), max(int(num_kept_B.max()), 1)
        ),
        bottom_BTD=_bottom(encoded.frozen_features, mask_BT, ranges(starts_B, lengths_B)),
    )


def _bottom(
    features: npt.NDArray[Any] | None, mask_BT: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]
) -> torch.Tensor | None:
    if features is None:
        return None
    bottom_BTD = np.zeros((*mask_BT.shape, features.shape[1]), dtype=features.dtype)
    bottom_BTD[mask_BT] = features[rows]
    tensor = _tensor(bottom_BTD)
    return tensor.view(torch.bfloat16) if features.dtype == np.uint16 else tensor


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


def evaluation_batches(
    encoded: EncodedCorpus, device: torch.device, sentences: npt.NDArray[np.int64] | None = None
) -> list[npt.NDArray[np.int64]]:
    """Return the sentences of each batch of a pass, the longest ones first."""
    most_tokens = EVALUATION_TOKENS[device.type]
    return make_batches(
        encoded,
        batch_sentences=most_tokens,
        batch_tokens=most_tokens,
        generator=None,
        sentences=sentences,
    )
