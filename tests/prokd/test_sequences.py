"""Valid tag sequences against the enumeration of all sequences of a sentence."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from prokd.terms.sequences import (
    Places,
    allowed_transitions,
    likeliest_tags,
    valid_tag_probabilities,
)

LENGTHS = (4, 1, 3)


def is_valid(tags: tuple[int, ...]) -> bool:
    """Say in plain words whether a sequence keeps to IOB2."""
    before = 0
    for tag in tags:
        if tag > 0 and tag % 2 == 0 and before not in (tag, tag - 1):
            return False
        before = tag
    return True


def random_rows(num_tokens: int, num_classes: int, seed: int) -> torch.Tensor:
    """Return peaked rows that sum to 1."""
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.dirichlet(np.full(num_classes, 0.5), size=num_tokens))


@pytest.mark.parametrize("num_classes", [3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_both_equal_the_enumeration_of_all_valid_sequences(num_classes: int, seed: int) -> None:
    rows = random_rows(sum(LENGTHS), num_classes, seed)
    tags = likeliest_tags(rows, Places.of_lengths(LENGTHS))
    marginals = valid_tag_probabilities(rows, Places.of_lengths(LENGTHS))
    start = 0
    for length in LENGTHS:
        part = rows[start : start + length].numpy()
        best, best_value = (), -1.0
        mass = np.zeros((length, num_classes))
        for sequence in product(range(num_classes), repeat=length):
            if not is_valid(sequence):
                continue
            value = float(np.prod([part[i, tag] for i, tag in enumerate(sequence)]))
            if value > best_value:
                best, best_value = sequence, value
            for i, tag in enumerate(sequence):
                mass[i, tag] += value
        assert tuple(tags[start : start + length].tolist()) == best
        expected = mass / mass.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(marginals[start : start + length], expected, atol=1e-6)
        start += length


def test_a_valid_argmax_stays_as_it_is() -> None:
    rows = torch.eye(5, dtype=torch.float64)[[1, 2, 0, 3, 4]] * 0.9 + 0.02
    assert likeliest_tags(rows, Places.of_lengths([5])).tolist() == [1, 2, 0, 3, 4]


def test_an_inside_tag_without_a_beginning_is_never_chosen() -> None:
    rows = torch.tensor([[0.1, 0.0, 0.9]])
    assert likeliest_tags(rows, Places.of_lengths([1])).tolist() == [0]
    torch.testing.assert_close(
        valid_tag_probabilities(rows, Places.of_lengths([1])), torch.tensor([[1.0, 0.0, 0.0]])
    )


def test_an_empty_sentence_between_others_changes_nothing() -> None:
    rows = random_rows(5, 5, seed=9)
    with_gap = Places(torch.tensor([0, 0, 2, 2, 2]), torch.tensor([0, 1, 0, 1, 2]), 3, 3)
    without = Places.of_lengths([2, 3])
    assert torch.equal(likeliest_tags(rows, with_gap), likeliest_tags(rows, without))
    torch.testing.assert_close(
        valid_tag_probabilities(rows, with_gap), valid_tag_probabilities(rows, without)
    )


def test_every_type_has_its_own_inside_tag() -> None:
    allowed = allowed_transitions(5)
    assert allowed[1].tolist() == [True, True, True, True, False]
    assert allowed[4].tolist() == [True, True, False, True, True]
