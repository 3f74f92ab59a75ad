"""The Dice coefficient of words over the pairs of sentences that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from prokd.data.translation.lexicon import Lexicon
from prokd.data.translation.parallel import Ids, ParallelText, indexed, induced

MIN_COUNT = 5
MIN_DICE = 0.2
"""Measured against MUSE, en-hi: .81 right of 2,100 words; without it .53 of 3,900."""
_MOST_AT_ONCE = 5_000_000


def lexicon_by_dice(
    text: ParallelText, *, min_count: int = MIN_COUNT, min_dice: float = MIN_DICE
) -> Lexicon:
    r"""Return the words that stand in the same pairs of sentences.

    .. math:: Dice(e, f) = 2 n_{ef} / (n_e + n_f)

    with the numbers of pairs whose source has e, whose target has f, and both.

    Args:
        text: Parallel sentences.
        min_count: Least n_ef; at least 1.
        min_dice: Least coefficient, 0 to 1.

    Raises:
        UserError: No two words stand together so often.
    """
    scores = (found for found in dice_scores(text, min_count=min_count) if found[2] >= min_dice)
    return induced(text, scores, "Dice")


def dice_scores(text: ParallelText, *, min_count: int) -> Iterator[tuple[str, str, float]]:
    """Yield source word, target word and their coefficient where n_ef is at least min_count."""
    words, sources = _frequent(text.sources, min_count)
    others, targets = _frequent(text.targets, min_count)
    together, number = _count_pairs(sources, targets, len(others))
    n_e, n_f = _sentences_with(sources, len(words)), _sentences_with(targets, len(others))
    kept = number >= min_count
    source, target = np.divmod(together[kept], max(len(others), 1))
    scores = 2 * number[kept] / (n_e[source] + n_f[target])
    for e, f, score in zip(source.tolist(), target.tolist(), scores.tolist(), strict=True):
        yield words[e], others[f], score


def _frequent(sentences: Sequence[Sequence[str]], min_count: int) -> tuple[list[str], list[Ids]]:
    """Number the words of at least min_count sentences; each once a sentence."""
    words, ids = indexed(sentences)
    sets = [np.unique(row) for row in ids]
    often = _sentences_with(sets, len(words)) >= min_count
    number = np.cumsum(often) - 1
    kept = [number[row[often[row]]] for row in sets]
    return [word for word, is_kept in zip(words, often, strict=True) if is_kept], kept


def _sentences_with(sets: list[Ids], num_words: int) -> Ids:
    return np.bincount(np.concatenate(sets), minlength=num_words)


def _count_pairs(sources: list[Ids], targets: list[Ids], num_targets: int) -> tuple[Ids, Ids]:
    """Return each pair of words that stands somewhere, as source * num_targets + target, and n."""
    totals: tuple[Ids, Ids] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    waiting: list[Ids] = []
    size = 0
    for source, target in zip(sources, targets, strict=True):
        waiting.append((source[:, None] * num_targets + target[None, :]).ravel())
        size += waiting[-1].size
        if size > _MOST_AT_ONCE:
            totals, waiting, size = _added(totals, waiting), [], 0
    return _added(totals, waiting)


def _added(totals: tuple[Ids, Ids], waiting: list[Ids]) -> tuple[Ids, Ids]:
    if not waiting:
        return totals
    keys, counts = np.unique(np.concatenate(waiting), return_counts=True)
    union, places = np.unique(np.concatenate((totals[0], keys)), return_inverse=True)
    summed = np.zeros(len(union), np.int64)
    np.add.at(summed, places, np.concatenate((totals[1], counts)))
    return union, summed
