"""Which trial goes on, stops or waits: a scheduler of Ray Tune that keeps workers warm.

A worker that is through with its job is parked: its trial stays, without work, until a job needs
its place; then the trial ends and Tune hands the process, with all that it has loaded, to the next
one. Tune by itself keeps one idle process at most, and every round of a search would load torch
and transformers anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.trainables import PRUNED, TRAINING

Judge = Callable[[str, int, float], str | None]
"""From signature, epoch and the criterion after it to the reason to stop there; None = go on."""

IDLE_SECONDS = 60.0
"""After so long without any job, parked workers give their places back to the cluster."""
WAIT_SECONDS = 0.5
"""Longest pause of Tune's loop while no job is at work: it would turn without end otherwise and
take the interpreter from the driver's thread."""
PATIENCE = 5.0
"""Seconds after which a trial that still waits is given another parked worker's place."""


class Event(NamedTuple):
    """What the driver is told of a job.

    Args:
        batch: Names the call that handed the job over.
        what: Method of the watcher.
        signature: Of the run.
        arguments: Further arguments of the method.
    """

    batch: str
    what: str
    signature: str
    arguments: tuple[Any, ...] = ()


class ParkingScheduler(FIFOScheduler):
    """First come, first served; ends no worker that the next job can use.

    Args:
        events: What happens to jobs is put here, for the driver's thread.
        wait: Waits for the next job, so many seconds at most.
    """

    def __init__(self, events: SimpleQueue[Event], wait: Callable[[float], object]) -> None:
        """Start with nothing parked."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.events, self.wait = events, wait
        self.busy = 0.0
        """Seconds that workers spent in stages, all together."""
        self.judge: Judge | None = None
        self.closing = False
        self._parked: dict[str, Trial] = {}
        self._served: dict[str, float] = {}
        self._idle_since = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        # Ray saves its experiment; ours is never restored, and its threads cannot be saved.
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pass the news on; let training go on, prune it, or park the worker at its job's end."""
        state, reason, epoch = result["state"], result["reason"], result["epoch"]
        self.busy += result["busy"]
        if result["trained"] or state == TRAINING:
            self._tell(trial, "advanced", epoch, result["trained"])
        if state == TRAINING:
            if self.judge is None or "source_dev" not in result:
                return str(TrialScheduler.CONTINUE)
            found = self.judge(trial.config["signature"], epoch, result["source_dev"])
            if found is None:
                return str(TrialScheduler.CONTINUE)
            state, reason = PRUNED, found
            if (worker := trial.temporary_state.ray_actor) is not None:
                worker.cleanup.remote()  # gives the run's folder free
        self._tell(trial, "ended", state, reason)
        if any(other.status == Trial.PENDING for other in tune_controller.get_live_trials()):
            return str(TrialScheduler.STOP)
        self._parked[trial.trial_id] = trial
        self._idle_since = time.monotonic()
        return str(TrialScheduler.NOOP)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Give the place of a parked worker to a trial that waits; Tune starts the others."""
        live = tune_controller.get_live_trials()
        if self.closing:
            for trial in list(live):
                tune_controller.stop_trial(trial)
            return None
        now = time.monotonic()
        pending: dict[str, Trial] = {t.trial_id: t for t in live if t.status == Trial.PENDING}
        self._served = {name: at for name, at in self._served.items() if name in pending}
        for name, trial in pending.items():
            if self._parked and now - self._served.get(name, -PATIENCE) >= PATIENCE:
                self._served[name] = now
                tune_controller.stop_trial(self._parked.popitem()[1])
                return trial  # Tune gives it the process that has just become free
        if self._parked and not pending and now - self._idle_since > IDLE_SECONDS:
            for trial in self._parked.values():
                tune_controller.stop_trial(trial)
            self._parked.clear()
        elif len(self._parked) == len(live):
            self.wait(WAIT_SECONDS)
        return None

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Forget a trial that lost its worker."""
        self._parked.pop(trial.trial_id, None)

    def debug_string(self) -> str:
        """Name the scheduler."""
        return "first come, first served; idle workers stay warm"

    def _tell(self, trial: Trial, what: str, *arguments: Any) -> None:
        config = trial.config
        self.events.put(Event(config["batch"], what, config["signature"], arguments))
