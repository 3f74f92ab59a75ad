"""What came out of each of several methods that one search has chosen among."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from prokd.runs.folder import SOURCE_DEV
from search.leaderboard import Standing, mean_and_deviation
from search.results import heading


@dataclass(frozen=True)
class Share:
    """A method's part in a search.

    Args:
        method: Its name.
        trials: Number of its trials that have ended, those that collapsed or were pruned among
            them.
        best: The first of its results; None without one.
        seconds: Mean over its results of what the training of all their stages took; None if it
            is known of none.
    """

    method: str
    trials: int
    best: Standing | None
    seconds: float | None


def shares_of(
    methods: Iterable[str], ended: Iterable[str], standings: Sequence[Standing]
) -> list[Share]:
    """Return the parts of methods, in their order.

    Args:
        methods: Their names.
        ended: The name of each ended trial's method.
        standings: The leaderboard.
    """
    counts = Counter(ended)
    found = []
    for method in methods:
        own = [s for s in standings if s.method == method]
        costs = [s.seconds for s in own if s.seconds is not None]
        mean = statistics.fmean(costs) if costs else None
        found.append(Share(method, counts[method], own[0] if own else None, mean))
    return found


def shares_table(shares: Sequence[Share], target: str, select: str = SOURCE_DEV) -> Table:
    """Draw the best result of each method on a target language, chosen by a criterion."""
    drawn = Table(
        title="best of each method",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    drawn.add_column("method", no_wrap=True)
    names = ("trials", heading(select), f"{target}-test F1", "trial", "seconds (mean)")
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for share in shares:
        best = share.best
        drawn.add_row(
            share.method,
            str(share.trials),
            f"{best.objective:.4f}" if best else "-",
            mean_and_deviation(best.target_f1, len(best.rows)) if best else "-",
            str(best.trial) if best else "-",
            "-" if share.seconds is None else f"{share.seconds:.0f}",
        )
    return drawn
