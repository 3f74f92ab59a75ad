"""How good predictions are: entity-level and token-level precision, recall and F1.

Entity-level scores follow seqeval, the field's scorer: lenient (an I- tag may open an entity, as
conlleval reads tags) under the plain name, strict IOB2 under ``_strict``. NumPy counts the same
spans without a loop over words; tests hold every measure equal to seqeval's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from prokd.data.labels import TagSet

Int = npt.NDArray[np.integer]


def f1_score(true_positives: float, num_predicted: float, num_gold: float) -> float:
    """Return 2 tp / (predicted + gold); 0 where nothing was predicted and nothing was there.

    >>> f1_score(1, 2, 2)
    0.5
    """
    total = num_predicted + num_gold
    return 2.0 * true_positives / total if total else 0.0


def lenient_spans(labels: Int, sentence_of: Int, tag_set: TagSet) -> npt.NDArray[np.int64]:
    """Return the entities in a flat array of class indices as conlleval reads them.

    An entity begins at a B- tag, and at an I- tag that follows "O", another type or another
    sentence; it ends where the next one begins, at "O" or with its sentence.

    Args:
        labels: int, (N,), class indices of all words of a corpus, flattened.
        sentence_of: int, (N,), sentence number of each word, rising.
        tag_set: Gives the classes their meaning.

    Returns:
        int64, (num_entities, 3): first word, word after the last, entity type, in flat positions.
    """
    labels = np.asarray(labels, dtype=np.int64)
    if len(labels) == 0:
        return np.zeros((0, 3), dtype=np.int64)
    kind = np.where(labels > 0, (labels - 1) // 2, -1)
    begins_tag = (labels > 0) & ((labels - 1) % 2 == 0)
    new_sentence = np.empty(len(labels), dtype=bool)
    new_sentence[0] = True
    new_sentence[1:] = sentence_of[1:] != sentence_of[:-1]
    previous = np.concatenate([[-1], kind[:-1]])
    starts = (kind >= 0) & (begins_tag | new_sentence | (kind != previous))
    # A span goes on as long as the next word has its type and starts nothing itself.
    boundary = np.flatnonzero(starts | (kind < 0) | new_sentence)
    first = np.flatnonzero(starts)
    following = np.searchsorted(boundary, first, side="right")
    ends = np.append(boundary, len(labels))[following]
    return np.stack([first, ends, kind[first]], axis=1)


def strict_spans(labels: Int, sentence_of: Int, tag_set: TagSet) -> npt.NDArray[np.int64]:
    """Return the entities as strict IOB2 has them: those of `lenient_spans` that begin with B-."""
    spans = lenient_spans(labels, sentence_of, tag_set)
    begins_tag: npt.NDArray[np.bool_] = np.asarray(labels)[spans[:, 0]] % 2 == 1
    return spans[begins_tag]


def entity_f1(gold: Int, predicted: Int, sentence_of: Int, tag_set: TagSet) -> float:
    """Return lenient micro entity F1 of flat class indices, in [0, 1]; no per-token loop."""
    gold_spans = lenient_spans(gold, sentence_of, tag_set)
    predicted_spans = lenient_spans(predicted, sentence_of, tag_set)
    true_positives = len(_common_rows(gold_spans, predicted_spans, len(gold) + 1))
    return f1_score(true_positives, len(predicted_spans), len(gold_spans))


def _common_rows(left: Int, right: Int, size: int) -> Int:
    def key(spans: Int) -> Int:
        return (spans[:, 0] * size + spans[:, 1]) * 1024 + spans[:, 2]

    return np.intersect1d(key(left), key(right), assume_unique=True)


def sentence_counts(
    gold: Int, predicted: Int, sentence_of: Int, tag_set: TagSet
) -> npt.NDArray[np.int64]:
    """Return true positives, predicted and gold entities of each sentence.

    Returns:
        int64, (num_sentences, 3): what a paired test over sentences resamples.
    """
    num_sentences = int(sentence_of[-1]) + 1 if len(sentence_of) else 0
    gold_spans = lenient_spans(gold, sentence_of, tag_set)
    predicted_spans = lenient_spans(predicted, sentence_of, tag_set)
    common = _common_rows(gold_spans, predicted_spans, len(gold) + 1) // 1024 // (len(gold) + 1)
    columns = [
        np.bincount(sentence_of[positions], minlength=num_sentences)
        for positions in (common, predicted_spans[:, 0], gold_spans[:, 0])
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def token_f1(gold: Int, predicted: Int) -> tuple[float, float, float]:
    """Return token-level micro precision, recall and F1 over all classes but "O".

    A token counts as right when its whole tag is right ("O" is class 0).
    """
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    right = int(((gold == predicted) & (gold > 0)).sum())
    num_predicted, num_gold = int((predicted > 0).sum()), int((gold > 0).sum())
    precision = right / num_predicted if num_predicted else 0.0
    recall = right / num_gold if num_gold else 0.0
    return precision, recall, f1_score(right, num_predicted, num_gold)


def report(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], tag_set: TagSet
) -> dict[str, float]:
    """Return `flat_report` of tags by sentence.

    Args:
        gold: Tags of each sentence, IOB2.
        predicted: Tags of each sentence, as many as gold ones.
        tag_set: The tags of the corpus.

    Example:
        >>> tags = TagSet.of(["PER"])
        >>> result = report([["B-PER", "I-PER"]], [["I-PER", "I-PER"]], tags)
        >>> result["entity_f1"], result["entity_f1_strict"], result["token_f1"]
        (1.0, 0.0, 0.5)
    """
    flat = [np.array(tag_set.indices(list(chain(*tags))), np.int64) for tags in (gold, predicted)]
    sentence_of = np.repeat(np.arange(len(gold)), [len(tags) for tags in gold])
    return flat_report(flat[0], flat[1], sentence_of, tag_set)


def flat_report(gold: Int, predicted: Int, sentence_of: Int, tag_set: TagSet) -> dict[str, float]:
    """Return all measures of a split under names that cannot be mixed up.

    Args:
        gold: int, (N,), class indices of all words, flattened.
        predicted: int, (N,); words beyond the length limit come in as "O".
        sentence_of: int, (N,), sentence number of each word, rising.
        tag_set: The tags of the corpus.

    Returns:
        ``entity_precision``, ``entity_recall``, ``entity_f1`` (lenient, micro), the same with
        ``_strict``, ``entity_f1/<TYPE>`` and ``entity_f1_strict/<TYPE>``, ``token_precision``,
        ``token_recall``, ``token_f1``; all in [0, 1].
    """
    result: dict[str, float] = {}
    flat = [np.asarray(labels, dtype=np.int64) for labels in (gold, predicted)]
    for suffix, spans_of in (("", lenient_spans), ("_strict", strict_spans)):
        spans = [spans_of(labels, sentence_of, tag_set) for labels in flat]
        measures = _span_scores(spans[0], spans[1], len(gold))
        for name, value in zip(("precision", "recall", "f1"), measures, strict=True):
            result[f"entity_{name}{suffix}"] = value
        for index, kind in enumerate(tag_set.entity_types):
            only = [found[found[:, 2] == index] for found in spans]
            result[f"entity_f1{suffix}/{kind}"] = _span_scores(only[0], only[1], len(gold))[2]
    for name, value in zip(("precision", "recall", "f1"), token_f1(gold, predicted), strict=True):
        result[f"token_{name}"] = value
    return result


def _span_scores(gold: Int, predicted: Int, num_words: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 of spans, in seqeval's order of operations."""
    right = len(_common_rows(gold, predicted, num_words + 1))
    precision = right / len(predicted) if len(predicted) else 0.0
    recall = right / len(gold) if len(gold) else 0.0
    if not right:
        return precision, recall, 0.0
    return precision, recall, 2.0 * precision * recall / (precision + recall)
