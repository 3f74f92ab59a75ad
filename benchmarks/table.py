"""The table of measurements: one line each, as text, Markdown and CSV."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One measurement.

    Args:
        part: Of the benchmark.
        what: Is measured.
        ours: Median of this project, with its unit.
        other: Median of what it is held against, with its unit; empty without.
        result: The ratio (or share, or difference) as median and range.
        target: What was aimed at; empty without.
        repeats: Number of measurements of each.
        value: The result as a number.
    """

    part: str
    what: str
    ours: str
    other: str
    result: str
    target: str
    repeats: int
    value: float


def ratio_line(
    part: str,
    what: str,
    ours: Sequence[float],
    other: Sequence[float],
    *,
    target: str = "",
    unit: str = "s",
) -> Line:
    """Return how many times larger the other's numbers are than ours, pair by pair."""
    ratios = [theirs / mine for mine, theirs in zip(ours, other, strict=True)]
    middle = statistics.median(ratios)
    return Line(
        part,
        what,
        f"{statistics.median(ours):.3g} {unit}",
        f"{statistics.median(other):.3g} {unit}",
        f"{middle:.2f}x ({min(ratios):.2f}-{max(ratios):.2f})",
        target,
        len(ratios),
        middle,
    )


def mean_and_deviation(values: Sequence[float]) -> str:
    """Write mean and standard deviation of scores in [0, 1]."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.4f} ± {spread:.4f}"


def interleaved(
    ours: Callable[[int], float | None],
    other: Callable[[int], float | None],
    repeats: int,
    *,
    here: bool = True,
) -> tuple[list[float], list[float]]:
    """Time two things in turns, A B A B, so that a busy machine is busy for both.

    Args:
        ours: Is called with 0, 1, ...; returns its cost, or None for the seconds that it took.
        other: The same of the other side.
        repeats: Number of turns.
        here: Whether seconds are those of the processor in this process, which other programs do
            not lengthen; else those of the clock on the wall.
    """
    clock = process_time if here else perf_counter
    results: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        for side, call in zip(results, (ours, other), strict=True):
            started = clock()
            cost = call(turn)
            side.append(clock() - started if cost is None else cost)
    return results


HEADINGS = ("part", "what", "ours", "other", "result", "target", "repeats")


def show(lines: Sequence[Line], title: str) -> None:
    """Print the table."""
    drawn = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in HEADINGS:
        drawn.add_column(name, no_wrap=name != "what")
    for line in lines:
        drawn.add_row(*(str(getattr(line, name)) for name in HEADINGS))
    Console(width=170).print(drawn)


def markdown(lines: Sequence[Line]) -> list[str]:
    """Return the rows of the table as Markdown."""
    rows = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    return rows + [f"| {' | '.join(str(getattr(x, name)) for name in HEADINGS)} |" for x in lines]


def write(lines: Sequence[Line], folder: Path, title: str) -> None:
    """Write ``table.md`` and ``table.csv``; nothing without lines."""
    if not lines:
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(markdown(lines))
    (folder / "table.md").write_text(f"{title}\n\n{text}\n", encoding="utf-8")
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(asdict(lines[0])))
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)
