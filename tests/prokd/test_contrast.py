"""Contrast of translations and of labels, against plain loops."""

import math

import numpy as np
import pytest
import torch

from prokd.terms.contrast import label_contrast, translation_contrast


def unit(row):
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]


def product(first, second):
    return sum(a * b for a, b in zip(unit(first), unit(second), strict=True))


def reference_of_sentences(first, second, temperature, form, texts):
    rows, count = [*first, *second], len(first)
    total = 0.0
    for anchor in range(2 * count):
        partner = (anchor + count) % (2 * count)
        denominator = 0.0
        for other in range(2 * count):
            crosses = (other < count) != (anchor < count)
            equal = texts[other % count] == texts[anchor % count]
            if other == partner or (not equal and (form == "all" or crosses)):
                denominator += math.exp(product(rows[anchor], rows[other]) / temperature)
        total -= product(rows[anchor], rows[partner]) / temperature - math.log(denominator)
    return total / (2 * count)


def reference_of_labels(features, labels, temperature):
    losses = []
    for i in range(len(labels)):
        positives = [r for r in range(len(labels)) if r != i and labels[r] == labels[i]]
        if not positives:
            continue
        denominator = sum(
            math.exp(product(features[i], features[a]) / temperature)
            for a in range(len(labels))
            if a != i
        )
        logs = [
            product(features[i], features[r]) / temperature - math.log(denominator)
            for r in positives
        ]
        losses.append(-sum(logs) / len(positives))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("form", ["across", "all"])
@pytest.mark.parametrize("texts", [None, [0, 1, 0, 2, 3, 1]])
def test_sentences(form, texts):
    first, second = np.random.default_rng(0).normal(size=(2, 6, 5))
    found = translation_contrast(
        torch.tensor(first),
        torch.tensor(second),
        temperature=0.3,
        form=form,
        texts_B=None if texts is None else torch.tensor(texts),
    )
    expected = reference_of_sentences(first, second, 0.3, form, texts or list(range(6)))
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_sentences_across_are_two_cross_entropies():
    first, second = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    scores = torch.nn.functional.normalize(first, dim=-1)
    scores = scores @ torch.nn.functional.normalize(second, dim=-1).T / 0.2
    entropy, place = torch.nn.functional.cross_entropy, torch.arange(7)
    expected = (entropy(scores, place) + entropy(scores.T, place)) / 2
    found = translation_contrast(first, second, temperature=0.2)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_two_pairs_by_hand():
    both = torch.eye(2)
    for temperature in (0.1, 1.0):
        found = translation_contrast(both, 3 * both, temperature=temperature)
        power = math.exp(1 / temperature)
        assert float(found) == pytest.approx(-math.log(power / (power + 1)), abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_labels(count):
    random = np.random.default_rng(count)
    features, labels = random.normal(size=(count, 5)), random.integers(0, 3, count)
    found = label_contrast(torch.tensor(features), torch.tensor(labels), temperature=0.2)
    expected = reference_of_labels(features, labels, 0.2)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_labels_do_not_depend_on_order_and_length():
    features = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2] * 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    expected = float(label_contrast(features, labels, temperature=0.5))
    found = label_contrast(features[order] * 7, labels[order], temperature=0.5)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_equal_rows_of_one_class():
    found = label_contrast(torch.ones(5, 3), torch.zeros(5, dtype=torch.int64), temperature=0.1)
    assert float(found) == pytest.approx(math.log(4), abs=1e-6)


def test_alone_there_is_nothing_to_compare_and_gradients_stay_finite():
    features = torch.randn(3, 4, requires_grad=True)
    loss = label_contrast(features, torch.tensor([0, 1, 2]), temperature=0.1)
    loss = loss + translation_contrast(features[:1], features[1:2], temperature=0.1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.isfinite(features.grad).all()
