"""The rival's data and scores: padded features, per-sentence Viterbi, per-token loops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from seqeval.metrics import f1_score
from torch import Tensor

from prokd.data import Corpus
from prokd.data.labels import TagSet

PADDING_LABEL = -100


@dataclass(frozen=True)
class Features:
    """A split, every sentence padded to the greatest length T.

    Args:
        input_ids: int64, (S, T).
        masks: int64, (S, T).
        labels: int64, (S, T): the class of each word at its first subword (0 without labels),
            `PADDING_LABEL` elsewhere.
        num_words: Words of each sentence that lie within T.
        first_row: Number of words before each sentence.
        tags: Gold tags of all words; None without labels.
    """

    input_ids: Tensor
    masks: Tensor
    labels: npt.NDArray[np.int64]
    num_words: list[int]
    first_row: list[int]
    tags: list[list[str]] | None

    def __len__(self) -> int:
        """Return S."""
        return len(self.num_words)


def features_of(corpus: Corpus, tokenizer: Any, tag_set: TagSet, length: int) -> Features:
    """Turn sentences into padded features, word by word."""
    ids, masks, labels, num_words = [], [], [], []
    for number, words in enumerate(corpus.words):
        tokens, own = [tokenizer.cls_token_id], [PADDING_LABEL]
        for position, word in enumerate(words):
            pieces = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))
            pieces = pieces or [tokenizer.unk_token_id]
            tag = 0 if corpus.tags is None else tag_set.index(corpus.tags[number][position])
            tokens += pieces
            own += [tag] + [PADDING_LABEL] * (len(pieces) - 1)
        tokens, own = tokens[: length - 1], own[: length - 1]
        tokens, own = [*tokens, tokenizer.sep_token_id], [*own, PADDING_LABEL]
        padding = length - len(tokens)
        ids.append(tokens + [tokenizer.pad_token_id] * padding)
        masks.append([1] * len(tokens) + [0] * padding)
        labels.append(own + [PADDING_LABEL] * padding)
        num_words.append(sum(label != PADDING_LABEL for label in own))
    first_row = [0, *np.cumsum(num_words)[:-1].tolist()]
    return Features(
        torch.tensor(ids), torch.tensor(masks), np.array(labels), num_words, first_row, corpus.tags
    )


Tags = list[list[str]]


def decode(logits: npt.NDArray[np.float32], data: Features, tag_set: TagSet) -> tuple[Tags, Tags]:
    """Return the likeliest tag of each word, and the likeliest valid IOB2 tags of each sentence.

    Words beyond the greatest length are "O".
    """
    independent: Tags = []
    valid: Tags = []
    for number in range(len(data)):
        own = []
        for position in range(data.labels.shape[1]):
            if data.labels[number][position] != PADDING_LABEL:
                own.append(logits[number][position])
        assert data.tags is not None, "a scored split keeps its tags"
        cut = ["O"] * (len(data.tags[number]) - len(own))
        independent.append([tag_set.names[int(np.argmax(row))] for row in own] + cut)
        valid.append([tag_set.names[tag] for tag in viterbi(own)] + cut)
    return independent, valid


def viterbi(logits: list[Any]) -> list[int]:
    """Return the likeliest valid IOB2 tags of one sentence; classes as in `labels.TagSet`."""
    if not logits:
        return []
    num_classes = len(logits[0])
    scores = []
    for row in logits:
        top = max(float(value) for value in row)
        total = math.log(sum(math.exp(float(value) - top) for value in row)) + top
        scores.append([float(value) - total for value in row])
    best = [
        score if tag == 0 or tag % 2 == 1 else -math.inf for tag, score in enumerate(scores[0])
    ]
    pointers = []
    for row in scores[1:]:
        new, chosen = [], []
        for tag in range(num_classes):
            top, origin = -math.inf, 0
            for before in range(num_classes):
                if tag > 0 and tag % 2 == 0 and before not in (tag - 1, tag):
                    continue
                if best[before] > top:
                    top, origin = best[before], before
            new.append(top + row[tag])
            chosen.append(origin)
        best = new
        pointers.append(chosen)
    tags = [max(range(num_classes), key=best.__getitem__)]
    for chosen in reversed(pointers):
        tags.append(chosen[tags[-1]])
    return tags[::-1]


def score(decoded: tuple[Tags, Tags], data: Features) -> dict[str, float]:
    """Return entity F1 by seqeval, of both ways to decode."""
    independent, valid = decoded
    return {
        "entity_f1": float(f1_score(data.tags, independent, zero_division=0)),
        "entity_f1_viterbi": float(f1_score(data.tags, valid, zero_division=0)),
    }
