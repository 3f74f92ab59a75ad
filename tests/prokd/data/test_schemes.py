from __future__ import annotations

import pytest

from prokd.data.schemes import to_iob2
from prokd.errors import UserError


def place(sentence: int, word: int) -> str:
    return f"f:{sentence}.{word}"


# The first sentence is CoNLL-2003's in its original IOB1; the second has touching entities.
CASES = [
    (
        "IOB1",
        [["I-ORG", "O", "I-MISC", "O"], ["I-PER", "I-PER", "B-PER", "I-LOC", "O", "I-LOC"]],
        [["B-ORG", "O", "B-MISC", "O"], ["B-PER", "I-PER", "B-PER", "B-LOC", "O", "B-LOC"]],
    ),
    ("IOB1", [["I-PER", "B-PER", "I-PER"]], [["B-PER", "B-PER", "I-PER"]]),
    (
        "IOB2",
        [["B-PER", "I-PER", "B-PER", "B-LOC"], ["O", "B-ORG", "I-ORG"]],
        [["B-PER", "I-PER", "B-PER", "B-LOC"], ["O", "B-ORG", "I-ORG"]],
    ),
    ("IOB2", [["O", "O"]], [["O", "O"]]),
    (
        "IOBES",
        [["B-PER", "I-PER", "E-PER", "S-PER"], ["O", "B-LOC", "E-LOC"]],
        [["B-PER", "I-PER", "I-PER", "B-PER"], ["O", "B-LOC", "I-LOC"]],
    ),
    (
        "IOBES",
        [["B-PER", "I-PER", "L-PER", "U-PER"], ["U-LOC", "O"]],
        [["B-PER", "I-PER", "I-PER", "B-PER"], ["B-LOC", "O"]],
    ),
    (
        "IO",
        [["I-PER", "I-PER", "I-LOC"], ["O", "I-PER", "O", "I-PER"]],
        [["B-PER", "I-PER", "B-LOC"], ["O", "B-PER", "O", "B-PER"]],
    ),
]


@pytest.mark.parametrize(("scheme", "tags", "expected"), CASES)
def test_conversion(scheme: str, tags: list[list[str]], expected: list[list[str]]) -> None:
    assert to_iob2(tags, place) == (scheme, expected)


def test_result_is_iob2_and_stays_so() -> None:
    for _, tags, expected in CASES:
        _, converted = to_iob2(tags, place)
        again = to_iob2(converted, place)[1]
        assert again == converted == expected


def test_sentences_do_not_touch() -> None:
    # I- at the start of a sentence starts an entity, whatever ended the sentence before.
    assert to_iob2([["I-PER"], ["I-PER", "B-PER"]], place)[1] == [["B-PER"], ["B-PER", "B-PER"]]


def test_type_with_hyphen() -> None:
    tags = [["B-creative-work", "I-creative-work"]]
    assert to_iob2(tags, place) == ("IOB2", tags)


@pytest.mark.parametrize("tag", ["-PER", "B", "PER", "o", "B-", "", "X-PER", "0"])
def test_unknown_tag(tag: str) -> None:
    with pytest.raises(UserError, match=r"^f:1\.1: a tag must be 'O' or .*, but got ") as error:
        to_iob2([["O"], ["O", tag]], place)
    assert repr(tag) in str(error.value)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            [["B-PER", "O", "B-PER", "O", "B-LOC", "I-PER"]],
            r"f:0\.5: in scheme IOB2 .* but got 'I-PER' after 'B-LOC'\.$",
        ),
        ([["B-PER", "O", "B-LOC"], ["I-PER"]], r"f:1\.0: .* but got 'I-PER' at the start\.$"),
        (
            [["I-PER", "B-PER", "I-LOC"], ["O", "I-LOC", "I-PER"], ["O", "B-LOC"]],
            r"f:2\.1: in scheme IOB1 a B- tag must follow .* but got 'B-LOC' after 'O'\.$",
        ),
        (
            [["B-PER", "E-PER"], ["B-PER", "O"]],
            r"f:1\.1: in scheme IOBES .* but got 'O' after 'B-PER'\.$",
        ),
        ([["S-PER", "B-PER"]], r"f:0\.1: .* but got 'B-PER' at the end of the sentence\.$"),
        ([["S-PER", "E-PER"]], r"f:0\.1: .* but got 'E-PER' after 'S-PER'\.$"),
        ([["B-PER", "E-LOC"]], r"f:0\.1: .* but got 'E-LOC' after 'B-PER'\.$"),
    ],
)
def test_invalid_sequence(tags: list[list[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        to_iob2(tags, place)
