"""Whether a difference between two systems is more than chance in the choice of sentences.

A bootstrap interval and a permutation test over the sentences of the test corpus, paired by
sentence, on the very number that a table prints, the mean over seeds of corpus F1. What chance
among seeds does is asked in `ablations.significance`.

S seeds, N sentences of target test, R replicates. Counts are int64, (S, N, 3): true positives,
predicted and gold entities of each seed and sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_CELLS = 4_000_000  # of one block of replicates: 32 MB
_TOLERANCE = 1e-12


def corpus_f1(counts: Counts) -> Float:
    """Return micro F1 of each seed over all sentences, (S,), in [0, 1]; 0 where nothing is."""
    return _f1(counts.sum(axis=1, dtype=np.float64))


def difference(left: Counts, right: Counts) -> float:
    """Return the mean over seeds of corpus F1, left less right, in [-1, 1]."""
    return float(corpus_f1(left).mean() - corpus_f1(right).mean())


def bootstrap_differences(
    left: Counts, right: Counts, *, number: int, generator: np.random.Generator
) -> Float:
    """Return the difference on corpora of N sentences drawn with replacement, (R,).

    A drawn sentence comes with all of its seeds and both systems: that is the pairing. Sentences
    with equal counts are drawn as one group, which is the same draw and much faster.

    Args:
        left: Counts of one system.
        right: Counts of the other.
        number: R.
        generator: Draws.
    """
    left_rows, right_rows, times = _groups(left, right)
    total = int(times.sum())
    results = []
    for size in _blocks(number, len(times)):
        weights = generator.multinomial(total, times / total, size=size).astype(np.float64)
        results.append(_mean_f1(weights @ left_rows) - _mean_f1(weights @ right_rows))
    return np.concatenate(results)


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
    for size in _blocks(number, len(times)):
        swapped = generator.binomial(times, 0.5, size=(size, len(times))).astype(np.float64)
        moved = swapped @ changes
        results.append(_mean_f1(left_total + moved) - _mean_f1(right_total - moved))
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
    left: Counts, right: Counts, *, number: int = 5000, seed: int | Sequence[int] = 0
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


def sentence_test(resampled: Replicates, *, level: float = 0.95) -> SentenceTest:
    """Read interval and p value off replicates.

    Args:
        resampled: Of one corpus or of an average.
        level: Of the interval.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(resampled.drawn, [tail, 1 - tail])
    extreme = int((np.abs(resampled.swapped) >= abs(resampled.observed) - _TOLERANCE).sum())
    # The unswapped corpus is one of the permutations: p is never 0 (Phipson & Smyth 2010).
    p = (extreme + 1) / (len(resampled.swapped) + 1)
    return SentenceTest(resampled.observed, float(low), float(high), p)


def _groups(left: Counts, right: Counts) -> tuple[Float, Float, Counts]:
    """Return the distinct sentences, (G, 3 S) for each system, and how often each occurs, (G,)."""
    both = np.concatenate([left, right]).transpose(1, 0, 2).reshape(left.shape[1], -1)
    rows, times = np.unique(both, axis=0, return_counts=True)
    left_rows, right_rows = np.split(rows.astype(np.float64), 2, axis=1)
    return left_rows, right_rows, times.astype(np.int64)


def _mean_f1(totals: Float) -> Float:
    return np.asarray(_f1(totals.reshape(len(totals), -1, 3)).mean(axis=1))


def _f1(totals: Float) -> Float:
    """Return 2 tp / (predicted + gold) over the last axis, 0 where there is nothing."""
    entities = totals[..., 1] + totals[..., 2]
    safe = np.where(entities == 0, 1.0, entities)
    return np.asarray(2.0 * totals[..., 0] / safe)


def _blocks(number: int, num_groups: int) -> Iterator[int]:
    size = max(1, _CELLS // num_groups)
    for start in range(0, number, size):
        yield min(size, number - start)
