"""What has changed and has to be sent to MLflow: marked once, parents before their children."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prokd.config import ExperimentConfig
from search.experiments import Experiment
from search.records.datasets import DataSet
from search.records.record import STAGE, Record, experiment_name, stage_key, stage_record
from search.records.store import Store

PLACE = ("name", "parent_run", "variant", "tags", "used_by")
"""What an experiment says of the place of its stage runs in MLflow."""
LEVELS = {"search": 0, "ablation": 0, "trial": 1, "variant": 1, STAGE: 2}
"""Parents are made before their children; what is not named here comes last."""


@dataclass(frozen=True)
class Change:
    """Something of which MLflow may not hold the latest.

    Args:
        key: What it is, its kind before a colon.
        label: The same for a person.
        send: Brings MLflow up to date; it may be called at any time, and twice.
        tries: How often it failed at a store that answers.
    """

    key: str
    label: str
    send: Callable[[Store], object]
    tries: int = 0


def record_change(key: str, label: str, read: Callable[[], Record]) -> Change:
    """Return a change whose record is read when it is sent."""
    return Change(key, label, lambda store: store.bring(read()))


class Changes:
    """Changes that wait to be sent, at most one of each thing; safe behind a lock alone."""

    def __init__(self) -> None:
        """Hold none."""
        self._levels: list[dict[str, Change]] = [{} for _ in range(max(LEVELS.values()) + 2)]
        self._refused: dict[str, Change] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._levels))

    @property
    def num_refused(self) -> int:
        """Number of those that MLflow does not take, and that do not wait."""
        return len(self._refused)

    def put(self, change: Change) -> None:
        """Let a change wait, in the place of an earlier one of the same thing, if one waits."""
        self._refused.pop(change.key, None)
        self._level(change)[change.key] = change

    def put_back(self, change: Change) -> None:
        """Let a change wait once more, behind the others, if its thing has not changed since."""
        self._level(change).setdefault(change.key, change)

    def pop(self) -> Change:
        """Take out the one that is to be sent next."""
        level = next(level for level in self._levels if level)
        return level.pop(next(iter(level)))

    def refuse(self, change: Change) -> None:
        """Lay a change aside until `retry_refused`, if its thing has not changed since."""
        if change.key not in self._level(change):
            self._refused[change.key] = replace(change, tries=0)

    def retry_refused(self) -> None:
        """Let those wait again that were laid aside."""
        refused, self._refused = self._refused, {}
        for change in refused.values():
            self.put_back(change)

    def _level(self, change: Change) -> dict[str, Change]:
        return self._levels[LEVELS.get(change.key.partition(":")[0], -1)]


class StageChanges:
    """Changes of stage runs, which lie in MLflow where whoever wants them first has them.

    Args:
        read: Returns the data sets of an experiment, the oracle's among them if that is asked for.
    """

    def __init__(self, read: Callable[[ExperimentConfig, bool], Sequence[DataSet]]) -> None:
        """Know of no run yet."""
        self._read = read
        self._scored: set[str] = set()
        """Stage runs of which the oracle's score was asked for."""
        self._first: dict[str, dict[str, Any]] = {}
        """Where stage runs are nested and what they are called, by whoever wants them first."""

    def change(self, experiment: Experiment, stage: str, *, ended: bool, oracle: bool) -> Change:
        """Return the change of a stage run, see `Tracker.stage`."""
        folder = experiment.folder(stage)
        # A run may serve several languages, each of which has an experiment in MLflow.
        key = f"{stage_key(folder)}:{experiment_name(experiment.config)}"
        self._scored |= {key} if oracle else set()
        scored = key in self._scored
        place = {name: getattr(experiment, name) for name in PLACE}
        first = self._first.setdefault(key, place)
        if first != place:
            experiment = replace(experiment, **first)
        read = self._read(experiment.config, scored)
        return record_change(
            key,
            folder.path.name,
            lambda: stage_record(experiment, stage, ended=ended, oracle=scored, read=read),
        )
