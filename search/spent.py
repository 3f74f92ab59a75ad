"""Where the time of a command went: before anything trained, in stages, and with idle workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from search.plan import duration

DONE, FAILED, PRUNED = "done", "failed", "pruned"
"""How results end."""


class Spent:
    """Adds up what runs take and how results end, over all groups of a command.

    Args:
        clock: Seconds that never run back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock."""
        self.clock, self._begun = clock, clock()
        self.width = 1
        """Runs that train at the same time."""
        self.results: Counter[str] = Counter()
        self._first: float | None = None
        self._since: dict[tuple[str, str], float] = {}
        self._stages: dict[str, float] = {}

    def started(self, stage: str, name: str) -> None:
        """Begin to count a run; one that is given to another worker goes on."""
        now = self.clock()
        self._first = now if self._first is None else self._first
        self._since.setdefault((stage, name), now)

    def ended(self, stage: str, name: str) -> None:
        """Add what a run took, whatever its end."""
        if (since := self._since.pop((stage, name), None)) is not None:
            self._stages[stage] = self._stages.get(stage, 0.0) + self.clock() - since

    def end(self) -> None:
        """Add what the runs took that have not ended."""
        for place in list(self._since):
            self.ended(*place)

    def lines(self, processor: float = 0.0, cpus: float = 1.0) -> list[str]:
        """Write it for a reader.

        Args:
            processor: Processor seconds of the workers in stages.
            cpus: Processors that one worker is given.
        """
        whole, busy = self.clock() - self._begun, sum(self._stages.values())
        first = "" if self._first is None else f", {duration(self._first - self._begun)} of it"
        lines = [f"time: {duration(whole)}{first and first + ' before the first run began'}"]
        if busy:
            stages = ", ".join(f"{s}s {duration(seconds)}" for s, seconds in self._stages.items())
            share = min(1.0, busy / (whole * self.width))
            lines.append(
                f"in runs: {stages}; {self.width} at a time, {share:.0%} of the time at work, "
                f"else starting or waiting"
            )
            lines.append(f"processors: {processor / (busy * cpus):.0%} of those given to runs")
        ends = [
            f"{self.results[end]} {end}" for end in (DONE, FAILED, PRUNED) if self.results[end]
        ]
        return [*lines, f"results: {', '.join(ends)}"] if ends else lines
