"""F1 without labels, against plain loops and against sentences drawn from the probabilities."""

import math

import numpy as np
import pytest
import torch

from prokd.data.labels import TagSet
from prokd.data.windows import likeliest_tags_of_long
from prokd.runs.estimates import unlike_source
from prokd.scoring.f1_estimate import (
    TEMPERATURES,
    TOO_HIGH,
    TOO_LOW,
    estimate_f1,
    expectation,
    fitted_temperature,
    tempered,
)
from prokd.scoring.metrics import entity_f1

TAGS = TagSet.of(["LOC", "PER"])


def draw(lengths, *, sharpness, seed):
    """Return probabilities of words, and classes drawn from them."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(sum(lengths), len(TAGS))) * sharpness
    logits[:, 2::2] = -40.0  # no I-: independent draws of words are then valid
    values = torch.softmax(torch.from_numpy(logits), dim=-1).float()
    gold = [random.choice(len(TAGS), p=row / row.sum()) for row in values.double().numpy()]
    return values, np.array(gold)


def by_loops(values, lengths):
    """Expect of each sentence what `expectation` does, an entity at a time."""
    rows, first = [], 0
    for length in lengths:
        part = values[first : first + length]
        tags = likeliest_tags_of_long(part, [length]).tolist()
        right = predicted = 0.0
        place = 0
        while place < length:
            if tags[place] % 2 == 0:
                place += 1
                continue
            kind, end = tags[place] + 1, place + 1
            chance = float(part[place, tags[place]])
            while end < length and tags[end] == kind:
                chance *= float(part[end, kind])
                end += 1
            if end < length:
                chance *= 1 - float(part[end, kind])
            right, predicted, place = right + chance, predicted + 1, end
        gold = float(part[:, 1::2].sum())
        rows.append((right, predicted, gold))
        first += length
    return np.array(rows)


def test_what_is_expected_is_what_plain_loops_expect():
    lengths = [5, 1, 9, 3]
    random = torch.Generator().manual_seed(0)
    values = torch.softmax(2 * torch.randn(sum(lengths), len(TAGS), generator=random), dim=-1)
    found = expectation(values, lengths, TAGS)
    right, predicted, gold = by_loops(values, lengths).T
    assert found.right == pytest.approx(right, abs=1e-6)
    assert found.predicted.tolist() == predicted.tolist()
    assert found.gold == pytest.approx(gold, abs=1e-6)
    assert found.errors == pytest.approx(predicted + gold - 2 * right, abs=1e-6)
    assert found.f1 == pytest.approx(2 * right.sum() / (predicted.sum() + gold.sum()), abs=1e-6)


def test_probabilities_that_are_true_promise_the_true_f1():
    lengths = [10] * 1000
    values, gold = draw(lengths, sharpness=3.0, seed=1)
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    true = entity_f1(gold, likeliest_tags_of_long(values, lengths).numpy(), sentence_of, TAGS)
    assert expectation(values, lengths, TAGS).f1 == pytest.approx(true, abs=0.02)
    assert fitted_temperature(values, gold) == pytest.approx(1.0, abs=0.1)
    found, errors = estimate_f1(values, lengths, gold, values, lengths, TAGS)
    assert found.low < true < found.high
    assert found.f1 == pytest.approx(true, abs=0.02)
    assert errors.shape == (1000,)


def test_too_sure_a_model_is_cooled_on_the_source():
    lengths = [10] * 400
    values, gold = draw(lengths, sharpness=3.0, seed=2)
    sure = tempered(values, 0.5)  # its probabilities squared
    found, _ = estimate_f1(sure, lengths, gold, sure, lengths, TAGS)
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    assert found.expected == pytest.approx(found.source_f1, abs=0.03)
    assert expectation(sure, lengths, TAGS).f1 > found.source_f1 + 0.05


def test_the_middle_of_two_readings_and_their_ends():
    source, gold = draw([8] * 200, sharpness=2.0, seed=3)
    target, _ = draw([8] * 100, sharpness=4.0, seed=4)
    found, _ = estimate_f1(source, [8] * 200, gold, target, [8] * 100, TAGS)
    assert found.f1 == pytest.approx((found.expected + found.shifted) / 2)
    readings = sorted([found.expected, found.shifted])
    assert found.low <= readings[0] <= found.f1 <= readings[1] <= found.high
    assert found.low <= found.f1 - TOO_HIGH
    assert found.high >= found.f1 + TOO_LOW
    shift = found.source_f1 - found.expected_source
    assert found.shifted == pytest.approx(found.expected + shift)


def test_nothing_found_is_no_number_that_is_not_one():
    values = torch.zeros(6, len(TAGS))
    values[:, 0] = 1.0
    found, errors = estimate_f1(values, [3, 3], np.zeros(6, int), values, [3, 3], TAGS)
    assert (found.f1, found.low, found.high) == (0.0, 0.0, TOO_LOW)
    assert errors == pytest.approx([0.0, 0.0], abs=1e-9)
    assert all(math.isfinite(temperature) for temperature in TEMPERATURES)


def test_text_of_another_kind_is_told():
    source, gold = draw([5] * 100, sharpness=2.0, seed=5)
    target, _ = draw([15] * 20, sharpness=2.0, seed=6)
    found, _ = estimate_f1(source, [5] * 100, gold, target, [15] * 20, TAGS)
    assert found.length_ratio == pytest.approx(3.0)
    assert found.share_ratio == pytest.approx(1.0, abs=0.3)
    warning = unlike_source(found.length_ratio, found.share_ratio)
    assert warning is not None
    assert "sentences 3.0 times as long" in warning
    assert unlike_source(1.0, 0.4) is not None
