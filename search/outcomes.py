"""What is said of a run while it is on its way, and what is asked about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from search.experiments import Experiment


@dataclass(frozen=True)
class Outcome:
    """How a stage run ended.

    Args:
        state: ``done``, ``collapsed``, ``refused`` (a mistake in its input), ``pruned``,
            ``paused`` (out of time) or ``error``.
        reason: In words, if it is not done.
    """

    state: str
    reason: str = ""


Finished = Callable[[Experiment, Outcome], None]
Judge = Callable[[str, int, float], str | None]
"""From a run's key, an epoch and the criterion after it to the reason to stop; None = go on."""


class More(Protocol):
    """Gives experiments while the search goes on."""

    def __call__(self, number: int) -> Sequence[Experiment]:
        """Return experiments for so many free workers; none if there are no more."""
        ...


def no_more(number: int) -> Sequence[Experiment]:
    """Give none."""
    return ()
