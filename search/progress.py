"""What a person sees meanwhile: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.estimate import EpochsLeft, Estimate
from search.plan import duration
from search.spent import DONE, FAILED, PRUNED, Spent

QUIET_SECONDS = 30.0
"""Longest silence while something trains, where no live table is drawn."""
NAMED = 4
"""Most runs that such a line names."""
FAILURES = 3
"""Latest failures that stay in the live table."""


@dataclass
class _Running:
    """A run that trains.

    Args:
        label: Who wanted it first.
        state: How far it is.
    """

    label: str
    state: str = "starting"


class Progress:
    """Counts what is done, and shows it.

    Args:
        console: Where to write; a live table is drawn if it is a terminal.
        clock: Seconds that never run back.
        quiet: Seconds after which a plain line says how it goes.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """Start counting."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.clock, self.quiet = clock, quiet
        self.estimate, self.spent = Estimate(clock), Spent(clock)
        self.title, self.measure = "", "source-dev F1"
        self.total = self.done = self.failed = 0
        self.best: tuple[float, str] | None = None
        self.running: dict[tuple[str, str], _Running] = {}
        self._failures: deque[str] = deque(maxlen=FAILURES)
        self._phase = ""
        self._live: Live | None = None
        self._over: threading.Event | None = None
        self._said_at = clock()

    def say(self, text: str) -> None:
        """Write a line; it is there at once, through a pipe too."""
        self._said_at = self.clock()
        self.console.print(Text(text))

    def begin(
        self, title: str, total: int, measure: str = "source-dev F1", width: int = 1
    ) -> None:
        """Start a group of results, such as the trials of a study.

        Args:
            title: What they belong to.
            total: How many there will be.
            measure: What their values are.
            width: Runs that train at the same time.
        """
        self.end()
        self.estimate.begin(width)
        self.spent.width = width
        self._failures.clear()
        self.measure = measure
        self.title, self.total, self.done, self.failed, self.best = title, total, 0, 0, None
        self._phase = ""
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self.console, refresh_per_second=2
            )
            self._live.start()
        else:
            self._over = threading.Event()
            threading.Thread(
                target=self._break_silence, args=(self._over,), name="progress", daemon=True
            ).start()

    def expect(self, left: EpochsLeft, later: Mapping[str, float] | None = None) -> None:
        """Tell the epochs that are left, as `search.estimate.Estimate.expect` takes them."""
        self.estimate.expect(left, later)

    def end(self) -> None:
        """Take the live table down; say nothing by itself any more."""
        if self._over is not None:
            self._over.set()
        if self._live is not None:
            self._live.stop()
            self._live = None
        self.running.clear()
        self.spent.end()

    def queued(self, counts: Mapping[str, int]) -> None:
        """Tell how many runs of each stage are to be trained; it is said once in a group."""
        named = [f"{n} {stage}{'s' if n > 1 else ''}" for stage, n in counts.items() if n]
        if named:
            is_first, self._phase = not self._phase, f"{', '.join(named)} to train"
            if is_first and self._live is None:
                self.say(f"{self.title}: {self._phase}" if self.title else self._phase)

    def started(self, stage: str, name: str, label: str = "") -> None:
        """Tell that a run was given to a worker, and who wanted it first."""
        self.running[stage, name] = _Running(label)
        self.spent.started(stage, name)
        self.estimate.started(stage, name)

    def advanced(self, stage: str, name: str, epoch: int, num_epochs: int) -> None:
        """Tell that a run has finished an epoch."""
        if (run := self.running.get((stage, name))) is not None:
            run.state = f"epoch {epoch} of {num_epochs}"
        self.estimate.advanced(stage, name, epoch, num_epochs)

    def ended(self, stage: str, name: str) -> None:
        """Tell that a run has left its worker."""
        self.running.pop((stage, name), None)
        self.spent.ended(stage, name)
        self.estimate.ended(stage, name)

    def result(
        self, label: str, value: float | None, reason: str = "", *, pruned: bool = False
    ) -> None:
        """Show a result, and remember it if it is the best so far.

        Args:
            label: What it is the result of.
            value: The measure, higher is better; None if it failed or was pruned.
            reason: Why.
            pruned: Whether it was stopped since it fell behind, which is no failure.
        """
        if pruned:
            self.done += 1
            self.spent.results[PRUNED] += 1
            shown = reason
        elif value is None:
            self.failed += 1
            self.spent.results[FAILED] += 1
            self._failures.append(f"{label}: {reason}")
            shown = f"failed: {reason}"
        else:
            self.done += 1
            self.spent.results[DONE] += 1
            if self.best is None or value > self.best[0]:
                self.best = (value, label)
            shown = f"{self.measure} {value:.4f}"
        line = f"[{self.done + self.failed}/{self.total}] {label}: {shown}"
        if self.best is not None:
            line += f" (best {self.best[0]:.4f}{self._left_in_words()})"
        self.say(line)

    def _left_in_words(self) -> str:
        left = self.estimate.seconds()
        return f", about {duration(left)} left" if left else ""

    def line(self) -> str:
        """Return how it goes: what is done, what runs and how far it is, what is left."""
        runs = [
            " ".join([stage, name, *([f"for {run.label}"] if run.label else []), run.state])
            for (stage, name), run in list(self.running.items())
        ]
        more = [f"{len(runs) - NAMED} more"] if len(runs) > NAMED else []
        named = f" ({', '.join([*runs[:NAMED], *more])})" if runs else ""
        failed = f", {self.failed} failed" if self.failed else ""
        head = f"{self.title}: {self.done} of {self.total} done{failed}"
        return f"{head}, {len(runs)} running{named}{self._left_in_words()}"

    def _break_silence(self, over: threading.Event) -> None:
        while not over.wait(min(1.0, self.quiet / 4)):
            if self.running and self.clock() - self._said_at >= self.quiet:
                self.say(self.line())

    def _table(self) -> RenderableType:
        head = f"{self.title}: {self.done} of {self.total} done, {self.failed} failed"
        head += f", {len(self.running)} running{self._left_in_words()}"
        lines = [Text(head, style="bold")]
        if self.best is not None:
            lines.append(Text(f"best so far: {self.best[0]:.4f}  {self.best[1]}"))
        if self._phase:
            lines.append(Text(self._phase))
        for failure in self._failures:
            lines.append(Text(f"failed: {failure}", style="red"))
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for (stage, name), run in list(self.running.items()):
            left = self.estimate.of_run(stage, name) or 0.0
            text = f"about {duration(left)} left" if round(left) else ""
            table.add_row(stage, name, run.label, run.state, text)
        for line in lines:
            line.truncate(self.console.width, overflow="ellipsis")  # one line each: it stays put
        return Group(*lines, table)
