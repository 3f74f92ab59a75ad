"""The leaderboard of a study as a CSV file: one line a trial."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prokd.config import parse_override
from prokd.runs.folder import SOURCE_DEV
from search.choice import METHOD, Point
from search.experiments import Experiment, stages_of
from search.leaderboard import Pruned, Standing, columns
from search.results import label_free, means, write_records

LEADERBOARD = "leaderboard.csv"
RESULTS = "results"
"""The column of the signatures of results, which runs are named by."""


def write_csv(
    path: Path,
    standings: Sequence[Standing],
    select: str = SOURCE_DEV,
    pruned: Sequence[Pruned] = (),
) -> None:
    """Write a leaderboard, ranked by a criterion, one line a trial; pruned trials at its end."""
    records: list[dict[str, Any]] = []
    paths = columns([*(s.point for s in standings), *(p.point for p in pruned)])
    every = [row.experiment for standing in standings for row in standing.rows]
    criteria = dict.fromkeys(name for e in every for name in label_free(e.config))
    stages = stages_of(every)
    for standing in standings:
        found = means(standing.rows)
        mean, deviation = standing.target_f1 or (None, None)
        experiments = [row.experiment for row in standing.rows]
        records.append(
            {
                "rank": standing.rank,
                "trial": standing.trial,
                "state": "complete",
                **_cells(standing.point, paths),
                "select": select,
                "objective": standing.objective,
                **{_column(name): found.get(f"mean/criteria/{name}") for name in criteria},
                "target_test_entity_f1_mean": mean,
                "target_test_entity_f1_std": deviation,
                "estimated_target_entity_f1_mean": standing.estimated_f1,
                "transfer_target_test_entity_f1_mean": (standing.transfer_target_f1 or (None,))[0],
                **({"seconds": standing.seconds} if METHOD in paths else {}),
                "seeds": " ".join(str(e.config.seed) for e in experiments),
                **{name: _signatures(experiments, name) for name in stages},
                RESULTS: " ".join(e.result.signature for e in experiments),
            }
        )
    for stopped in pruned:
        state = {"trial": stopped.trial, "state": f"pruned after epoch {stopped.epoch}"}
        records.append(state | _cells(stopped.point, paths) | {"select": select})
    write_records(path, records)


def _signatures(experiments: Sequence[Experiment], stage: str) -> str:
    return " ".join(e.folder(stage).signature for e in experiments if stage in e.graph.names)


def _cells(point: Point, paths: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a line: no value is ``null``, and what a method lacks is blank."""
    written = {path: "null" if value is None else value for path, value in point.items()}
    return {path: written.get(path, "") for path in paths}


@dataclass(frozen=True)
class First:
    """The first place of a leaderboard that was written.

    Args:
        point: What was searched.
        source_dev: Its source-dev entity F1, mean over seeds, in [0, 1].
        results: Signatures of its results, one a seed.
        method: Its method, where the search was over several.
        select: The criterion that the places are by.
    """

    point: Point
    source_dev: float
    results: tuple[str, ...]
    method: str | None = None
    select: str = SOURCE_DEV


def read_first(path: Path, method: str | None = None) -> First | None:
    """Read the first place of a leaderboard that `write_csv` wrote; None if it has none.

    Args:
        path: Of the file.
        method: Of several on one leaderboard, whose first place is asked for; None = any.
    """
    with path.open(newline="", encoding="utf-8") as file:
        for record in csv.DictReader(file):
            if record["state"] == "complete" and method in (None, record.get(METHOD, method)):
                return _first(record)
    return None


def _first(record: Mapping[str, str]) -> First:
    settings = {name: text for name, text in record.items() if "." in name}
    if METHOD in record:  # a blank is a setting that the method lacks
        settings = {name: text for name, text in settings.items() if text}
    point = dict(parse_override(f"{name}={text}") for name, text in settings.items())
    source_dev = float(record[_column(SOURCE_DEV)])
    results = tuple(record[RESULTS].split())
    return First(point, source_dev, results, record.get(METHOD), record["select"])


def _column(criterion: str) -> str:
    return "source_dev_entity_f1" if criterion == SOURCE_DEV else criterion
