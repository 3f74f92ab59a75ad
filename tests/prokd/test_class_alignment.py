"""Words drawn by class, and how classes of two languages lie together: by hand."""

import numpy as np
import pytest

from prokd.data.labels import TagSet
from prokd.scoring.class_alignment import ALL, class_alignment
from prokd.scoring.token_sample import Token, class_names, draw_tokens

TAGS = [["B-PER", "I-PER", "O"], ["O", "B-LOC"], ["B-PER", "O", "I-LOC"]]


def test_words_are_drawn_class_by_class_and_once():
    names = class_names(TagSet.of(["LOC", "PER"]), by_type=False, outside=True)
    assert names == ("B-LOC", "I-LOC", "B-PER", "I-PER", "O")
    found = draw_tokens(TAGS, names, 2, np.random.default_rng(0))
    assert [token for token in found if token.name != "O"] == [
        Token(1, 1, "B-LOC"),
        Token(2, 2, "I-LOC"),
        Token(0, 0, "B-PER"),
        Token(2, 0, "B-PER"),
        Token(0, 1, "I-PER"),
    ]
    outside = [token for token in found if token.name == "O"]
    assert len(set(outside)) == 2
    assert set(outside) <= {Token(0, 2, "O"), Token(1, 0, "O"), Token(2, 1, "O")}
    assert found == draw_tokens(TAGS, names, 2, np.random.default_rng(0))


def test_types_join_what_begins_and_what_goes_on():
    found = draw_tokens(TAGS, ["LOC", "PER"], 9, np.random.default_rng(0), by_type=True)
    assert [token.name for token in found] == ["LOC", "LOC", "PER", "PER", "PER"]


def test_alignment_by_hand():
    source = np.array([[0, 0], [0, 2], [10, 0], [10, 2]], dtype=np.float32)
    # Of three target words of A one lies at B's mean; the word of B lies at its own.
    target = np.array([[0, 1], [1, 1], [9, 1], [10, 1]], dtype=np.float32)
    a, b, whole = class_alignment(source, ["A", "A", "B", "B"], target, [*"AAAB"], ["A", "B"])
    assert (a.name, a.source, a.target, a.own_mean, a.nearest) == ("A", 2, 3, 2 / 3, "A")
    assert (b.source, b.target, b.own_mean, b.nearest) == (2, 1, 1.0, "B")
    assert (whole.name, whole.own_mean, whole.nearest) == (ALL, 3 / 4, "2 of 2")
    assert b.silhouette > a.silhouette
    # Within B: both source words are 2 apart and 1 from the target's, which is alone (0).
    assert b.languages == pytest.approx((-0.5 - 0.5 + 0) / 3)
    assert whole.languages == pytest.approx((a.languages + b.languages) / 2)


def test_a_class_that_one_language_lacks_has_no_alignment():
    source = np.array([[0, 0], [0, 1], [5, 5]], dtype=np.float32)
    target = np.array([[0, 0.5], [1, 0]], dtype=np.float32)
    a, b, whole = class_alignment(source, ["A", "A", "B"], target, ["A", "A"], ["A", "B"])
    assert (b.source, b.target, b.own_mean, b.nearest, b.languages) == (1, 0, None, None, None)
    assert a.own_mean == whole.own_mean == 1.0
    assert whole.nearest == "1 of 1"
