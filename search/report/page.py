"""Sections as one HTML file that needs no other; figures go into a folder beside it as well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment

from prokd.common.files import write_text
from search.report.blocks import Block, Drawing, Section, Text

PIXELS = 4 / 3
"""Of a point, the unit that figures are measured in."""


@dataclass(frozen=True)
class Drawn:
    """A figure as part of a page.

    Args:
        svg: The figure.
        caption: What it shows.
        width: Most pixels that it is drawn in.
    """

    svg: str
    caption: str
    width: int


def figures_folder(page: Path) -> Path:
    """Return the folder of a page's figures."""
    return page.with_name(f"{page.stem}-figures")


def artifacts(page: Path) -> dict[str, Path]:
    """Return what MLflow gets of a page, by the names that it has there."""
    return {"report.html": page, "figures": figures_folder(page)}


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Draw all figures and write a page.

    Args:
        path: The HTML file.
        title: Its heading.
        lead: A line below it.
        sections: What it shows.
    """
    folder = figures_folder(path)
    shown = [
        {"title": s.title, "blocks": [_shown(block, folder) for block in s.blocks]}
        for s in sections
    ]
    template = resources.files("search.report").joinpath("template.html")
    page = Environment(autoescape=True).from_string(template.read_text(encoding="utf-8"))
    moment = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    text = page.render(title=title, lead=f"{lead}, written {moment}", sections=shown)
    write_text(path, text)


def _shown(block: Block, folder: Path) -> tuple[str, object]:
    if not isinstance(block, Drawing):
        return type(block).__name__, block
    from search.report.style import draw

    try:
        svg = draw(block.name, block.draw, folder)
    except Exception as error:  # one figure that Optuna cannot draw takes no other with it
        return "Text", Text(f"Not drawn ({block.caption}): {type(error).__name__}: {error}")
    size = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    width = round(float(size[1]) * PIXELS) if size else 700
    return "Drawn", Drawn(svg, block.caption, width)
