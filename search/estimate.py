"""The time that is left of training, from epochs: how many are left, and what one takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from prokd.runs.folder import Kind

if TYPE_CHECKING:
    from search.plan import Experiment

KINDS: tuple[Kind, ...] = ("teacher", "student")
EpochsLeft = Mapping[Kind, Mapping[str, int]]


def epochs_left(experiments: Sequence[Experiment]) -> dict[Kind, dict[str, int]]:
    """Return the epochs that are left of each distinct run, by kind and key.

    A teacher is left out where no unfinished student waits for it.
    """
    left: dict[Kind, dict[str, int]] = {"teacher": {}, "student": {}}
    looked_at = set()
    for experiment in experiments:
        name = experiment.key("student")
        if name in looked_at:
            continue
        looked_at.add(name)
        if experiment.student.done or experiment.student.failure() is not None:
            continue
        for kind in KINDS:
            key, folder = experiment.key(kind), experiment.folder(kind)
            if key not in left[kind] and not folder.done:
                settings = getattr(experiment.config, kind)
                left[kind][key] = max(0, settings.epochs - len(folder.history()))
    return left


class Estimate:
    """Counts epochs and their time, of teachers and of students; estimates what is left.

    Args:
        clock: Seconds that never run back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet."""
        self.clock = clock
        self.begin(1)

    def begin(self, width: int) -> None:
        """Begin anew, for a group of runs.

        Args:
            width: Runs that train at the same time.
        """
        self.width = width
        self.left: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        self._since: dict[tuple[Kind, str], float] = {}
        self._spent: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
        self._epochs: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._last = self.clock()

    def expect(self, left: EpochsLeft) -> None:
        """Take the epochs that are left of all runs, as `epochs_left` returns them."""
        self.left = {kind: dict(left[kind]) for kind in KINDS}

    def started(self, kind: Kind, name: str) -> None:
        """Begin to measure a run."""
        self._since[kind, name] = self._last = self.clock()

    def advanced(self, kind: Kind, name: str, epoch: int, num_epochs: int) -> None:
        """Take the time of an epoch, and of all that came before it."""
        now = self.clock()
        if (since := self._since.get((kind, name))) is not None:
            self._spent[kind] += now - since
            self._epochs[kind] += 1
            self._since[kind, name] = now
        if name in self.left[kind]:
            self.left[kind][name] = max(0, num_epochs - epoch)
        self._last = now

    def ended(self, kind: Kind, name: str) -> None:
        """Leave a run out, whatever its end."""
        self._since.pop((kind, name), None)
        self.left[kind].pop(name, None)

    def seconds(self) -> float | None:
        """Return the seconds that are left; None until an epoch of each kind to come is known."""
        sums = {kind: sum(self.left[kind].values()) for kind in KINDS}
        if any(sums[kind] and not self._epochs[kind] for kind in KINDS) or not any(sums.values()):
            return None
        rates = {kind: self._spent[kind] / max(1, self._epochs[kind]) for kind in KINDS}
        work = sum(sums[kind] * rates[kind] for kind in KINDS)
        # No student ends before its teacher: one of each is trained after the other.
        longest = sum(max(self.left[kind].values(), default=0) * rates[kind] for kind in KINDS)
        whole = max(work / self.width, longest)
        # Epochs are told when they have ended: meanwhile the time of one runs down.
        step = max(rates[kind] for kind in KINDS if sums[kind]) / self.width
        return max(0.0, whole - min(self.clock() - self._last, step))
