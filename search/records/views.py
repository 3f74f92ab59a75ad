"""Views of an MLflow experiment: which runs its UI lists, by which columns, with which charts.

A view that a person saves in MLflow's UI becomes a tag of the experiment, a JSON text under
`PREFIX` and a key; the UI lists it under "Views" and opens it by an address with that key. What is
made here is the same, data and no more: a UI that does not know such tags shows its default.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.records.record import TRIAL, acceptable, digest

PREFIX = "mlflow.sharedViewState."
SHOWN = 20
"""Bars of a chart; MLflow itself shows ten."""
SECTION = "at-a-glance"
WIDTH = 150
"""Pixels of a metric's column: MLflow's own cuts the names."""

Chart = dict[str, Any]


@dataclass(frozen=True)
class View:
    """One view.

    Args:
        name: What the UI calls it.
        runs: A filter in MLflow's language, of the runs that are listed.
        order: The column that they are sorted by, the highest first.
        columns: What stands beside the name of each run, see `column`.
        charts: In MLflow's form, see `bars`.
        group: A tag by whose values runs are put together, as their means.
    """

    name: str
    runs: str
    order: str
    columns: tuple[str, ...]
    charts: tuple[Chart, ...]
    group: str = ""

    @property
    def key(self) -> str:
        """Name of its own: another one for another content."""
        return digest([self.name, self.state])

    @property
    def state(self) -> str:
        """What the UI is to show, in its own form; it fills in what is left out."""
        section = {"uuid": SECTION, "name": "At a glance", "display": True, "isReordered": True}
        by = [{"mode": "tag", "groupByData": self.group}]
        return json.dumps(
            {
                "searchFilter": self.runs,
                "orderByKey": self.order,
                "orderByAsc": False,
                "selectedColumns": self.columns,
                "columnWidths": {n: WIDTH for n in self.columns if n.startswith("metrics.")},
                "runsHiddenMode": "SHOW_ALL",
                "compareRunCharts": self.charts,
                "compareRunSections": [section],
                "isAccordionReordered": True,  # else MLflow puts sections of its own before this
                "groupBy": {"aggregateFunction": "average", "groupByKeys": by}
                if self.group
                else None,
            }
        )

    def text(self, milliseconds: int) -> str:
        """Return the tag that the UI reads.

        Args:
            milliseconds: When it is made, since 1970.
        """
        times = {"createdAt": milliseconds, "updatedAt": milliseconds}
        return json.dumps({"name": self.name, **times, "state": self.state})


def bars(metric: str) -> Chart:
    """Return a bar chart of a metric by run, or by group of runs."""
    return _chart("BAR", {"metricKey": acceptable(metric)})


def scatter(x: str, y: str) -> Chart:
    """Return two metrics of each run against each other."""
    axes = {"xaxis": x, "yaxis": y}
    return _chart(
        "SCATTER",
        {axis: {"key": acceptable(metric), "type": "METRIC"} for axis, metric in axes.items()},
    )


def parallel(params: Sequence[str], metric: str) -> Chart:
    """Return parallel coordinates: a line a run through its settings and a metric."""
    settings = [acceptable(path) for path in params]
    return _chart(
        "PARALLEL",
        {"selectedParams": settings, "selectedMetrics": [metric], "showAllRuns": True},
    )


def _chart(kind: str, own: Chart) -> Chart:
    place = {"uuid": digest([kind, own]), "metricSectionId": SECTION, "runsCountToCompare": SHOWN}
    return {"type": kind, **own, **place, "deleted": False, "isGenerated": False}


def column(kind: str, name: str) -> str:
    """Return what MLflow calls a column.

    >>> column("tags", "method")
    'tags.`method`'
    """
    return f"{kind}.`{acceptable(name)}`"


def trials_view(study: str, params: Sequence[str], target: str) -> View:
    """Return the trials of a study, the best first, with what was searched.

    Args:
        study: Its name.
        params: The settings that were searched, by dotted path.
        target: The target language.
    """
    test, chosen, seconds = _means(target)
    return View(
        name=f"trials of {study}",
        runs=f"tags.`prokd.key` LIKE '{TRIAL}:{study}:%'",
        order=column("metrics", chosen),
        columns=(
            *(column("metrics", name) for name in (chosen, test, seconds)),
            column("tags", "method"),
            *(column("params", path) for path in params),
        ),
        charts=(
            bars(chosen),
            bars(test),
            parallel(params, chosen),
            scatter(chosen, test),
        ),
    )


def variants_view(ablation: str, target: str) -> View:
    """Return the variants of an ablation, a line each, as means over their seeds.

    Args:
        ablation: Its name.
        target: The target language.
    """
    test, chosen, seconds = _means(target)
    deviation = test.replace("mean/", "std/", 1)
    return View(
        name=f"variants of {ablation}",
        runs=f"tags.kind = 'variant' AND tags.ablation = '{ablation}'",
        order=column("metrics", test),
        columns=(
            column("tags", "method"),
            *(column("metrics", name) for name in (test, deviation, chosen, seconds)),
        ),
        charts=tuple(map(bars, (test, chosen, seconds))),
    )


def seeds_view(ablation: str, target: str) -> View:
    """Return the results of an ablation's seeds in groups, one for each variant.

    Args:
        ablation: Its name.
        target: The target language.
    """
    test, chosen, seconds = _names(target)
    return View(
        name=f"seeds of {ablation} by variant",
        runs=f"tags.variant LIKE '%' AND tags.ablation = '{ablation}'",
        order=column("metrics", test),
        columns=(
            *(column("tags", name) for name in ("method", "seed")),
            *(column("metrics", name) for name in (test, chosen, seconds)),
        ),
        charts=tuple(map(bars, (test, chosen, seconds))),
        group="variant",
    )


def _names(target: str) -> tuple[str, str, str]:
    return f"test/{target}/entity_f1", "objective", "seconds"


def _means(target: str) -> tuple[str, str, str]:
    test, chosen, seconds = (f"mean/{name}" for name in _names(target))
    return test, chosen, seconds
