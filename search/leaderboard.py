"""The leaderboard of a study, and its table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from prokd.runs.estimates import estimate_in_words
from prokd.runs.folder import SOURCE_DEV
from search.choice import METHOD, Point
from search.results import Row, heading
from search.spaces import in_symbols, label, ordered, short


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
    def estimated_f1(self) -> float | None:
        """Mean over seeds of the F1 that is estimated without labels; None where none is."""
        found = _spread([row.estimate[0] if row.estimate else None for row in self.rows])
        return found[0] if found else None

    @property
    def method(self) -> str:
        """The name of its method."""
        return self.rows[0].experiment.config.method

    @property
    def seconds(self) -> float | None:
        """What the training of all its stages took, mean over seeds; None if it is not known."""
        known = [row.seconds for row in self.rows if row.seconds is not None]
        return statistics.fmean(known) if known and len(known) == len(self.rows) else None

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
    """Draw a leaderboard of results on a target language, ranked by a criterion.

    Where methods are compared each result has what it cost, and one column holds all settings:
    columns of their own would be blank for the other methods.
    """
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    paths = columns([standing.point for standing in standings])
    settings = [path for path in paths if path != METHOD]
    several = METHOD in paths
    together = settings if several or len(settings) > MOST_COLUMNS else []
    own = [path for path in paths if path not in together]
    beside = _transfer_heading(standings)
    cost = ["seconds"] if several else []
    numbers = (heading(select), f"{target}-test F1", beside, *cost, "trial")
    for name in ("rank", *map(label, own), *numbers):
        drawn.add_column(name, justify="right", no_wrap=True)
    if together:
        drawn.add_column("settings", overflow="fold")

    def add(place: str, point: Point, *cells: str) -> None:
        values = [short(point[path]) if path in point else "" for path in own]
        others = {path: value for path, value in point.items() if path not in own}
        drawn.add_row(place, *values, *cells, *([in_symbols(others)] if together else []))

    for standing in standings:
        add(
            str(standing.rank),
            standing.point,
            f"{standing.objective:.4f}",
            _score(standing),
            _transfer(standing),
            *(_seconds(standing) for _ in cost),
            str(standing.trial),
        )
    for stopped in pruned:
        end = f"after epoch {stopped.epoch}"
        blank = ["" for _ in cost]
        add("pruned", stopped.point, f"{stopped.value:.4f}", end, "", *blank, str(stopped.trial))
    return drawn


def estimate_line(standings: Sequence[Standing]) -> str | None:
    """Say what is estimated of the first place, if its target has no labelled test split."""
    best = standings[0].best_row if standings else None
    known = best and estimate_in_words(best.scores, best.experiment.config.target)
    return f"first place: {known} (docs/text.md says how far to trust it)" if known else None


def columns(points: Sequence[Point]) -> list[str]:
    """Return the settings that any of some points has, the method first."""
    return ordered(dict.fromkeys(path for point in points for path in point))


def _score(standing: Standing) -> str:
    """Write the score on target test; where there is none, what is estimated without labels."""
    if standing.target_f1 is None and standing.estimated_f1 is not None:
        return f"about {standing.estimated_f1:.2f}?"
    return mean_and_deviation(standing.target_f1, len(standing.rows))


def _transfer_heading(standings: Sequence[Standing]) -> str:
    """Return the heading of direct transfer: the stage that shows it, where it is one."""
    stages = {standing.rows[0].experiment.transfer_stage for standing in standings} - {None}
    return f"its {stages.pop()}'s" if len(stages) == 1 else "direct transfer"


def _transfer(standing: Standing) -> str:
    has_one = standing.rows[0].experiment.transfer_stage is not None
    score = mean_and_deviation(standing.transfer_target_f1, len(standing.rows))
    return score if has_one else "-"


def _seconds(standing: Standing) -> str:
    return "-" if standing.seconds is None else f"{standing.seconds:.0f}"


def mean_and_deviation(found: tuple[float, float] | None, seeds: int) -> str:
    """Write a score, and its deviation if there are several seeds."""
    if found is None:
        return "not scored"
    mean, deviation = found
    return f"{mean:.4f} ± {deviation:.4f}" if seeds > 1 else f"{mean:.4f}"


def print_table(console: Console, shown: Table) -> None:
    """Print a table; in a file, which has no width of its own, no heading is cut."""
    if not console.is_terminal:
        endless = Console(width=100_000)
        for column in shown.columns:
            if column.no_wrap:
                column.min_width = max(
                    Measurement.get(endless, endless.options, cell).maximum
                    for cell in (column.header, *column.cells)
                )
        least = Measurement.get(endless, endless.options, shown).minimum
        console = Console(width=max(120, least), file=console.file)
    console.print(shown)
