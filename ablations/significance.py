"""Means and spreads over seeds, and whether two systems differ by more than chance among seeds.

Student's paired t-test and Wilcoxon's signed-rank test, over runs with the same seed, with Holm's
correction. What chance in the choice of sentences does is asked in `ablations.resampling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

MIN_SEEDS_T = 3
"""Fewest paired seeds for the t-test, which then sees nothing but large and steady differences."""
MIN_SEEDS_WILCOXON = 6
"""Fewest paired seeds for Wilcoxon's test: with five its p value cannot fall below 0.0625."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) of some numbers.

    Args:
        mean: nan of no numbers.
        std: nan of fewer than two.
        num: How many numbers.
    """

    mean: float
    std: float
    num: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation.

    >>> spread([1.0, 3.0])
    Spread(mean=2.0, std=1.4142135623730951, num=2)
    """
    mean = math.fsum(values) / len(values) if values else math.nan
    std = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Spread(mean, std, len(values))


def paired_t_test(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the two-sided p value of Student's paired t-test over seeds.

    Args:
        left: Scores of one system.
        right: Scores of the other, same seeds in the same order.

    Returns:
        p in [0, 1]; nan of fewer than `MIN_SEEDS_T` pairs; 1 if all pairs are equal.
    """
    differences = _paired(left, right)
    if len(differences) < MIN_SEEDS_T:
        return math.nan
    if not differences.any():
        return 1.0
    if np.ptp(differences) == 0:
        return 0.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def wilcoxon_test(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the two-sided p value of Wilcoxon's signed-rank test over seeds.

    Args and returns as `paired_t_test`, from `MIN_SEEDS_WILCOXON` pairs on.
    """
    differences = _paired(left, right)
    if len(differences) < MIN_SEEDS_WILCOXON:
        return math.nan
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values of one family of comparisons by Holm's step-down method.

    Args:
        p_values: Of each comparison; nan where none was made, which does not count.

    Returns:
        Adjusted p values in the same order, at most 1, nan where nan came in.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [math.nan] * len(p_values)
    order = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        adjusted[index] = largest
    return adjusted


def _paired(left: Sequence[float], right: Sequence[float]) -> npt.NDArray[np.float64]:
    if len(left) != len(right):
        raise ValueError(
            f"both systems must have the same seeds, but got {len(left)} and {len(right)} scores."
        )
    return np.asarray(left, dtype=np.float64) - np.asarray(right, dtype=np.float64)
