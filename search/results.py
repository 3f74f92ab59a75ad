"""Results as rows, their means over seeds, and tables of them as files."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prokd.common.files import write_atomically
from prokd.config import ExperimentConfig
from prokd.method import TARGET_TRAIN
from prokd.methods import graph_of, method_of
from prokd.runs.estimates import estimated
from prokd.runs.folder import ORACLE, SOURCE_DEV
from search.experiments import Experiment
from search.outcomes import Outcome


def label_free(config: ExperimentConfig) -> tuple[str, ...]:
    """Return the criteria that results of an experiment have and that need no target label."""
    result = graph_of(config).stages[-1]
    looks_at_target = TARGET_TRAIN in result.reads(result.view(config))
    return (SOURCE_DEV, *(method_of(config).criteria if looks_at_target else ()))


def criteria_of(config: ExperimentConfig) -> tuple[str, ...]:
    """Return what results of an experiment can be chosen by; the oracle sees target labels."""
    return (*label_free(config), ORACLE)


def heading(select: str) -> str:
    """Return what the values of a criterion are called.

    >>> heading("source_dev"), heading("confidence"), heading("oracle")
    ('source-dev F1', 'confidence', 'ORACLE target-dev F1')
    """
    own = {SOURCE_DEV: "source-dev F1", ORACLE: "ORACLE target-dev F1"}
    return own.get(select, select.replace("_", " "))


@dataclass(frozen=True)
class Row:
    """What came out of one experiment.

    Args:
        experiment: The settings and folders.
        outcome: How its result ended.
        objective: What it is chosen by, higher is better; None unless it is done.
        scores: The report on the test splits by ``test/<language>/<measure>``; empty without one.
        transfer_scores: The same of the stage that shows direct transfer.
        criteria: Criteria that look at no target label, by name.
        seconds: What the training of all its stages took, see `search.experiments.Cost`; None if
            that is not known.
    """

    experiment: Experiment
    outcome: Outcome
    objective: float | None
    scores: Mapping[str, float] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)
    transfer_scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def target_f1(self) -> float | None:
        """Entity F1 on target test, in [0, 1]."""
        return self.scores.get(f"test/{self.experiment.config.target}/entity_f1")

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """What is estimated of it without labels, and the ends of its interval, if anything is."""
        return estimated(self.scores, self.experiment.config.target)

    @property
    def transfer_target_f1(self) -> float | None:
        """Entity F1 of direct transfer on target test, in [0, 1]."""
        return self.transfer_scores.get(f"test/{self.experiment.config.target}/entity_f1")

    def record(self) -> dict[str, Any]:
        """Return the row as flat values, for a table of many."""
        experiment = self.experiment
        return {
            "name": experiment.name,
            "variant": experiment.variant,
            "dataset": experiment.config.data.dataset,
            "method": experiment.config.method,
            "source": "+".join(experiment.config.sources),
            "target": experiment.config.target,
            "seed": experiment.config.seed,
            "state": self.outcome.state,
            "reason": self.outcome.reason,
            "objective": self.objective,
            **self.scores,
            "transfer_target_test_entity_f1": self.transfer_target_f1,
            **{name: experiment.folder(name).signature for name in experiment.graph.names},
            "folder": str(experiment.result.path),
        }


def row(experiment: Experiment, outcome: Outcome, select: str = SOURCE_DEV) -> Row:
    """Read the row of an experiment from its result's folder.

    Args:
        experiment: The settings and folders.
        outcome: How its result ended.
        select: The criterion that is its objective; the oracle's score is read for this alone.
    """
    result = experiment.result.result()
    if result is None:
        return Row(experiment, outcome, None)
    report = experiment.result.report() or {}
    objective = experiment.result.criterion(select)
    criteria = result.get("criteria", {})
    beside = experiment.transfer
    transfer = ((beside and beside.report()) or {}).get("metrics", {})
    scores, cost = report.get("metrics", {}), experiment.cost()
    seconds = None if cost is None else cost.seconds
    return Row(experiment, outcome, objective, scores, criteria, transfer, seconds)


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Return means over seeds as ``mean/...``, and standard deviations as ``std/...``, of several.

    No run of a stage has metrics of such names: whoever groups runs averages no mean with its
    parts.
    """
    if not rows or any(row.objective is None for row in rows):
        return {}
    timed = all(row.seconds is not None for row in rows)
    columns: list[Mapping[str, float]] = [
        {
            "objective": row.objective or 0.0,
            **({"seconds": row.seconds or 0.0} if timed else {}),
            **{f"criteria/{name}": value for name, value in row.criteria.items()},
            **{f"transfer/{name}": value for name, value in row.transfer_scores.items()},
            **row.scores,
        }
        for row in rows
    ]
    metrics: dict[str, float] = {}
    for name in columns[0]:
        values = [column[name] for column in columns if name in column]
        metrics[f"mean/{name}"] = statistics.fmean(values)
        if len(values) > 1:
            metrics[f"std/{name}"] = statistics.stdev(values)
    return metrics


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as CSV, blank where one lacks a field of others; nothing if there are none."""
    if records:
        write_atomically(path, lambda part: _write(part, records))


def _write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        names = dict.fromkeys(name for record in records for name in record)
        writer = csv.DictWriter(file, fieldnames=list(names))
        writer.writeheader()
        writer.writerows(records)
