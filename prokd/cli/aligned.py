"""Sentences with their tags below the words, in terminals and in Markdown, in any script.

Columns run from left to right in the order of the words, whatever their script: each word that is
written from right to left is isolated from what stands beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len

from prokd.data.labels import OUTSIDE

WIDTH = 100
"""Most columns of a line; longer sentences go on in further blocks."""
MOST_WORDS = 20
"""Most words of a table in Markdown."""
ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")


def shown(text: str) -> str:
    r"""Return a text as it can stand in a line: no control characters, isolated if it must be.

    >>> shown("a\tb"), shown("القاهرة") == "\u2068القاهرة\u2069"
    ('a�b', True)
    """
    text = _BIDI_CONTROLS.sub("", text)
    kinds = [unicodedata.category(character) for character in text]
    text = "".join("�" if k in ("Cc", "Cs") else c for c, k in zip(text, kinds, strict=True))
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"{ISOLATE}{text}{END_OF_ISOLATE}"
    return text


def is_right_to_left(words: Sequence[str]) -> bool:
    """Tell whether most letters of a sentence are of a script that runs from right to left.

    >>> is_right_to_left(["القاهرة", "."]), is_right_to_left(["Cairo", "(", "القاهرة", ")", "is"])
    (True, False)
    """
    kinds = [unicodedata.bidirectional(letter) for word in words for letter in word]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return a text filled up with blanks to a number of columns of a terminal.

    >>> padded("北京", 6) + "|", padded("7", 3, right=True)
    ('北京  |', '  7')
    """
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def table_lines(rows: Sequence[Sequence[str]], is_number: Callable[[int], bool]) -> list[str]:
    """Return rows of texts as lines of a terminal, in columns.

    Args:
        rows: As many texts each; the header is the first.
        is_number: Tells of a column, from 0, whether it is set to the right.

    Example:
        >>> table_lines([["of", "number"], ["words", "7"]], lambda place: place > 0)
        ['of     number', 'words       7']
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            padded(cell, width, right=is_number(place))
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip(" "))
    return lines


def sentence_lines(words: Sequence[str], tags: Mapping[str, Sequence[str]]) -> list[str]:
    """Return lines of a terminal: words, and below them each row of tags.

    Args:
        words: Of a sentence.
        tags: Tags of all its words by the name of their row, e.g. "gold".
    """
    rows = {"words": [shown(word) for word in words], **tags}
    heading = max(map(len, rows)) + 2
    widths = [max(map(cell_len, column)) for column in zip(*rows.values(), strict=True)]
    lines: list[str] = []
    for first, end in _blocks(widths, WIDTH - heading):
        for name, cells in rows.items():
            row = [padded(cell, width) for cell, width in zip(cells, widths, strict=True)]
            lines.append((name.ljust(heading) + " ".join(row[first:end])).rstrip(" "))
    return lines


def _blocks(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Return first column and column after the last of each block, each with one at least."""
    blocks, first, used = [], 0, 0
    for place, width in enumerate(widths):
        if place > first and used + width > room:
            blocks.append((first, place))
            first, used = place, 0
        used += width + 1
    return [*blocks, (first, len(widths))]


def sentence_markdown(words: Sequence[str], tags: Mapping[str, Sequence[str]]) -> list[str]:
    """Return Markdown tables with a column for each word and a row for each row of tags.

    Long sentences go on in further tables, of `MOST_WORDS` words each.
    """
    lines: list[str] = []
    for first in range(0, len(words), MOST_WORDS):
        part = slice(first, first + MOST_WORDS)
        cells = [escaped(word) for word in words[part]]
        lines += [*([""] if lines else []), f"| words | {' | '.join(cells)} |"]
        lines.append("|---" * (len(cells) + 1) + "|")
        for name, row in tags.items():
            cells = [tag if tag == OUTSIDE else f"**{escaped(tag)}**" for tag in row[part]]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def escaped(text: str) -> str:
    r"""Return a text as Markdown shows it, isolated as by `shown`.

    >>> escaped("a|b*\u0000")
    'a\\|b\\*�'
    """
    return with_escapes(shown(text))


def with_escapes(text: str) -> str:
    """Return a text that is `shown` already, or several joined, as Markdown shows it."""
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))
