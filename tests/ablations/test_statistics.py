import itertools
import math
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ablations.resampling import (
    average,
    bootstrap_differences,
    difference,
    replicates,
    sentence_test,
    swapped_differences,
)
from ablations.significance import holm, paired_t_test, spread, wilcoxon_test
from prokd.scoring.bootstrap import corpus_f1


def _f1_by_hand(counts):
    """Mean over seeds of micro F1, in plain loops."""
    values = []
    for sentences in counts:
        right = predicted = gold = 0
        for sentence in sentences:
            right += int(sentence[0])
            predicted += int(sentence[1])
            gold += int(sentence[2])
        values.append(2 * right / (predicted + gold) if predicted + gold else 0.0)
    return sum(values) / len(values)


def _tested(left, right, number, seed=0):
    return sentence_test(replicates(left, right, number=number, seed=seed))


def _random_counts(generator, seeds, sentences, skill):
    gold = generator.integers(0, 3, size=sentences)
    right = generator.binomial(gold[None], skill, size=(seeds, sentences))
    wrong = generator.binomial(1, 1 - skill, size=(seeds, sentences))
    gold = np.broadcast_to(gold, right.shape)
    return np.stack([right, right + wrong, gold], axis=-1)


def test_spread_by_hand():
    result = spread([0.50, 0.53, 0.47])
    assert result.mean == pytest.approx(0.50)
    assert result.std == pytest.approx(0.03)
    assert result.num == 3


def test_spread_of_one_seed_and_of_none():
    one, none = spread([0.5]), spread([])
    assert one.mean == 0.5
    assert math.isnan(one.std)
    assert math.isnan(none.mean)
    assert math.isnan(none.std)


def test_corpus_f1_by_hand():
    counts = np.array([[[1, 2, 1], [0, 0, 1]], [[1, 1, 1], [1, 1, 1]], [[0, 0, 0], [0, 0, 0]]])
    assert_allclose(corpus_f1(counts), [0.5, 1.0, 0.0])
    assert difference(counts[1:2], counts[:1]) == pytest.approx(0.5)


def test_t_test_by_hand():
    # differences 1..5: mean 3, std sqrt(2.5), t = 3 / sqrt(2.5 / 5) = 4.2426 with 4 degrees
    expected = 2 * stats.t.sf(3 / math.sqrt(0.5), 4)
    assert paired_t_test([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]) == pytest.approx(expected)


def test_wilcoxon_by_hand():
    # all six signs agree: 2 of the 2**6 sign patterns are as extreme
    left = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    assert wilcoxon_test(left, [1.0] * 6) == pytest.approx(2 / 64)


@pytest.mark.parametrize(("test", "fewest"), [(paired_t_test, 3), (wilcoxon_test, 6)])
def test_seed_tests_at_the_edges(test, fewest):
    assert math.isnan(test(range(fewest - 1), [9] * (fewest - 1)))
    assert not math.isnan(test(range(fewest), [9] * fewest))
    assert test([1.0] * 6, [1.0] * 6) == 1.0
    with pytest.raises(ValueError, match="same seeds"):
        test([1.0] * 6, [1.0] * 5)
    assert paired_t_test([2.0] * 5, [1.0] * 5) == 0.0


def test_permutation_test_against_all_permutations():
    generator = np.random.default_rng(0)
    left = _random_counts(generator, 2, 8, 0.7)
    right = left.copy()
    right[..., 0] = np.minimum(right[..., 0], generator.integers(0, 2, size=right.shape[:2]))
    observed = _f1_by_hand(left) - _f1_by_hand(right)
    extreme = 0
    for pattern in itertools.product([False, True], repeat=8):
        swap = np.array(pattern)[None, :, None]
        value = _f1_by_hand(np.where(swap, right, left)) - _f1_by_hand(np.where(swap, left, right))
        extreme += abs(value) >= abs(observed) - 1e-12
    exact = extreme / 2**8
    result = _tested(left, right, 20000)
    assert result.difference == pytest.approx(observed)
    assert result.p == pytest.approx(exact, abs=0.012)


def test_replicates_equal_a_loop_over_the_same_draws():
    generator = np.random.default_rng(1)
    left, right = (_random_counts(generator, 3, 11, skill) for skill in (0.8, 0.5))
    left, right = (np.concatenate([c, c[:, :4]], axis=1) for c in (left, right))
    together = np.concatenate([left, right]).transpose(1, 0, 2).reshape(15, -1)
    _, first, times = np.unique(together, axis=0, return_index=True, return_counts=True)
    assert len(first) < 15

    fast = bootstrap_differences(left, right, number=7, generator=np.random.default_rng(5))
    slow = []
    for draw in np.random.default_rng(5).multinomial(15, times / 15, size=7):
        rows = [index for index, number in zip(first, draw, strict=True) for _ in range(number)]
        assert len(rows) == 15
        slow.append(_f1_by_hand(left[:, rows]) - _f1_by_hand(right[:, rows]))
    assert_allclose(fast, slow)

    fast = swapped_differences(left, right, number=7, generator=np.random.default_rng(5))
    slow = []
    for draw in np.random.default_rng(5).binomial(times, 0.5, size=(7, len(times))):
        ours, theirs = [], []
        for index, number, swapped in zip(first, times, draw, strict=True):
            for copy in range(number):
                pair = (left[:, index], right[:, index])
                one, other = reversed(pair) if copy < swapped else pair
                ours.append(one)
                theirs.append(other)
        slow.append(_f1_by_hand(np.stack(ours, 1)) - _f1_by_hand(np.stack(theirs, 1)))
    assert_allclose(fast, slow)


def test_interval_agrees_with_scipy():
    generator = np.random.default_rng(2)
    left, right = (_random_counts(generator, 1, 300, skill) for skill in (0.75, 0.7))

    def statistic(rows):
        rows = rows.astype(int)
        return difference(left[:, rows], right[:, rows])

    reference = stats.bootstrap(
        (np.arange(300),),
        statistic,
        n_resamples=4000,
        vectorized=False,
        method="percentile",
        random_state=np.random.default_rng(3),
    ).confidence_interval
    ours = _tested(left, right, 4000)
    assert ours.low == pytest.approx(reference.low, abs=0.006)
    assert ours.high == pytest.approx(reference.high, abs=0.006)


def test_equal_systems_are_not_different():
    left = _random_counts(np.random.default_rng(4), 2, 50, 0.6)
    result = _tested(left, left, 200)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_p_values_are_uniform_where_there_is_no_difference():
    generator = np.random.default_rng(6)
    p_values = []
    for _ in range(150):
        left, right = (_random_counts(generator, 1, 60, 0.6) for _ in range(2))
        right[..., 2] = left[..., 2]
        right[..., 0] = np.minimum(right[..., 0], right[..., 2])
        swap = generator.integers(0, 2, size=(1, 60, 1)) == 1
        pair = (np.where(swap, right, left), np.where(swap, left, right))
        p_values.append(_tested(*pair, 300).p)
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.12


def test_average_over_languages():
    generator = np.random.default_rng(7)
    pairs = [
        tuple(_random_counts(generator, 2, size, skill) for skill in (0.9, 0.4))
        for size in (40, 90)
    ]
    parts = [replicates(*pair, number=500, seed=(0, i)) for i, pair in enumerate(pairs)]
    result = sentence_test(average(parts))
    expected = np.mean([_f1_by_hand(left) - _f1_by_hand(right) for left, right in pairs])
    assert result.difference == pytest.approx(expected)
    assert result.low < result.difference < result.high
    assert result.p == pytest.approx(1 / 501)


def test_the_same_seed_gives_the_same_numbers():
    left, right = (_random_counts(np.random.default_rng(8), 2, 30, skill) for skill in (0.8, 0.7))
    first = _tested(left, right, 100, seed=3)
    assert first == _tested(left, right, 100, seed=3)
    assert first != _tested(left, right, 100, seed=4)


def test_counts_that_do_not_fit():
    with pytest.raises(ValueError, match=r"one shape \(S, N, 3\)"):
        replicates(np.zeros((1, 4, 3), int), np.zeros((1, 5, 3), int))
    with pytest.raises(ValueError, match=r"one shape \(S, N, 3\)"):
        replicates(np.zeros((0, 4, 3), int), np.zeros((0, 4, 3), int))


def test_a_large_corpus_takes_seconds():
    generator = np.random.default_rng(9)
    left, right = (_random_counts(generator, 5, 10000, skill) for skill in (0.7, 0.69))
    started = time.monotonic()
    _tested(left, right, 1000)
    assert time.monotonic() - started < 20


def test_holm_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04 -> 0.06
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([0.9, math.nan, 0.8]), [1.0, math.nan, 1.0])
    assert holm([]) == []
