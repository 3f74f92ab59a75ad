"""Stage runs on Ray Tune: a queue of jobs, as many at a time as the cluster holds."""

from __future__ import annotations

import shutil
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from search.cluster import Cluster  # before ray.tune: it sets the environment that Ray reads

# isort: split
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from prokd.runs import Kind
from search.trainables import PAUSED, TRAINING, trainable

ERROR = "error"
"""State of a run that ended by an error outside of training, such as a lost worker."""


@dataclass(frozen=True)
class Outcome:
    """How a stage run ended.

    Args:
        state: ``done``, ``collapsed``, ``refused`` (a mistake in its input), ``paused`` (out of
            time) or ``error``.
        reason: In words, if it is not done.
    """

    state: str
    reason: str = ""


class Watcher(Protocol):
    """Who is told, in the driver, what the workers do."""

    def started(self, kind: Kind, signature: str) -> None:
        """Tell that a run was given to a worker."""
        ...

    def advanced(self, kind: Kind, signature: str, epoch: int, trained: int) -> None:
        """Tell that a run has finished an epoch; ``trained`` counts the epochs of this step."""
        ...

    def ended(self, kind: Kind, signature: str, outcome: Outcome) -> None:
        """Tell how a run ended."""
        ...


class JobQueue(Searcher):
    """Hands out a fixed list of jobs until it is empty or at an end; nothing is searched.

    Args:
        jobs: Configs of trials.
        deadline: Seconds since 1970 after which no job is handed out; None = no end.
    """

    def __init__(self, jobs: Sequence[dict[str, Any]], deadline: float | None = None) -> None:
        """Fill the queue."""
        super().__init__()
        self.waiting = deque(jobs)
        self.deadline = deadline

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return the next job, or that there is none."""
        late = self.deadline is not None and time.time() >= self.deadline
        if late or not self.waiting:
            return str(self.FINISHED)
        return self.waiting.popleft()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the watcher is told by the callback."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a search is taken up from its folders, never from Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, like `save`."""


class _Reporter(tune.Callback):
    def __init__(self, kind: Kind, watcher: Watcher) -> None:
        self.kind, self.watcher = kind, watcher
        self.running: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Ray saves its Tuner, callbacks included; ours is never restored and cannot be saved.
        return {"kind": self.kind}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.running.add(trial.config["signature"])
        self.watcher.started(self.kind, trial.config["signature"])

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        name, state = trial.config["signature"], result["state"]
        if result["trained"] or state == TRAINING:
            self.watcher.advanced(self.kind, name, result["epoch"], result["trained"])
        if state != TRAINING:
            self.running.discard(name)
            self.watcher.ended(self.kind, name, Outcome(state, result["reason"]))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        lines = [line for line in str(trial.get_error() or "").splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else "the worker was lost"
        self.running.discard(trial.config["signature"])
        self.watcher.ended(self.kind, trial.config["signature"], Outcome(ERROR, reason))


class _Stopper(tune.Stopper):
    """Ends the tuner when a stop is asked for and no run is at work any more."""

    def __init__(self, reporter: _Reporter, is_stopping: Callable[[], bool]) -> None:
        self.reporter, self.is_stopping = reporter, is_stopping

    def __getstate__(self) -> dict[str, Any]:
        return {}  # saved with the Tuner, never restored

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.is_stopping() and not self.reporter.running


def train(
    kind: Kind,
    jobs: Sequence[dict[str, Any]],
    watcher: Watcher,
    *,
    cluster: Cluster,
    storage: Path,
    max_failures: int,
    deadline: float | None = None,
    is_stopping: Callable[[], bool] = bool,
) -> None:
    """Run jobs of one kind; each job's end is told to the watcher, unless it was never started.

    Args:
        kind: ``teacher`` or ``student``.
        jobs: As `search.trainables.job` describes them.
        watcher: Is told what happens.
        cluster: The Ray that is connected to.
        storage: Folder for Ray's own files, shared by all nodes; they are removed at the end.
        max_failures: How often a run is started again after a lost worker.
        deadline: Seconds since 1970 after which no epoch is started.
        is_stopping: Whether nothing more is to be started; the jobs know it by their stop file.
    """
    if not jobs or is_stopping():
        return
    name = f"{kind}s-{uuid.uuid4().hex[:8]}"
    reporter = _Reporter(kind, watcher)
    resources = {"cpu": cluster.cpus, "gpu": cluster.gpus}
    tuner = tune.Tuner(
        tune.with_resources(trainable(kind), resources),
        tune_config=tune.TuneConfig(
            search_alg=JobQueue(jobs, deadline),
            num_samples=len(jobs),
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(storage.resolve()),
            failure_config=tune.FailureConfig(max_failures=max_failures),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            callbacks=[reporter],
            stop=_Stopper(reporter, is_stopping),
            verbose=0,
        ),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tuner.fit()
    finally:
        shutil.rmtree(storage / name, ignore_errors=True)


def _trial_name(trial: Trial) -> str:
    return str(trial.config["signature"])


__all__ = ["ERROR", "PAUSED", "JobQueue", "Outcome", "Watcher", "train"]
