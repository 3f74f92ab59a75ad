"""The leaderboard of a study, its table and its CSV file."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from prokd.config import parse_override
from prokd.runs.folder import SOURCE_DEV
from search.results import Row, heading, label_free, means, write_records
from search.spaces import Point, in_symbols, label, ordered, short

LEADERBOARD = "leaderboard.csv"
RESULTS = "results"
"""The column of the signatures of results, which runs are named by."""


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
    def transfer_target_f1(self) -> tuple[float, float] | None:
        """The same of direct transfer."""
        return _spread([row.transfer_target_f1 for row in self.rows])

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
    """Draw a leaderboard of results on a target language, ranked by a criterion."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    paths = ordered(standings[0].point) if standings else []
    own = paths if len(paths) <= MOST_COLUMNS else []
    beside = _transfer_heading(standings)
    numbers = (heading(select), f"{target}-test F1", beside, "trial")
    for name in ("rank", *map(label, own), *numbers):
        drawn.add_column(name, justify="right", no_wrap=True)
    if not own:
        drawn.add_column("settings", overflow="fold")

    def add(place: str, point: Point, *cells: str) -> None:
        values = [short(point[path]) for path in own]
        drawn.add_row(place, *values, *cells, *([] if own else [in_symbols(point)]))

    for standing in standings:
        scores = (standing.target_f1, standing.transfer_target_f1)
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


def _transfer_heading(standings: Sequence[Standing]) -> str:
    """Return the heading of direct transfer: the stage that shows it."""
    stage = standings[0].rows[0].experiment.transfer_stage if standings else None
    return f"its {stage}'s" if stage else "direct transfer"


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
        experiments = [row.experiment for row in standing.rows]
        criteria = label_free(experiments[0].config)
        records.append(
            {
                "rank": standing.rank,
                "trial": standing.trial,
                "state": "complete",
                **standing.point,
                "select": select,
                "objective": standing.objective,
                **{_column(name): found.get(f"mean/criteria/{name}") for name in criteria},
                "target_test_entity_f1_mean": mean,
                "target_test_entity_f1_std": deviation,
                "transfer_target_test_entity_f1_mean": (standing.transfer_target_f1 or (None,))[0],
                "seeds": " ".join(str(e.config.seed) for e in experiments),
                **{
                    name: " ".join(e.folder(name).signature for e in experiments)
                    for name in experiments[0].graph.names
                },
                RESULTS: " ".join(e.result.signature for e in experiments),
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
        results: Signatures of its results, one a seed.
    """

    point: Point
    source_dev: float
    results: tuple[str, ...]


def read_first(path: Path) -> First | None:
    """Read the first place of a leaderboard that `write_csv` wrote; None if it has none."""
    with path.open(newline="", encoding="utf-8") as file:
        record = next(csv.DictReader(file), None)
    if record is None or record["state"] != "complete":
        return None
    texts = [f"{name}={text}" for name, text in record.items() if "." in name]  # settings
    source_dev = float(record[_column(SOURCE_DEV)])
    return First(dict(map(parse_override, texts)), source_dev, tuple(record[RESULTS].split()))


def _column(criterion: str) -> str:
    return "source_dev_entity_f1" if criterion == SOURCE_DEV else criterion
