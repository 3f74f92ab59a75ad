"""Stage runs on Ray Tune: one experiment, fed with jobs, as many at a time as there is room.

Tune runs in a thread of its own, so that workers do not wait while the driver logs and plans. The
experiment lasts as long as its `Workers`, and so do the processes that train.
"""

from __future__ import annotations

import os
import pickle
import shutil
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from search.cluster import (  # before ray.tune: it sets the environment that Ray reads
    Cluster,
    NeedsRay,
)

# isort: split
from ray import tune
from ray.exceptions import RayError, RayTaskError
from ray.tune.experiment import Trial

from prokd.runs.folder import Kind
from search.job_queue import JobQueue
from search.parking import Event, Judge, ParkingScheduler
from search.trainables import PAUSED, StageTrainable, warm_up_job

ERROR = "error"
"""State of a run that ended by an error outside of training, such as a lost worker."""
LOST = "the worker was lost (its process was killed, or its machine is gone)"
LONGEST = 400
"""Most characters of an error that are shown."""
KINDS: tuple[Kind, ...] = ("teacher", "student")
Jobs = Mapping[Kind, Sequence[dict[str, Any]]]
LEAST_PENDING = 4
"""Trials that ask for room at the same time, at least: what a growing cluster grows by."""


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


def _nothing_follows(kind: Kind, signature: str) -> Jobs:
    return {}


class _Reporter(tune.Callback):
    def __init__(self, events: SimpleQueue[Event]) -> None:
        self.events = events

    def __getstate__(self) -> dict[str, Any]:
        return {}  # like the queue's

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.events.put(Event(trial.config["batch"], "started", trial.config["signature"]))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        config, reason = trial.config, _why(trial)
        self.events.put(Event(config["batch"], "ended", config["signature"], (ERROR, reason)))


def _why(trial: Trial) -> str:
    """Return what the worker of a trial raised, class and text in a line; or that it was lost."""
    # Of the trial's local files: those in its storage are written after this.
    path = Path(trial.pickled_error_file or "")
    error = pickle.loads(path.read_bytes()) if path.is_file() else None
    if isinstance(error, RayTaskError) and type(error.cause) is not RayError:
        return f"{type(error.cause).__name__}: {' '.join(str(error.cause).split())}"[:LONGEST]
    if isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False):
        return str(error).strip().splitlines()[-1].strip()[:LONGEST]
    return LOST


class Workers:
    """Processes that train stage runs, started when first needed, warm until they are closed.

    Args:
        cluster: The Ray that is connected to.
        storage: Folder for Ray's own files, shared by all nodes; they are removed at the end.
        max_failures: How often a run is started again after a lost worker.
    """

    def __init__(self, cluster: Cluster, storage: Path, max_failures: int = 2) -> None:
        """Start nothing yet."""
        self.cluster, self.storage, self.max_failures = cluster, storage, max_failures
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._busy_before = 0.0

    @property
    def busy(self) -> float:
        """Seconds that workers have spent in stages so far, all together."""
        return self._busy_before + (self._scheduler.busy if self._thread else 0.0)

    def warm_up(self) -> None:
        """Let processes start, and load what trains, while the driver still plans.

        On one machine alone: elsewhere machines would be woken for it, or kept from others.
        """
        if self._thread is None and self.cluster.is_one_machine:
            self._start()
            self._queue.put([warm_up_job(n) for n in range(self.cluster.width)], bool)

    def train(
        self,
        jobs: Jobs,
        watcher: Watcher,
        *,
        following: Callable[[Kind, str], Jobs] = _nothing_follows,
        is_over: Callable[[], bool] = bool,
        judge: Judge | None = None,
    ) -> None:
        """Run jobs; each job's end is told to the watcher, unless it never started.

        Args:
            jobs: As `search.trainables.job` describes them, by kind; teachers go first.
            watcher: Is told what happens, in the thread of the caller.
            following: Which jobs may run now that a run of a kind, by its signature, has ended.
            is_over: Whether no further job is to be started: time is up, or a stop was asked for.
                The jobs at hand know it by themselves.
            judge: Decides after each epoch but the last whether a run is worth going on with; is
                called in Tune's thread.
        """
        if not any(jobs.values()) or is_over():
            return
        if self._thread is None or not self._thread.is_alive():
            self._start()
        batch = uuid.uuid4().hex[:8]
        self._scheduler.judge = judge
        left, at_work = dict[str, Kind](), set[str]()
        self._hand_out(jobs, batch, left, is_over)
        try:
            while left:
                event = self._next_event()
                # A worker that is lost after its run's end may tell that end once more.
                if event is not None and event.batch == batch and event.signature in left:
                    kind = left[event.signature]
                    if event.what == "started":
                        at_work.add(event.signature)
                    elif event.what in ("ended", "late"):
                        at_work.discard(event.signature)
                        del left[event.signature]
                    _tell(watcher, kind, event)
                    if event.what == "ended":
                        self._hand_out(following(kind, event.signature), batch, left, is_over)
                if is_over() and not at_work:
                    self.close()  # what waits for room, on machines that may never come, ends too
                    return
        except BaseException:
            self.close()
            raise

    def _hand_out(
        self, jobs: Jobs, batch: str, left: dict[str, Kind], is_over: Callable[[], bool]
    ) -> None:
        for kind in KINDS:
            added = [{**job, "kind": kind, "batch": batch} for job in jobs.get(kind, ())]
            left.update((job["signature"], kind) for job in added)
            if added:
                self._queue.put(added, is_over)

    def close(self) -> None:
        """End the processes; runs that are not finished go on from their folders next time."""
        self._busy_before = self.busy
        thread, self._thread = self._thread, None
        if thread is not None:
            self._scheduler.closing = True
            self._queue.close()
            thread.join(timeout=30)

    def _next_event(self) -> Event | None:
        """Return what happened next; None after a second in which nothing did."""
        try:
            return self._events.get(timeout=1.0)
        except Empty:
            if self._thread is None or not self._thread.is_alive():
                raise RuntimeError("Ray Tune has ended before its jobs.") from self._failure
            return None

    def _start(self) -> None:
        if self.cluster.is_at_rest:
            raise NeedsRay
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._queue = JobQueue(self._events)
        self._scheduler = ParkingScheduler(self._events, self._queue.wait)
        self._name = f"stages-{uuid.uuid4().hex[:8]}"
        self._thread = threading.Thread(target=self._fit, name="tune", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Remove Ray's own files of a process that ends without `close`."""
        if self._thread is not None:
            shutil.rmtree(self.storage / self._name, ignore_errors=True)

    def _fit(self) -> None:
        name = self._name
        pending = max(LEAST_PENDING, self.cluster.width)
        os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(pending))
        os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")  # nothing is restored from it
        resources = {"cpu": self.cluster.cpus, "gpu": self.cluster.gpus}
        try:
            tuner = tune.Tuner(
                tune.with_resources(StageTrainable, resources),
                tune_config=tune.TuneConfig(
                    search_alg=self._queue,
                    scheduler=self._scheduler,
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=_trial_name,
                    trial_dirname_creator=_trial_name,
                ),
                run_config=tune.RunConfig(
                    name=name,
                    storage_path=str(self.storage.resolve()),
                    failure_config=tune.FailureConfig(max_failures=self.max_failures),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    callbacks=[_Reporter(self._events)],
                    verbose=0,
                ),
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tuner.fit()
        except BaseException as error:
            self._failure = error
        finally:
            shutil.rmtree(self.storage / name, ignore_errors=True)


def _tell(watcher: Watcher, kind: Kind, event: Event) -> None:
    if event.what == "started":
        watcher.started(kind, event.signature)
    elif event.what == "advanced":
        watcher.advanced(kind, event.signature, *event.arguments)
    elif event.what == "ended":
        watcher.ended(kind, event.signature, Outcome(*event.arguments))


def _trial_name(trial: Trial) -> str:
    return str(trial.config["signature"])


__all__ = ["ERROR", "PAUSED", "Judge", "Outcome", "Watcher", "Workers"]
