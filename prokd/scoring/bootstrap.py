"""What chance in the choice of test sentences does to corpus F1: a bootstrap over sentences.

S seeds, N sentences of a test corpus, G groups of sentences with equal counts, R replicates.
Counts are int64, (S, N, 3): true positives, predicted and gold entities of each seed and sentence
(`metrics.sentence_counts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LEVEL = 0.95
"""Of intervals."""
REPLICATES = 5000
"""Corpora that are drawn."""
_CELLS = 4_000_000  # of one block of replicates: 32 MB


class Interval(NamedTuple):
    """A percentile interval.

    Args:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float


def corpus_f1(counts: Counts) -> Float:
    """Return micro F1 of each seed over all sentences, (S,), in [0, 1]; 0 where nothing is."""
    return _f1(counts.sum(axis=1, dtype=np.float64))


def mean_f1(totals: Float) -> Float:
    """Return the mean over seeds of F1, (R,), of sums of counts, (R, 3 S)."""
    return np.asarray(_f1(totals.reshape(len(totals), -1, 3)).mean(axis=1))


def f1_interval(
    counts: Counts, *, number: int = REPLICATES, level: float = LEVEL, seed: int = 0
) -> Interval:
    """Return the interval of the mean over seeds of corpus F1.

    Args:
        counts: Of one system on one corpus, with a sentence at least.
        number: R.
        level: Of the interval, in (0, 1).
        seed: Of the random numbers.

    Example:
        >>> f1_interval(np.array([[[1, 1, 1], [1, 1, 1]]]))
        Interval(low=1.0, high=1.0)
    """
    rows, times = grouped(counts)
    generator = np.random.default_rng(seed)
    drawn = [mean_f1(weights @ rows) for weights in draws(times, number, generator)]
    return percentiles(np.concatenate(drawn), level)


def percentiles(drawn: Float, level: float = LEVEL) -> Interval:
    """Return the interval that holds a share of replicates, as many beyond either end."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))


def draws(times: Counts, number: int, generator: np.random.Generator) -> Iterator[Float]:
    """Yield blocks of corpora drawn with replacement: how often each group occurs, (block, G).

    Sentences with equal counts are drawn as one group, which is the same draw and much faster.

    Args:
        times: Sentences of each group, (G,).
        number: R.
        generator: Draws.
    """
    total = int(times.sum())
    for size in blocks(number, len(times)):
        yield generator.multinomial(total, times / total, size=size).astype(np.float64)


def grouped(counts: Counts) -> tuple[Float, Counts]:
    """Return the distinct sentences, (G, 3 S), and how often each occurs, (G,)."""
    flat = counts.transpose(1, 0, 2).reshape(counts.shape[1], -1)
    rows, times = np.unique(flat, axis=0, return_counts=True)
    return rows.astype(np.float64), times.astype(np.int64)


def blocks(number: int, num_groups: int) -> Iterator[int]:
    """Yield how many replicates are made at once: bounds memory."""
    size = max(1, _CELLS // num_groups)
    for start in range(0, number, size):
        yield min(size, number - start)


def _f1(totals: Float) -> Float:
    """Return 2 tp / (predicted + gold) over the last axis, 0 where there is nothing."""
    entities = totals[..., 1] + totals[..., 2]
    safe = np.where(entities == 0, 1.0, entities)
    return np.asarray(2.0 * totals[..., 0] / safe)
