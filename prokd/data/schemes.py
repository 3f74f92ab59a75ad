"""Tagging schemes: which one a corpus uses, and its conversion to IOB2.

All four schemes are told apart and converted by pairs of neighbouring tags alone, so a corpus is
first reduced to its distinct pairs (a few dozen), whatever its size.

| scheme | marks | an entity X of two words | the next entity, also X, right behind it |
|---|---|---|---|
| IOB1 | I, and B only where an entity touches the one before of the same type | I-X I-X | B-X |
| IOB2 | B first, then I | B-X I-X | B-X |
| IOBES | B, I, E(nd), S(ingle); BILOU writes L and U for E and S | B-X E-X | S-X |
| IO | I only; entities that touch are one | I-X I-X | (not expressible) |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, pairwise

from prokd.data.labels import OUTSIDE
from prokd.errors import UserError

TAG_FORM = re.compile(r"O|[BIESLU]-.+", re.DOTALL)
"""What a tag of any of the schemes looks like."""
_EDGES = re.compile(r"\A[\s\u200b-\u200f\u2060\ufeff]+|[\s\u200b-\u200f\u2060\ufeff]+\Z")

Pair = tuple[str, str]
Locate = Callable[[int, int], str]


def clean_tag(tag: str) -> str:
    r"""Return a tag without the blanks and invisible characters around it.

    >>> clean_tag("B-LOC \u00a0"), clean_tag("\u200bO\ufeff")
    ('B-LOC', 'O')
    """
    return _EDGES.sub("", tag)


def is_tag(tag: str) -> bool:
    r"""Return whether a clean tag has the form of one, all of its characters visible.

    >>> is_tag("B-LOC"), is_tag("B-work of art"), is_tag("B- LOC"), is_tag("B-L\u200bOC")
    (True, True, False, False)
    """
    # Of all blanks, `isprintable` lets the plain one pass alone.
    return bool(TAG_FORM.fullmatch(tag)) and tag.isprintable() and not tag[2:].startswith(" ")


def to_iob2(sentences: Sequence[Sequence[str]], locate: Locate) -> tuple[str, list[list[str]]]:
    """Detect the scheme of a whole corpus and convert it.

    Blanks and invisible characters around a tag are no part of it (see `clean_tag`).

    Args:
        sentences: Tags of each sentence, in any one of the schemes.
        locate: Gives the place of tag ``j`` of sentence ``i`` in words, for messages.

    Returns:
        The scheme ("IOB1", "IOB2", "IOBES" or "IO"; BILOU counts as IOBES) and the tags in IOB2.
        A corpus without entities counts as IOB2.

    Raises:
        UserError: A tag is of no scheme, or the tags follow none of them throughout.
    """
    found = set(chain.from_iterable(sentences))
    clean = {tag: clean_tag(tag) for tag in found}
    if any(tag != cleaned for tag, cleaned in clean.items()):
        sentences = [[clean[tag] for tag in tags] for tags in sentences]
    unknown = {tag for tag in clean.values() if not is_tag(tag)}
    if unknown:
        place, tag = _first(sentences, lambda _, tag: tag in unknown, locate)
        raise UserError(
            f"{place}: a tag must be 'O' or one of the marks B, I, E, S, L, U with a hyphen and "
            f"an entity type (such as 'B-PER') without invisible characters, but got {tag!r}."
        )
    pairs = {pair for tags in sentences for pair in pairwise((OUTSIDE, *tags, OUTSIDE))}
    scheme = _detect(pairs)
    broken = _BROKEN[scheme]
    if any(broken(*pair) for pair in pairs):
        place, tag = _first_broken(sentences, broken, locate)
        raise UserError(f"{place}: {_RULES[scheme]}, but got {tag}.")
    if scheme == "IOB2":
        return scheme, [list(tags) for tags in sentences]
    table = {pair: _iob2(scheme, *pair) for pair in pairs}
    return scheme, [[table[pair] for pair in pairwise((OUTSIDE, *tags))] for tags in sentences]


def _detect(pairs: set[Pair]) -> str:
    marks = {tag[0] for pair in pairs for tag in pair} - {OUTSIDE}
    if marks & set("ESLU"):
        return "IOBES"
    if marks == {"I"}:
        return "IO"
    # An entity that starts with I- speaks for IOB1, one that needs no B- for IOB2. A corpus with
    # both follows neither: it is judged by the rule that fewer of its kinds of pairs break.
    iob1 = sum(_breaks_iob1(*pair) for pair in pairs)
    iob2 = sum(_breaks_iob2(*pair) for pair in pairs)
    return "IOB1" if iob1 < iob2 else "IOB2"


def _breaks_iob1(previous: str, tag: str) -> bool:
    return tag[0] == "B" and previous[1:] != tag[1:]


def _breaks_iob2(previous: str, tag: str) -> bool:
    return tag[0] == "I" and previous[1:] != tag[1:]


def _breaks_iobes(previous: str, tag: str) -> bool:
    is_open, goes_on = previous[0] in "BI", tag[0] in "IEL"
    return is_open != goes_on or (goes_on and previous[1:] != tag[1:])


_BROKEN: dict[str, Callable[[str, str], bool]] = {
    "IOB1": _breaks_iob1,
    "IOB2": _breaks_iob2,
    "IOBES": _breaks_iobes,
    "IO": lambda previous, tag: False,
}
_RULES = {
    "IOB1": "in scheme IOB1 a B- tag must follow a tag of its own type",
    "IOB2": "in scheme IOB2 an I- tag must follow a B- or I- tag of its own type",
    "IOBES": "in scheme IOBES an entity must run from B- over I- to E- of one type, or be one S-",
}


def _iob2(scheme: str, previous: str, tag: str) -> str:
    if tag == OUTSIDE:
        return tag
    if scheme == "IOBES":
        return {"B": "B", "S": "B", "U": "B"}.get(tag[0], "I") + tag[1:]
    starts = tag[0] == "B" or previous[1:] != tag[1:]
    return ("B" if starts else "I") + tag[1:]


def _first(
    sentences: Sequence[Sequence[str]], wrong: Callable[[str, str], bool], locate: Locate
) -> tuple[str, str]:
    for i, tags in enumerate(sentences):
        for j, (previous, tag) in enumerate(pairwise((OUTSIDE, *tags))):
            if wrong(previous, tag):
                return locate(i, j), tag
    raise AssertionError("no tag is wrong")


def _first_broken(
    sentences: Sequence[Sequence[str]], broken: Callable[[str, str], bool], locate: Locate
) -> tuple[str, str]:
    for i, tags in enumerate(sentences):
        for j, (previous, tag) in enumerate(pairwise((OUTSIDE, *tags, OUTSIDE))):
            if broken(previous, tag):
                place = locate(i, min(j, len(tags) - 1))
                if j == len(tags):
                    return place, f"{previous!r} at the end of the sentence"
                return place, f"{tag!r} after {previous!r}" if j else f"{tag!r} at the start"
    raise AssertionError("no pair is broken")
