"""The interval of corpus F1 over draws of sentences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prokd.scoring.bootstrap import corpus_f1, f1_interval


def _counts(seeds: int, sentences: int) -> np.ndarray:
    random = np.random.default_rng(0)
    gold = np.broadcast_to(random.integers(0, 3, size=sentences), (seeds, sentences))
    right = random.binomial(gold, 0.7)
    return np.stack([right, right + random.binomial(1, 0.3, size=gold.shape), gold], axis=-1)


@pytest.mark.parametrize("seeds", [1, 3])
def test_it_agrees_with_scipy(seeds: int) -> None:
    counts = _counts(seeds, 200)
    reference = stats.bootstrap(
        (np.arange(200),),
        lambda rows: corpus_f1(counts[:, rows.astype(int)]).mean(),
        n_resamples=2000,
        vectorized=False,
        method="percentile",
        random_state=np.random.default_rng(1),
    ).confidence_interval
    low, high = f1_interval(counts)
    assert low == pytest.approx(reference.low, abs=0.006)
    assert high == pytest.approx(reference.high, abs=0.006)
    assert low < corpus_f1(counts).mean() < high


def test_it_is_the_same_each_time_and_wider_at_a_higher_level() -> None:
    counts = _counts(1, 50)
    assert f1_interval(counts) == f1_interval(counts)
    narrow, wide = (f1_interval(counts, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_nothing_found_and_nothing_there_is_zero() -> None:
    assert f1_interval(np.zeros((1, 4, 3), dtype=np.int64)) == (0.0, 0.0)
