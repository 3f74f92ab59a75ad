"""Results as rows, the leaderboard of a study, its table and its CSV file."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from prokd.common.files import write_atomically
from prokd.config import ExperimentConfig, parse_override
from prokd.runs.effect import flatten
from prokd.runs.folder import CRITERIA, ORACLE, SOURCE_DEV
from search.plan import Experiment
from search.spaces import Point, in_symbols, label, ordered, short
from search.tuner import Outcome

LEADERBOARD = "leaderboard.csv"
LABEL_FREE = tuple(name for name in CRITERIA if name != ORACLE)
"""The criteria that look at no target label."""


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
        outcome: How its student ended.
        objective: What it is chosen by, higher is better; None unless it is done.
        scores: The report on the test splits by ``test/<language>/<measure>``; empty without one.
        teacher_scores: The same of its teacher, which is direct transfer.
        criteria: The student's criteria that look at no target label, by name.
    """

    experiment: Experiment
    outcome: Outcome
    objective: float | None
    scores: Mapping[str, float] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)
    teacher_scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def target_f1(self) -> float | None:
        """Entity F1 on target test, in [0, 1]."""
        return self.scores.get(f"test/{self.experiment.config.target}/entity_f1")

    @property
    def teacher_target_f1(self) -> float | None:
        """Entity F1 of the teacher on target test, in [0, 1]: direct transfer."""
        return self.teacher_scores.get(f"test/{self.experiment.config.target}/entity_f1")

    def record(self) -> dict[str, Any]:
        """Return the row as flat values, for a table of many."""
        experiment = self.experiment
        return {
            "name": experiment.name,
            "variant": experiment.variant,
            "dataset": experiment.config.data.dataset,
            "source": experiment.config.source,
            "target": experiment.config.target,
            "seed": experiment.config.seed,
            "state": self.outcome.state,
            "reason": self.outcome.reason,
            "objective": self.objective,
            **self.scores,
            "teacher_target_test_entity_f1": self.teacher_target_f1,
            "teacher": experiment.teacher.signature,
            "student": experiment.student.signature,
            "folder": str(experiment.student.path),
        }


def row(experiment: Experiment, outcome: Outcome, select: str = SOURCE_DEV) -> Row:
    """Read the row of an experiment from its student's folder.

    Args:
        experiment: The settings and folders.
        outcome: How its student ended.
        select: The criterion that is its objective; the oracle's score is read for this alone.
    """
    result = experiment.student.result()
    if result is None:
        return Row(experiment, outcome, None)
    report = experiment.student.report() or {}
    objective = experiment.student.criterion(select)
    criteria = result.get("criteria", {})
    transfer = (experiment.teacher.report() or {}).get("metrics", {})
    return Row(experiment, outcome, objective, report.get("metrics", {}), criteria, transfer)


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Return means over seeds as ``mean/...``, and standard deviations as ``std/...``, of several.

    No run of a stage has metrics of such names: whoever groups runs averages no mean with its
    parts.
    """
    if not rows or any(row.objective is None for row in rows):
        return {}
    columns: list[Mapping[str, float]] = [
        {
            "objective": row.objective or 0.0,
            **{f"criteria/{name}": value for name, value in row.criteria.items()},
            **{f"teacher/{name}": value for name, value in row.teacher_scores.items()},
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


@dataclass(frozen=True)
class Standing:
    """A trial's place on the leaderboard.

    Args:
        rank: From 1.
        trial: Number of the trial.
        point: What was searched.
        objective: Mean over seeds of the criterion that ranks.
        rows: One for each seed.
    """

    rank: int
    trial: int
    point: Point
    objective: float
    rows: Sequence[Row]

    @property
    def target_f1(self) -> tuple[float, float] | None:
        """Mean and standard deviation over seeds of target-test entity F1 (0 for one seed)."""
        return _spread([row.target_f1 for row in self.rows])

    @property
    def teacher_target_f1(self) -> tuple[float, float] | None:
        """The same of the teachers: direct transfer."""
        return _spread([row.teacher_target_f1 for row in self.rows])

    @property
    def best_row(self) -> Row:
        """The seed with the highest objective."""
        return max(self.rows, key=lambda row: row.objective or 0.0)


def _spread(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else 0.0


@dataclass(frozen=True)
class Pruned:
    """A trial that has no place on the leaderboard: it was stopped since it fell behind.

    Args:
        trial: Number of the trial.
        point: What was searched.
        epoch: Its last one.
        value: Mean over seeds of source-dev F1 after that epoch.
    """

    trial: int
    point: Point
    epoch: int
    value: float


def leaderboard(trials: Sequence[tuple[int, Point, float, Sequence[Row]]]) -> list[Standing]:
    """Rank trials, given as number, point, objective and rows; the earlier of equals first."""
    ordered = sorted(trials, key=lambda trial: (-trial[2], trial[0]))
    return [Standing(rank, *trial) for rank, trial in enumerate(ordered, start=1)]


MOST_COLUMNS = 4
"""Settings that have a column each; where there are more, one column at the end holds them all."""


def table(
    standings: Sequence[Standing],
    target: str,
    select: str = SOURCE_DEV,
    pruned: Sequence[Pruned] = (),
) -> Table:
    """Draw a leaderboard of students of a target language, ranked by a criterion."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    paths = ordered(standings[0].point) if standings else []
    own = paths if len(paths) <= MOST_COLUMNS else []
    numbers = (heading(select), f"{target}-test F1", "its teacher's", "trial")
    for name in ("rank", *map(label, own), *numbers):
        drawn.add_column(name, justify="right", no_wrap=True)
    if not own:
        drawn.add_column("settings", overflow="fold")

    def add(place: str, point: Point, *cells: str) -> None:
        values = [short(point[path]) for path in own]
        drawn.add_row(place, *values, *cells, *([] if own else [in_symbols(point)]))

    for standing in standings:
        scores = (standing.target_f1, standing.teacher_target_f1)
        shown = [_mean_and_deviation(found, len(standing.rows)) for found in scores]
        add(
            str(standing.rank),
            standing.point,
            f"{standing.objective:.4f}",
            *shown,
            str(standing.trial),
        )
    for stopped in pruned:
        end = f"after epoch {stopped.epoch}"
        add("pruned", stopped.point, f"{stopped.value:.4f}", end, "", str(stopped.trial))
    return drawn


def _mean_and_deviation(found: tuple[float, float] | None, seeds: int) -> str:
    if found is None:
        return "not scored"
    mean, deviation = found
    return f"{mean:.4f} ± {deviation:.4f}" if seeds > 1 else f"{mean:.4f}"


def write_csv(
    path: Path,
    standings: Sequence[Standing],
    select: str = SOURCE_DEV,
    pruned: Sequence[Pruned] = (),
) -> None:
    """Write a leaderboard, ranked by a criterion, one line a trial; pruned trials at its end."""
    records: list[dict[str, Any]] = []
    for standing in standings:
        found = means(standing.rows)
        mean, deviation = standing.target_f1 or (None, None)
        records.append(
            {
                "rank": standing.rank,
                "trial": standing.trial,
                "state": "complete",
                **standing.point,
                "select": select,
                "objective": standing.objective,
                **{_column(name): found.get(f"mean/criteria/{name}") for name in LABEL_FREE},
                "target_test_entity_f1_mean": mean,
                "target_test_entity_f1_std": deviation,
                "teacher_target_test_entity_f1_mean": (standing.teacher_target_f1 or (None,))[0],
                "seeds": " ".join(str(row.experiment.config.seed) for row in standing.rows),
                "teachers": " ".join(row.experiment.teacher.signature for row in standing.rows),
                "students": " ".join(row.experiment.student.signature for row in standing.rows),
            }
        )
    empty = dict.fromkeys(records[0] if records else ())
    for stopped in pruned:
        state = {"trial": stopped.trial, "state": f"pruned after epoch {stopped.epoch}"}
        records.append(empty | state | {**stopped.point, "select": select})
    write_records(path, records)


@dataclass(frozen=True)
class First:
    """The first place of a leaderboard that was written.

    Args:
        point: What was searched.
        source_dev: Its source-dev entity F1, mean over seeds, in [0, 1].
        students: Signatures of its students, one a seed.
    """

    point: Point
    source_dev: float
    students: tuple[str, ...]


def read_first(path: Path) -> First | None:
    """Read the first place of a leaderboard that `write_csv` wrote; None if it has none."""
    with path.open(newline="", encoding="utf-8") as file:
        record = next(csv.DictReader(file), None)
    if record is None or record["state"] != "complete":
        return None
    settings = flatten(ExperimentConfig().model_dump())
    texts = [f"{name}={text}" for name, text in record.items() if name in settings]
    source_dev = float(record[_column(SOURCE_DEV)])
    return First(dict(map(parse_override, texts)), source_dev, tuple(record["students"].split()))


def _column(criterion: str) -> str:
    return "source_dev_entity_f1" if criterion == SOURCE_DEV else criterion


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records with the same fields as CSV; nothing if there are none."""
    if records:
        write_atomically(path, lambda part: _write(part, records))


def _write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
