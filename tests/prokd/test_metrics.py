"""Scores: seqeval's, and the NumPy ones that equal them."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics.sequence_labeling import get_entities

from prokd import metrics
from prokd.labels import TagSet

TAGS = TagSet.of(["PER", "LOC", "ORG"])


def random_labels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 9, size=random.integers(1, 12))
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    share = random.choice([0.1, 0.5, 0.9])
    labels = random.integers(0, len(TAGS), size=len(sentence_of))
    return np.where(random.random(len(labels)) < share, 0, labels), sentence_of


def by_sentence(labels: np.ndarray, sentence_of: np.ndarray) -> list[list[str]]:
    last = sentence_of[-1] + 1 if len(sentence_of) else 0
    return [[TAGS.names[i] for i in labels[sentence_of == number]] for number in range(last)]


@pytest.mark.parametrize("seed", range(200))
def test_spans_and_f1_equal_seqeval(seed: int) -> None:
    gold, sentence_of = random_labels(seed)
    random = np.random.default_rng(seed + 1000)
    noisy = random.integers(0, len(TAGS), size=len(gold))
    predicted = np.where(random.random(len(gold)) < 0.7, gold, noisy)
    tags = by_sentence(gold, sentence_of)
    expected = set()
    offset = 0
    for sentence in tags:
        for kind, first, last in get_entities(sentence):
            expected.add((offset + first, offset + last + 1, TAGS.entity_types.index(kind)))
        offset += len(sentence)
    spans = metrics.lenient_spans(gold, sentence_of, TAGS)
    assert {tuple(row) for row in spans.tolist()} == expected
    ours = metrics.entity_f1(gold, predicted, sentence_of, TAGS)
    if len(gold) and ((gold > 0).any() or (predicted > 0).any()):
        theirs = seqeval_f1(tags, by_sentence(predicted, sentence_of), zero_division=0)
        assert ours == pytest.approx(theirs, abs=1e-12)
    else:
        assert ours == 0
    report = metrics.report(tags, by_sentence(predicted, sentence_of), TAGS)
    assert report["entity_f1"] == pytest.approx(ours, abs=1e-12)
    counts = metrics.sentence_counts(gold, predicted, sentence_of, TAGS)
    assert metrics.f1_score(*counts.sum(axis=0)) == pytest.approx(ours, abs=1e-12)


def test_report_by_hand() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "I-ORG"]]
    report = metrics.report(gold, predicted, TAGS)
    assert report["entity_f1"] == pytest.approx(2 / 3)
    assert report["entity_f1/PER"] == 1
    assert report["entity_f1/LOC"] == 0
    assert report["entity_f1/ORG"] == pytest.approx(2 / 3)
    assert report["entity_f1_strict/ORG"] == 0
    assert report["entity_f1_strict"] == pytest.approx(2 * 1 / (2 + 3))
    assert report["token_f1"] == pytest.approx(2 * 2 / (4 + 4))
    assert set(report) >= {
        f"{level}_{name}" for level in ("entity", "token") for name in ("precision", "recall")
    }


def test_nothing_at_all() -> None:
    report = metrics.report([["O", "O"], []], [["O", "O"], []], TAGS)
    assert all(value == 0 for value in report.values())
    assert metrics.report([], [], TAGS)["entity_f1"] == 0
