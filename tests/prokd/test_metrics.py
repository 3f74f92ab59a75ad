"""Scores: seqeval's, and the NumPy ones that equal them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient_scores
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import IOB2

from prokd.data.labels import TagSet
from prokd.scoring import metrics

TAGS = TagSet.of(["PER", "LOC", "ORG"])
Tags = list[list[str]]
Scorer = Callable[..., Any]


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


def seqeval_report(gold: Tags, predicted: Tags) -> dict[str, float]:
    """The entity-level part of a report, by seqeval."""
    result: dict[str, float] = {}
    strict = partial(strict_scores, scheme=IOB2)
    for suffix, score in (("", lenient_scores), ("_strict", strict)):
        micro = seqeval_scores(score, gold, predicted)
        for name, value in zip(("precision", "recall", "f1"), micro, strict=True):
            result[f"entity_{name}{suffix}"] = float(value)
        for kind in TAGS.entity_types:
            only = [of_type(kind, gold), of_type(kind, predicted)]
            result[f"entity_f1{suffix}/{kind}"] = float(seqeval_scores(score, *only)[2])
    return result


def seqeval_scores(score: Scorer, gold: Tags, predicted: Tags) -> Sequence[Any]:
    """Call seqeval, which warns or fails where there is no entity at all."""
    if not any(tag != "O" for tags in (*gold, *predicted) for tag in tags):
        return (0.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result: Sequence[Any] = score(gold, predicted, average="micro", zero_division=0)
    return result[:3]


def of_type(kind: str, tags: Tags) -> Tags:
    return [[tag if tag[2:] == kind else "O" for tag in sentence] for sentence in tags]


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
    theirs = seqeval_report(tags, by_sentence(predicted, sentence_of))
    assert {name: report[name] for name in theirs} == theirs  # to the bit
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
