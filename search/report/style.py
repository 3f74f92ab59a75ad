"""How figures look, and how they come into a page and into files.

In the page text and axes take the colour of the page, so that they are read on light and on dark;
colours of data are of middle lightness for the same reason. Files have a white ground.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from prokd.common.files import write_atomically
from prokd.common.palette import INK

SHADES = LinearSegmentedColormap.from_list("prokd", ["#4a63d0", "#2a9d8f", "#e0912f"])
"""From low to high."""
DPI = 130


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Draw in the style of the reports; what is set ends with the block.

    Args:
        name: Of the figure, of which the names inside its SVG are made.
    """
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 10,
        "figure.figsize": (7.0, 4.2),
        "figure.max_open_warning": 0,
    }
    pyplot.switch_backend("agg")
    with mpl.rc_context(settings):
        yield
    pyplot.close("all")


def draw(name: str, make: Callable[[], Figure], folder: Path) -> str:
    """Draw a figure, write it as PNG and SVG, and return it as part of a page.

    Args:
        name: Of the files, less their ending.
        make: Draws it.
        folder: Gets the files.
    """
    with styled(name):
        figure = make()
        for axes in figure.axes:
            restyle(axes)
        if figure.get_suptitle():
            figure.suptitle("")
        picture, vectors = io.BytesIO(), io.StringIO()
        keep: Any = {"bbox_inches": "tight", "pad_inches": 0.08}
        figure.savefig(picture, format="png", dpi=DPI, facecolor="white", **keep)
        figure.savefig(vectors, format="svg", transparent=True, metadata={"Date": None}, **keep)
    write_atomically(folder / f"{name}.png", lambda p: p.write_bytes(picture.getvalue()))
    text = vectors.getvalue()
    ground = re.sub(r"(<svg [^>]*?)>", r'\1 style="background: white">', text, count=1, flags=re.S)
    write_atomically(folder / f"{name}.svg", lambda p: p.write_text(ground, encoding="utf-8"))
    return inline(text, name)


def inline(svg: str, name: str) -> str:
    """Return an SVG file as part of an HTML page, with names that no other figure has."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r' (id)="', rf' \1="{name}-', text)
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    text = text.replace(INK, "currentColor")
    return re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2).strip()


def restyle(axes: Axes) -> None:
    """Give axes that anybody has drawn the colours of the reports."""
    is_bar = axes.get_label() == "<colorbar>"
    axes.set_facecolor("none")
    axes.tick_params(which="both", colors=INK, labelsize=9)
    if axes.get_title() in _OPTUNAS:
        axes.set_title("")
    for line in (axes.xaxis.label, axes.yaxis.label, axes.title):
        line.set_color(INK)
        line.set_fontsize(10)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_linewidth(0.6)
        if not is_bar and side in ("top", "right"):
            spine.set_visible(False)
    if not is_bar:
        _restyle_data(axes)
    if (legend := axes.get_legend()) is not None:
        legend.get_frame().set_facecolor("none")
        legend.get_frame().set_edgecolor("none")
        for text in legend.get_texts():
            text.set_color(INK)
            text.set_fontsize(9)


def _restyle_data(axes: Axes) -> None:
    axes.grid(True, color="#888888", alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    for drawn in axes.collections:
        if drawn.get_array() is not None:
            drawn.set_cmap(SHADES)
        if isinstance(drawn, LineCollection):
            drawn.set_linewidth(1.6)
        if isinstance(drawn, ContourSet | QuadMesh):
            axes.grid(False)


_OPTUNAS = (
    "Slice Plot",
    "Contour Plot",
    "Optimization History Plot",
    "Parallel Coordinate Plot",
    "Hyperparameter Importances",
)
"""Titles that the captions say better."""
