"""The figures of a report: Optuna's own, and plain matplotlib for what it does not have."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
from matplotlib import pyplot
from matplotlib.category import StrCategoryLocator
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from optuna.trial import FrozenTrial
from optuna.visualization import matplotlib as optunas

from prokd.common.palette import COLOURS, INK
from search.report.effects import Group, HeatMap
from search.report.runs import SOURCE_DEV_F1, Curve
from search.report.style import SHADES
from search.spaces import short

WIDEST = 3
"""Panels side by side."""


def history(trials: Sequence[FrozenTrial], objective: str) -> Figure:
    """Draw the values of all trials in order, and the best so far."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    figure = _figure(optunas.plot_optimization_history, study, target_name=objective)
    figure.axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def importances(group: Group) -> Figure:
    """Draw the share that each setting has in the variance of the objective."""
    names = list(group.importances)[::-1]
    figure, axes = pyplot.subplots(figsize=(7, 0.9 + 0.32 * len(names)))
    bars = axes.barh(names, [group.importances[name] for name in names], color=COLOURS[0])
    axes.bar_label(bars, fmt="%.2f", padding=3, color=INK, fontsize=9)
    axes.set_xlabel("share of the variance of the objective [0–1], by fANOVA")
    axes.margins(x=0.12)
    return figure


def slices(group: Group, settings: Sequence[str], objective: str) -> Figure:
    """Draw the objective over each of some settings; colours are the order of the trials."""
    figure = _figure(optunas.plot_slice, group.study, params=list(settings), target_name=objective)
    for axes in figure.axes:
        if axes.get_label() != "<colorbar>" and (name := axes.get_xlabel()):
            axes.set_xlabel(name.replace(" (", "\n("))
            _few_ticks(axes)
    return figure


def _few_ticks(axes: Any) -> None:
    if axes.get_xscale() == "log":
        _plain(axes.xaxis)
    elif not isinstance(axes.xaxis.get_major_locator(), StrCategoryLocator):
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", labelrotation=30)


def _plain(axis: Any) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, and few of them."""
    axis.set_major_locator(LogLocator(numticks=6, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(float(value))))
    axis.set_minor_formatter(NullFormatter())


def parallel(group: Group, objective: str) -> Figure:
    """Draw each trial as a line through its settings."""
    settings = group.settings[:8]
    figure = _figure(
        optunas.plot_parallel_coordinate,
        group.study,
        params=settings,
        target_name=objective,
    )
    figure.set_size_inches(max(7.0, 1.7 * (len(settings) + 1)), 4.6)
    axes = figure.axes[0]
    names = [text.get_text().replace(" (", "\n(") for text in axes.get_xticklabels()]
    axes.set_xticks(axes.get_xticks())
    axes.set_xticklabels(names, rotation=25, ha="right")
    for own in figure.axes:
        if own.get_yscale() == "log":
            _plain(own.yaxis)
    return figure


def contour(group: Group, pair: tuple[str, str], objective: str) -> Figure:
    """Draw the objective over a pair of settings that have ranges."""
    return _figure(optunas.plot_contour, group.study, params=list(pair), target_name=objective)


def heat(found: HeatMap, pair: tuple[str, str], objective: str) -> Figure:
    """Draw the mean objective over a pair of settings that have lists; numbers of trials in ()."""
    size = (2.6 + 0.85 * len(found.columns), 1.5 + 0.55 * len(found.rows))
    figure, axes = pyplot.subplots(figsize=size)
    means = np.array([[math.nan if m is None else m for m in row] for row in found.means])
    image = axes.pcolormesh(means, cmap=SHADES, edgecolors="#88888855", linewidth=0.5)
    for y, row in enumerate(found.means):
        for x, mean in enumerate(row):
            text = "–" if mean is None else f"{mean:.3f}\n({found.counts[y][x]})"
            colour = INK if mean is None else "white"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(np.arange(len(found.columns)) + 0.5, found.columns)
    axes.set_yticks(np.arange(len(found.rows)) + 0.5, found.rows)
    axes.set(xlabel=pair[1], ylabel=pair[0])
    figure.colorbar(image, ax=axes, label=f"mean {objective}")
    return figure


def training(curves: Sequence[Curve], stage: str) -> Figure:
    """Draw source-dev F1 and each loss of a stage by epoch."""
    own = [curve for curve in curves if curve.stage == stage]
    metrics = sorted({curve.metric for curve in own}, key=lambda m: (m != SOURCE_DEV_F1, m))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    columns = min(WIDEST, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(3.9 * columns, 3.0 * rows), squeeze=False, layout="constrained"
    )
    lines: dict[str, Any] = {}
    for axes, metric in zip(grid.flat, metrics, strict=False):
        for curve in (curve for curve in own if curve.metric == metric):
            place = labels.index(curve.label)
            (lines[curve.label],) = axes.plot(
                *zip(*curve.points, strict=True),
                marker="o",
                markersize=3,
                linestyle=("-", "--", ":")[place // len(COLOURS) % 3],
                color=COLOURS[place % len(COLOURS)],
            )
        unit = " [0–1]" if metric == SOURCE_DEV_F1 else ""
        axes.set(xlabel="epoch", title=metric + unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    for axes in list(grid.flat)[len(metrics) :]:
        axes.set_axis_off()
    keys = figure.legend(
        list(lines.values()),
        list(lines),
        loc="outside lower center",
        ncols=min(3, len(lines)),
        frameon=False,
    )
    for text in keys.get_texts():
        text.set_color(INK)
    return figure


def costs(points: Sequence[tuple[str, float, float]], objective: str) -> Figure:
    """Draw the objective over what training took; the line joins what nothing beats in both."""
    figure, axes = pyplot.subplots()
    for place, name in enumerate(dict.fromkeys(point[0] for point in points)):
        own = [point for point in points if point[0] == name]
        axes.scatter(
            [seconds for _, seconds, _ in own],
            [value for *_, value in own],
            color=COLOURS[place % len(COLOURS)],
            label=name or None,
            alpha=0.9,
        )
    front = frontier([(seconds, value) for _, seconds, value in points])
    axes.plot(*zip(*front, strict=True), color="#888888", linewidth=1, linestyle="--", zorder=0)
    axes.set(xlabel="seconds of training (s), all stages", ylabel=objective)
    if len({point[0] for point in points}) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points of which none is both cheaper and better, by cost.

    >>> frontier([(2, 0.5), (1, 0.4), (3, 0.45)])
    [(1, 0.4), (2, 0.5)]
    """
    found: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or value > found[-1][1]:
            found.append((cost, value))
    assert all(early[1] < late[1] for early, late in pairwise(found))
    return found


def variants(
    scores: Mapping[str, Mapping[str, Sequence[float]]], names: Sequence[str], measure: str
) -> Figure:
    """Draw the mean of each variant with its standard deviation, and each seed as a dot.

    Args:
        scores: Values in [0, 1], one a seed, by language and variant.
        names: The variants, in order.
        measure: What the values are.
    """
    figure, axes = pyplot.subplots(figsize=(7, 0.9 + 0.5 * len(names)))
    for place, (language, own) in enumerate(scores.items()):
        shift = (place - (len(scores) - 1) / 2) * min(0.22, 0.8 / len(scores))
        colour = COLOURS[place % len(COLOURS)]
        drawn = [(y + shift, np.array(own[n])) for y, n in enumerate(names) if own.get(n)]
        if not drawn:
            continue
        axes.errorbar(
            [values.mean() for _, values in drawn],
            [y for y, _ in drawn],
            xerr=[values.std(ddof=1) if len(values) > 1 else 0.0 for _, values in drawn],
            fmt="o",
            capsize=3,
            color=colour,
            label=language,
        )
        for y, values in drawn:
            axes.plot(values, np.full(len(values), y), "|", color=colour, alpha=0.6)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(measure)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _figure(draw: Any, study: optuna.Study, **options: Any) -> Figure:
    """Return the figure of one of Optuna's functions, which give back axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = draw(study, **options)
    axes = drawn.flat[0] if isinstance(drawn, np.ndarray) else drawn
    figure: Figure = axes.figure
    return figure
