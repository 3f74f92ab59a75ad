"""Jobs on their way to Ray Tune, which asks for them as for a search's suggestions."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

from ray.tune.search import Searcher

from search.parking import Event


class JobQueue(Searcher):
    """Hands out jobs in order; nothing is searched. There may be more later, until it is closed.

    Args:
        events: Is told of jobs that are not handed out because their batch is over.
    """

    def __init__(self, events: SimpleQueue[Event]) -> None:
        """Make an empty queue."""
        super().__init__()
        self.events, self.closed = events, False
        self._waiting: deque[tuple[dict[str, Any], Callable[[], bool]]] = deque()
        self._news = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        # Ray saves its Tuner; ours is never restored and cannot be saved.
        return {}

    def put(self, jobs: Sequence[dict[str, Any]], is_over: Callable[[], bool]) -> None:
        """Add jobs, none of which is handed out once their batch is over."""
        self._waiting.extend((job, is_over) for job in jobs)
        self._news.set()

    def close(self) -> None:
        """Say that there will be no job any more."""
        self.closed = True
        self._news.set()

    def wait(self, seconds: float) -> None:
        """Return when there is something new to suggest, or after so long."""
        self._news.wait(seconds)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return the next job, that there is none now, or that there will be none."""
        if self.closed:
            return str(self.FINISHED)
        self._news.clear()  # before the look: what is put in later is news
        while self._waiting:
            job, is_over = self._waiting.popleft()
            if not is_over():
                return job
            self.events.put(Event(job["batch"], "late", job["signature"]))
        return None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the scheduler tells what becomes of jobs."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a search is taken up from its folders, never from Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, like `save`."""
