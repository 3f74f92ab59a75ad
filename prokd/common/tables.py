"""Tables of texts as Markdown and as CSV; `prokd.common.latex` has them for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

Table = list[list[str]]
"""Rows of as many texts each; the header is the first."""


def as_markdown(table: Table) -> list[str]:
    """Draw a table as lines of Markdown.

    >>> as_markdown([["of", "number"], ["words", "7"]])
    ['| of | number |', '| --- | --- |', '| words | 7 |']
    """
    lines = [f"| {' | '.join(line)} |" for line in table]
    return [lines[0], "|" + " --- |" * len(table[0]), *lines[1:]]


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    r"""Write rows as CSV, the header first; None is blank.

    >>> as_csv([["of", "number"], ["a,b", None]])
    'of,number\n"a,b",\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
