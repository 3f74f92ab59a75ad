"""The time that is left of training, from epochs: how many are left, and what one takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.experiments import Experiment

EpochsLeft = Mapping[str, Mapping[str, int]]


def epochs_left(experiments: Sequence[Experiment]) -> dict[str, dict[str, int]]:
    """Return the epochs that are left of each distinct run, by stage and key.

    A run is left out where no unfinished result waits for it.
    """
    left: dict[str, dict[str, int]] = {}
    looked_at = set()
    for experiment in experiments:
        name = experiment.key(experiment.result_stage)
        if name in looked_at:
            continue
        looked_at.add(name)
        if experiment.result.done or experiment.result.failure() is not None:
            continue
        for stage in experiment.graph.names:
            key, folder = experiment.key(stage), experiment.folder(stage)
            if key not in left.setdefault(stage, {}) and not folder.done:
                left[stage][key] = max(0, experiment.epochs(stage) - len(folder.history()))
    return left


class Estimate:
    """Counts epochs and their time, stage by stage; estimates what is left.

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
        self.left: dict[str, dict[str, int]] = {}
        self.later: dict[str, float] = {}
        self._since: dict[tuple[str, str], float] = {}
        self._spent: dict[str, float] = {}
        self._epochs: dict[str, int] = {}
        self._last = self.clock()

    def expect(self, left: EpochsLeft, later: Mapping[str, float] | None = None) -> None:
        """Take the epochs that are left of further runs, as `epochs_left` returns them.

        Args:
            left: Of runs that are known.
            later: Of all that will be asked for later, by stage; None = nothing.
        """
        for stage, runs in left.items():
            self.left.setdefault(stage, {}).update(runs)
        self.later = dict(later or {})

    def started(self, stage: str, name: str) -> None:
        """Begin to measure a run."""
        self._since[stage, name] = self._last = self.clock()

    def advanced(self, stage: str, name: str, epoch: int, num_epochs: int) -> None:
        """Take the time of an epoch, and of all that came before it."""
        now = self.clock()
        if (since := self._since.get((stage, name))) is not None:
            self._spent[stage] = self._spent.get(stage, 0.0) + now - since
            self._epochs[stage] = self._epochs.get(stage, 0) + 1
            self._since[stage, name] = now
        if name in self.left.get(stage, {}):
            self.left[stage][name] = max(0, num_epochs - epoch)
        self._last = now

    def ended(self, stage: str, name: str) -> None:
        """Leave a run out, whatever its end."""
        self._since.pop((stage, name), None)
        self.left.get(stage, {}).pop(name, None)

    def seconds(self) -> float | None:
        """Return the seconds that are left; None until an epoch of each stage to come is known."""
        sums = {stage: float(sum(runs.values())) for stage, runs in self.left.items()}
        for stage, epochs in self.later.items():
            sums[stage] = sums.get(stage, 0.0) + epochs
        rates = {stage: self._rate(stage) for stage, epochs in sums.items() if epochs}
        if not rates or None in rates.values():
            return None
        known = {stage: rate or 0.0 for stage, rate in rates.items()}
        work = sum(sums[stage] * rate for stage, rate in known.items())
        # No run ends before those that it needs: one of each stage is trained after the other.
        longest = sum(
            max(self.left.get(stage, {}).values(), default=0) * rate
            for stage, rate in known.items()
        )
        whole = max(work / self.width, longest)
        # Epochs are told when they have ended: meanwhile the time of one runs down.
        step = max(known.values()) / self.width
        return max(0.0, whole - min(self.clock() - self._last, step))

    def of_run(self, stage: str, name: str) -> float | None:
        """Return the seconds that are left of a run; None before the first epoch of its stage."""
        rate, epochs = self._rate(stage), self.left.get(stage, {}).get(name)
        if rate is None or epochs is None:
            return None
        now = self.clock()
        return max(0.0, rate * epochs - (now - self._since.get((stage, name), now)))

    def _rate(self, stage: str) -> float | None:
        """Return the seconds of an epoch; None before the first."""
        return self._spent[stage] / self._epochs[stage] if stage in self._epochs else None
