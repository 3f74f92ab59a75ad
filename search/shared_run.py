"""A stage run that experiments share while they are executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prokd.runs.folder import RunFolder
from search.experiments import Experiment
from search.outcomes import Outcome
from search.workers.trainables import job

if TYPE_CHECKING:
    from search.engine import Engine


@dataclass
class SharedRun:
    """One stage run that some experiments have in common.

    Args:
        experiment: The first of them that wanted it.
        stage: What the run is called there.
        is_result: Whether it is the last stage of any of them.
        place: Number of the stage in its graph: earlier ones go first.
        members: Those whose result it is.
        outcome: How it ended; None = not yet.
        is_under_way: Whether it waits for what it needs or for a worker, or has one.
        is_queued: Whether it waits for a worker, or has one.
        followers: Keys of the runs that need it.
        readers: One experiment for each target that has the run: a run that reads no target text
            is reported on every one of them.
        tried: Targets that a worker was asked to report on.
    """

    experiment: Experiment
    stage: str
    place: int
    is_result: bool = False
    members: list[Experiment] = field(default_factory=list)
    outcome: Outcome | None = None
    is_under_way: bool = False
    is_queued: bool = False
    followers: list[str] = field(default_factory=list)
    readers: dict[str, Experiment] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """Signature of the run as it was asked for, see `Experiment.key`."""
        return self.experiment.key(self.stage)

    @property
    def needed(self) -> dict[str, str]:
        """Keys of the runs that it needs, by the names of their stages."""
        names = self.experiment.graph.stage(self.stage).needs
        return {name: self.experiment.key(name) for name in names}

    @property
    def folder(self) -> RunFolder:
        """Of the run: another one from when it did not fit into memory."""
        return self.experiment.folder(self.stage)

    @property
    def epochs(self) -> int:
        """Number of epochs of the whole run."""
        return self.experiment.epochs(self.stage)


def job_of(
    stage: str, experiment: Experiment, engine: Engine, *, oracle: bool, judged: bool
) -> dict[str, object]:
    """Return what a worker is told of a run, see `search.workers.trainables.job`.

    Args:
        stage: What the run is called in the experiment.
        experiment: Whose target it is scored on.
        engine: Knows where things lie, and when time is up.
        oracle: Whether a result is also scored on labelled target dev.
        judged: Whether somebody looks at it after each epoch.
    """
    return job(
        stage,
        experiment.config,
        engine.runtime,
        data=experiment.data,
        oracle=oracle,
        deadline=engine.deadline,
        stop=engine.stop_file,
        judged=judged,
        nodes=engine.nodes,
    )


def counts_to_train(runs: Iterable[SharedRun]) -> dict[str, int]:
    """Return how many runs of each stage are about to be trained, earlier stages first."""
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    for run in runs:
        if run.outcome is None and run.is_under_way and not run.folder.done:
            places[run.stage] = max(places.get(run.stage, 0), run.place)
            counts[run.stage] = counts.get(run.stage, 0) + 1
    return {stage: counts[stage] for stage in sorted(counts, key=places.__getitem__)}
