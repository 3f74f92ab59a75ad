"""How reliable labels are by their neighbours, against plain loops."""

import math

import numpy as np
import pytest
import torch

from prokd.terms import neighbours
from prokd.terms.neighbours import agreeing_neighbours, reliability


def cosine(first, second):
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = [math.sqrt(sum(a * a for a in row)) for row in (first, second)]
    return dot / (lengths[0] * lengths[1])


@pytest.mark.parametrize("num_neighbours", [1, 4, 100])
def test_counts_and_weights(num_neighbours, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7 * 30)
    random = np.random.default_rng(0)
    features, types = random.normal(size=(30, 4)), random.integers(0, 3, 30)
    found = agreeing_neighbours(
        torch.tensor(features), torch.tensor(types), num_neighbours=num_neighbours
    )
    counts = []
    for token in range(30):
        others = [other for other in range(30) if other != token]
        others.sort(key=lambda other: -cosine(features[token], features[other]))
        nearest = others[:num_neighbours]
        counts.append(sum(types[other] == types[token] for other in nearest))
    assert found.tolist() == counts
    weights = reliability(found, torch.tensor(types), sharpness=6.0)
    for kind in range(3):
        own = [token for token in range(30) if types[token] == kind]
        largest = max(counts[token] for token in own) or 1
        shares = {token: counts[token] / largest for token in own}
        mean = sum(shares.values()) / len(own)
        values = {token: 1 / (1 + math.exp(-6 * (shares[token] - mean))) for token in own}
        for token in own:
            expected = values[token] / max(values.values())
            assert float(weights[token]) == pytest.approx(expected, abs=1e-6)


def test_all_agree_or_all_count_alike():
    features, types = torch.randn(9, 3), torch.zeros(9, dtype=torch.int64)
    counts = agreeing_neighbours(features, types, num_neighbours=5)
    assert counts.tolist() == [5] * 9
    assert reliability(counts, types, sharpness=6.0).tolist() == [1.0] * 9
    mixed = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    counts = agreeing_neighbours(features, mixed, num_neighbours=5)
    assert reliability(counts, mixed, sharpness=0.0).tolist() == [1.0] * 9


def test_one_token_has_no_neighbour():
    counts = agreeing_neighbours(
        torch.ones(1, 3), torch.zeros(1, dtype=torch.int64), num_neighbours=3
    )
    assert counts.tolist() == [0]
    weights = reliability(counts, torch.zeros(1, dtype=torch.int64), sharpness=6.0)
    assert weights.tolist() == [1.0]


def test_no_weight_is_zero_even_when_it_is_kept_in_half_precision():
    weights = reliability(torch.tensor([0, 9]), torch.tensor([1, 1]), sharpness=200.0)
    assert (weights.half() > 0).all()
    assert weights[0] < 1e-7
