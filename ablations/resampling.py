"""Whether a difference between two systems is more than chance in the choice of sentences.

A bootstrap interval and a permutation test over the sentences of the test corpus, paired by
sentence, on the very number that a table prints, the mean over seeds of corpus F1. What chance
among seeds does is asked in `ablations.significance`.

Shapes are those of `prokd.scoring.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prokd.scoring.bootstrap import (
    LEVEL,
    REPLICATES,
    Counts,
    Float,
    blocks,
    corpus_f1,
    draws,
    grouped,
    mean_f1,
    percentiles,
)

_TOLERANCE = 1e-12


def difference(left: Counts, right: Counts) -> float:
    """Return the mean over seeds of corpus F1, left less right, in [-1, 1]."""
    return float(corpus_f1(left).mean() - corpus_f1(right).mean())


def bootstrap_differences(
    left: Counts, right: Counts, *, number: int, generator: np.random.Generator
) -> Float:
    """Return the difference on corpora of N sentences drawn with replacement, (R,).

    A drawn sentence comes with all of its seeds and both systems: that is the pairing.

    Args:
        left: Counts of one system.
        right: Counts of the other.
        number: R.
        generator: Draws.
    """
    left_rows, right_rows, times = _groups(left, right)
    return np.concatenate(
        [
            mean_f1(weights @ left_rows) - mean_f1(weights @ right_rows)
            for weights in draws(times, number, generator)
        ]
    )


def swapped_differences(
    left: Counts, right: Counts, *, number: int, generator: np.random.Generator
) -> Float:
    """Return the difference with the two systems swapped on random sentences, (R,).

    A sentence is swapped in all of its seeds at once: what seeds say about one sentence is not
    independent. Of sentences with equal counts only the number that is swapped is drawn.

    Args:
        left: Counts of one system.
        right: Counts of the other.
        number: R.
        generator: Draws.
    """
    left_rows, right_rows, times = _groups(left, right)
    left_total, right_total = times @ left_rows, times @ right_rows
    changes = right_rows - left_rows
    results = []
    for size in blocks(number, len(times)):
        swapped = generator.binomial(times, 0.5, size=(size, len(times))).astype(np.float64)
        moved = swapped @ changes
        results.append(mean_f1(left_total + moved) - mean_f1(right_total - moved))
    return np.concatenate(results)


@dataclass(frozen=True)
class Replicates:
    """A difference of corpus F1 and what chance in the choice of sentences makes of it.

    Args:
        observed: Left less right, mean over seeds, in [-1, 1].
        drawn: (R,), the same on corpora drawn with replacement.
        swapped: (R,), the same with the systems swapped on random sentences.
    """

    observed: float
    drawn: Float
    swapped: Float


def replicates(
    left: Counts, right: Counts, *, number: int = REPLICATES, seed: int | Sequence[int] = 0
) -> Replicates:
    """Resample the difference between two systems on one test corpus.

    Args:
        left: Counts of one system.
        right: Counts of the other, same seeds and sentences.
        number: Of replicates, each way.
        seed: Of the random numbers.

    Raises:
        ValueError: The two arrays are not of one shape, or empty.
    """
    shape = left.shape
    if shape != right.shape or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(
            "both systems must have counts of one shape (S, N, 3), "
            f"but got {shape} and {right.shape}."
        )
    generator = np.random.default_rng(seed)
    pair = (left, right)
    return Replicates(
        difference(*pair),
        bootstrap_differences(*pair, number=number, generator=generator),
        swapped_differences(*pair, number=number, generator=generator),
    )


def average(parts: Sequence[Replicates]) -> Replicates:
    """Return the replicates of the mean difference over test corpora (languages).

    Each corpus must have been resampled with a seed of its own.
    """
    return Replicates(
        float(np.mean([part.observed for part in parts])),
        np.mean([part.drawn for part in parts], axis=0),
        np.mean([part.swapped for part in parts], axis=0),
    )


@dataclass(frozen=True)
class SentenceTest:
    """How a difference of entity-level corpus F1 stands against chance in the choice of sentences.

    Args:
        difference: Left less right, in [-1, 1].
        low: Lower end of the bootstrap percentile interval.
        high: Upper end.
        p: Two-sided p value of the permutation test.
    """

    difference: float
    low: float
    high: float
    p: float


def sentence_test(resampled: Replicates, *, level: float = LEVEL) -> SentenceTest:
    """Read interval and p value off replicates.

    Args:
        resampled: Of one corpus or of an average.
        level: Of the interval.
    """
    low, high = percentiles(resampled.drawn, level)
    extreme = int((np.abs(resampled.swapped) >= abs(resampled.observed) - _TOLERANCE).sum())
    # The unswapped corpus is one of the permutations: p is never 0 (Phipson & Smyth 2010).
    p = (extreme + 1) / (len(resampled.swapped) + 1)
    return SentenceTest(resampled.observed, low, high, p)


def _groups(left: Counts, right: Counts) -> tuple[Float, Float, Counts]:
    """Return the distinct sentences, (G, 3 S) for each system, and how often each occurs, (G,)."""
    rows, times = grouped(np.concatenate([left, right]))
    left_rows, right_rows = np.split(rows, 2, axis=1)
    return left_rows, right_rows, times
