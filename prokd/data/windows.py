"""Sentences longer than the encoder takes, seen through windows that overlap.

# S sentences, W words in all, V words of all windows, C classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data.subwords import special_tokens, split_into_subwords
from prokd.terms.sequences import Places, likeliest_tags

if TYPE_CHECKING:  # a slow import that nothing here needs at run time
    from transformers import PreTrainedTokenizerFast

NO_LIMIT = 2**30
"""Subwords of a sentence that is not to be cut."""
DECODED_AT_ONCE = 2**18
"""Words, padding in, whose tags are decoded at once: bounds memory."""


@dataclass(frozen=True)
class Windows:
    """Parts of sentences, each short enough; a sentence that fits is a window by itself.

    Args:
        words: Words of each window.
        row_W: int64 (W,), for each word its row among the words of all windows: where it stands
            farthest from an edge at which the sentence goes on.
    """

    words: list[list[str]]
    row_W: npt.NDArray[np.int64]


def windows_of(
    sentences: Sequence[list[str]], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> Windows:
    """Cut long sentences into windows that overlap by half.

    Args:
        sentences: Words of each; some may be empty and give no window.
        tokenizer: A fast tokenizer.
        max_length: Most subwords of a window, special ones included. A word that alone has more
            is a window by itself, of which the tokenizer keeps the begin.
    """
    filled = [sentence for sentence in sentences if sentence]
    if not filled:
        return Windows([], np.zeros(0, dtype=np.int64))
    subwords = split_into_subwords(filled, tokenizer, NO_LIMIT)
    prefix, suffix = special_tokens(tokenizer)
    room = max_length - len(prefix) - len(suffix)
    windows: list[list[str]] = []
    rows: list[npt.NDArray[np.int64]] = []
    seen = 0
    for number, sentence in enumerate(filled):
        first, end = subwords.word_offsets[number : number + 2]
        length = subwords.offsets[number + 1] - subwords.offsets[number] - len(suffix)
        begins = np.append(subwords.word_positions[first:end], length)
        bounds = _bounds(begins, room)
        windows += [sentence[begin:stop] for begin, stop in bounds]
        rows.append(seen + _best_rows(bounds, len(sentence)))
        seen += sum(stop - begin for begin, stop in bounds)
    return Windows(windows, np.concatenate(rows))


def _bounds(begins: npt.NDArray[np.int64], room: int) -> list[tuple[int, int]]:
    """Return first word and word after the last of each window.

    Args:
        begins: First subword of each word, and the one after the last word's.
        room: Most subwords of a window, >= 1.
    """
    num_words = len(begins) - 1
    bounds: list[tuple[int, int]] = []
    begin = 0
    while True:
        stop = int(np.searchsorted(begins, begins[begin] + room, side="right")) - 1
        stop = max(stop, begin + 1)
        bounds.append((begin, stop))
        if stop == num_words:
            return bounds
        # Half a window further by subwords: words of a script may be much longer than others.
        middle = int(np.searchsorted(begins, begins[begin] + room // 2, side="right")) - 1
        begin = min(max(middle, begin + 1), stop)


def _best_rows(bounds: list[tuple[int, int]], num_words: int) -> npt.NDArray[np.int64]:
    """Return the row of each word of a sentence among the words of its windows."""
    row, farthest = np.zeros(num_words, dtype=np.int64), np.full(num_words, -1, dtype=np.int64)
    seen = 0
    for begin, stop in bounds:
        place = np.arange(stop - begin)
        left = place if begin else np.full_like(place, num_words)
        right = place[::-1] if stop < num_words else np.full_like(place, num_words)
        distance = np.minimum(left, right)
        better = distance > farthest[begin:stop]
        row[begin:stop][better] = seen + place[better]
        farthest[begin:stop][better] = distance[better]
        seen += stop - begin
    return row


def likeliest_tags_of_long(probabilities_WC: Tensor, lengths: Sequence[int]) -> Tensor:
    """Return `sequences.likeliest_tags` of sentences of very different lengths.

    Args:
        probabilities_WC: float, (W, C), of all words, sentence by sentence.
        lengths: Words of each sentence; may be 0.

    Returns:
        int64, (W,), class indices.
    """
    tags_W = torch.zeros(len(probabilities_WC), dtype=torch.int64)
    ends = np.cumsum(lengths)
    group: list[int] = []
    for index in [*np.argsort(lengths, kind="stable").tolist(), None]:
        if group and (index is None or (len(group) + 1) * lengths[index] > DECODED_AT_ONCE):
            rows_N = torch.cat([torch.arange(ends[i] - lengths[i], ends[i]) for i in group])
            places = Places.of_lengths([lengths[i] for i in group])
            tags_W[rows_N] = likeliest_tags(probabilities_WC[rows_N], places)
            group = []
        if index is not None and lengths[index]:
            group.append(index)
    return tags_W
