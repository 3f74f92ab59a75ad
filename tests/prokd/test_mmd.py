"""MMD^2 against loops, and what it must be whatever the vectors are."""

import numpy as np
import pytest
import torch

from prokd.terms.mmd import mmd_squared
from tests.prokd import references


def vectors(seed, rows, width=5, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (rows, width))


@pytest.mark.parametrize("num_kernels", [1, 5])
@pytest.mark.parametrize(("rows", "others"), [(4, 4), (7, 3), (1, 6), (1, 1)])
def test_it_is_the_reference(rows, others, num_kernels):
    first, second = vectors(0, rows), vectors(1, others, shift=0.5)
    expected = references.mmd_squared(first, second, num_kernels)
    found = mmd_squared(torch.tensor(first), torch.tensor(second), num_kernels=num_kernels)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_kernels_are_those_of_another_library():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    first, second = vectors(2, 6), vectors(3, 4)
    both = np.concatenate([first, second])
    width = pairwise.euclidean_distances(both, squared=True).sum() / (10 * 9) / 4

    def kernel(a, b):
        return sum(pairwise.rbf_kernel(a, b, gamma=1 / (2**u * width)).mean() for u in range(5))

    expected = kernel(first, first) + kernel(second, second) - 2 * kernel(first, second)
    found = mmd_squared(torch.tensor(first), torch.tensor(second))
    assert float(found) == pytest.approx(expected, abs=1e-9)


def test_equal_sets_are_at_zero_and_a_shift_grows_it():
    first = torch.tensor(vectors(4, 8))
    assert float(mmd_squared(first, first)) == pytest.approx(0, abs=1e-12)
    shifted = [float(mmd_squared(first, first + shift)) for shift in (0.1, 0.5, 1.0, 3.0)]
    assert shifted == sorted(shifted)
    assert shifted[0] > 0


def test_it_is_symmetric_and_blind_to_order():
    first, second = torch.tensor(vectors(5, 6)), torch.tensor(vectors(6, 4))
    found = mmd_squared(first, second)
    assert torch.allclose(found, mmd_squared(second, first))
    assert torch.allclose(found, mmd_squared(first[[3, 1, 5, 0, 2, 4]], second.flip(0)))


def test_nothing_and_all_equal_give_zero_with_a_gradient():
    rows = torch.ones(3, 2, requires_grad=True)
    for other in (torch.ones(2, 2), torch.zeros(0, 2)):
        found = mmd_squared(rows, other)
        assert found.item() == 0
        (gradient,) = torch.autograd.grad(found, rows)
        assert torch.isfinite(gradient).all()
