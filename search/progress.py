"""What a person sees meanwhile: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from prokd.runs import Kind
from search.plan import duration


class Progress:
    """Counts what is done, and shows it.

    Args:
        console: Where to write; a live table is drawn if it is a terminal.
        clock: Seconds that never run back.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start counting."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.clock = clock
        self.title, self.measure = "", "source-dev F1"
        self.total = self.done = self.failed = 0
        self.best: tuple[float, str] | None = None
        self.running: dict[tuple[Kind, str], str] = {}
        self._begun: float | None = None
        self._known = 0
        self._phase = ""
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Write a line."""
        self.console.print(Text(text))

    def begin(self, title: str, total: int, measure: str = "source-dev F1") -> None:
        """Start a group of results, such as the trials of a study.

        Args:
            title: What they belong to.
            total: How many there will be.
            measure: What their values are.
        """
        self.end()
        self.measure = measure
        self.title, self.total, self.done, self.failed, self.best = title, total, 0, 0, None
        self._begun, self._known, self._phase = None, 0, ""
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self.console, refresh_per_second=2
            )
            self._live.start()

    def end(self) -> None:
        """Take the live table down."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self.running.clear()

    def phase(self, kind: Kind, number: int) -> None:
        """Tell that runs of a kind are about to be trained."""
        if number:
            settled = self.done + self.failed
            # Teachers that all students wait for are no measure of what a student takes.
            if self._begun is None or (kind == "student" and settled == self._known):
                self._begun, self._known = self.clock(), settled
            self._phase = f"{number} {kind}{'s' if number > 1 else ''} to train"
            if self._live is None:
                self.say(f"{self.title}: {self._phase}")

    def started(self, kind: Kind, name: str) -> None:
        """Tell that a run was given to a worker."""
        self.running[kind, name] = "starting"

    def advanced(self, kind: Kind, name: str, epoch: int, num_epochs: int) -> None:
        """Tell that a run has finished an epoch."""
        self.running[kind, name] = f"epoch {epoch} of {num_epochs}"

    def ended(self, kind: Kind, name: str) -> None:
        """Tell that a run has left its worker."""
        self.running.pop((kind, name), None)

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
            shown = reason
        elif value is None:
            self.failed += 1
            shown = f"failed: {reason}"
        else:
            self.done += 1
            if self.best is None or value > self.best[0]:
                self.best = (value, label)
            shown = f"{self.measure} {value:.4f}"
        line = f"[{self.done + self.failed}/{self.total}] {label}: {shown}"
        if self.best is not None:
            line += f" (best {self.best[0]:.4f}{self._left_in_words()})"
        self.say(line)

    def seconds_left(self) -> float | None:
        """Estimate the seconds until the last result; None before the first one is trained."""
        settled = self.done + self.failed
        if self._begun is None or settled <= self._known:
            return None
        rate = (self.clock() - self._begun) / (settled - self._known)
        return rate * max(0, self.total - settled)

    def _left_in_words(self) -> str:
        left = self.seconds_left()
        return f", about {duration(left)} left" if left else ""

    def _table(self) -> RenderableType:
        head = f"{self.title}: {self.done} of {self.total} done, {self.failed} failed"
        left = self.seconds_left()
        head += f", {len(self.running)} running" + (f", {duration(left)} left" if left else "")
        lines = [Text(head, style="bold")]
        if self.best is not None:
            lines.append(Text(f"best so far: {self.best[0]:.4f}  {self.best[1]}"))
        if self._phase:
            lines.append(Text(self._phase))
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for (kind, name), state in self.running.items():
            table.add_row(kind, name, state)
        return Group(*lines, table)
