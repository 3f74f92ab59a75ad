"""A feature map drawn: a panel for each model, one legend for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prokd.common.files import write_atomically
from prokd.common.palette import COLOURS, INK
from prokd.data.labels import OUTSIDE
from prokd.training.token_features import FeatureMap, Panel

GREY = "#777777"
SHAPES = ("o", "^")
"""Circles are the source, triangles the target, as in the paper."""
SIZE, DPI = 26, 200
FORMS: Mapping[str, dict[str, Any]] = {
    "png": {"dpi": DPI},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}
"""Files that are written; none tells when, so that the same picture is the same file."""


def draw(found: FeatureMap) -> Figure:
    """Draw the panels beside each other, four in two rows.

    A colour is a type of entity; of tags, B- is filled and I- is hollow.
    """
    columns = 2 if len(found.panels) == 4 else len(found.panels)
    rows = math.ceil(len(found.panels) / columns)
    size = (max(4.3 * columns, 6.0), 4.3 * rows + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    colours = _colours(found)
    for axes, panel in zip(grid.flat, found.panels, strict=True):
        _draw_panel(axes, panel, found, colours)
    keys = [_key(name, colours) for name in found.names]
    keys += [
        Line2D([], [], marker=shape, linestyle="", color=INK, fillstyle="none", label=label)
        for shape, label in zip(SHAPES, _sides(found), strict=True)
    ]
    _add_legend(figure, keys, most=min(5 * columns, len(keys)))
    return figure


def _add_legend(figure: Figure, keys: list[Any], most: int) -> None:
    """Put the legend below the panels, in as many columns as the figure is wide for."""
    for columns in range(most, 0, -1):
        place: Any = {"loc": "outside lower center", "ncols": columns, "frameon": False}
        legend = figure.legend(handles=keys, **place)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def write_figure(found: FeatureMap, stem: Path) -> list[Path]:
    """Draw and write ``<stem>.png``, ``.svg`` and ``.pdf``; return their paths."""
    with _styled():
        figure = draw(found)
        paths = []
        for form, options in FORMS.items():
            path = stem.with_suffix(f".{form}")
            write_atomically(path, _saver(figure, form, options))
            paths.append(path)
    return paths


@contextmanager
def _styled() -> Iterator[None]:
    settings: Any = {
        "font.size": 10,
        "text.parse_math": False,  # names are shown as they are given
        "svg.fonttype": "none",
        "svg.hashsalt": "features",
        "pdf.fonttype": 42,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.titlecolor": INK,
        "axes.linewidth": 0.6,
    }
    with mpl.rc_context(settings):
        yield


def _saver(figure: Figure, form: str, options: Mapping[str, Any]) -> Callable[[Path], None]:
    return lambda part: figure.savefig(part, format=form, facecolor="white", **options)


def _sides(found: FeatureMap) -> tuple[str, str]:
    source, target = (corpus.language for corpus in found.corpora)
    return f"{source} (source)", f"{target} (target)"


def _kind(name: str) -> str:
    return name.removeprefix("B-").removeprefix("I-")


def _colours(found: FeatureMap) -> dict[str, Any]:
    """Return the colour of each type; of more types than there are `COLOURS`, those of a map."""
    kinds = list(dict.fromkeys(_kind(name) for name in found.names if name != OUTSIDE))
    known: list[Any] = list(COLOURS)
    if len(kinds) > len(known):
        turbo = mpl.colormaps["turbo"]
        known = [turbo((place + 0.5) / len(kinds)) for place in range(len(kinds))]
    return {**dict(zip(kinds, known, strict=False)), OUTSIDE: GREY}


def _key(name: str, colours: Mapping[str, Any]) -> Line2D:
    colour = colours[_kind(name)]
    face = "none" if name.startswith("I-") else colour
    return Line2D([], [], marker="s", linestyle="", color=colour, mfc=face, label=name)


def _draw_panel(axes: Axes, panel: Panel, found: FeatureMap, colours: Mapping[str, Any]) -> None:
    first = len(found.tokens[0])
    planes = panel.plane_N2[:first], panel.plane_N2[first:]
    for name in found.names[::-1]:  # words outside of entities lie below all others
        colour = colours[_kind(name)]
        face = "none" if name.startswith("I-") else colour
        for shape, tokens, plane_N2 in zip(SHAPES, found.tokens, planes, strict=True):
            chosen = [place for place, token in enumerate(tokens) if token.name == name]
            axes.scatter(
                plane_N2[chosen, 0],
                plane_N2[chosen, 1],
                s=SIZE,
                marker=shape,
                facecolors=face,
                edgecolors=colour,
                linewidths=0.9,
                alpha=0.75,
            )
    axes.set(xticks=[], yticks=[], title=panel.name)
    axes.margins(0.04)
    overall = panel.alignment[-1]
    if overall.own_mean is not None:
        axes.set_xlabel(
            f"nearest source mean is the own: {overall.own_mean:.0%} of the target's tokens",
            fontsize=9,
            color=INK,
        )
