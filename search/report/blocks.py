"""What a report is made of, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT_ONLY = "report only"
"""Stands beside every number that comes from labels of the target: nothing is chosen by it."""
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Args:
        header: One text a column, with its unit.
        rows: As long as the header each.
        note: What is to be known of it.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        text: What it says.
        is_loud: Whether nobody may miss it.
    """

    text: str
    is_loud: bool = False


@dataclass(frozen=True)
class Listing:
    """Points, one a line."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """What is to be copied as it is."""

    text: str


@dataclass(frozen=True)
class Drawing:
    """A figure that is not drawn yet.

    Args:
        name: Of its files, less their ending.
        caption: What it shows.
        draw: Draws it.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]


Block = Table | Text | Listing | Code | Drawing


@dataclass
class Section:
    """A part of a page.

    Args:
        title: Its heading.
        blocks: What it shows; without any it says that there is nothing.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)


def number(value: float | None, digits: int = 4) -> str:
    """Write a number; a dash where there is none.

    >>> number(0.50914), number(None), number(12.7, 0)
    ('0.5091', '–', '13')
    """
    return NOTHING if value is None else f"{value:.{digits}f}"
