"""Ray actors that train stage runs, one after the other, as many at a time as there is room.

An actor is a process: it loads what trains once and stays warm until it has had nothing to do for
a minute. What it holds is never needed again: whoever takes a run up finds its checkpoint in the
run's folder, so a lost process costs the epoch at hand and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from search.workers.cluster import (  # first: it sets the environment that Ray reads
    Cluster,
    NeedsRay,
)

# isort: split
import ray
from ray.exceptions import RayError

from search.workers.failures import LOST, why
from search.workers.trainables import ERROR, PRUNED, TRAINING, StageWorker

IDLE_SECONDS = 60.0
"""After so long without a job, a process gives its place back to the cluster."""


class Event(NamedTuple):
    """What the driver is told of a job.

    Args:
        key: Of the run.
        what: ``started``, ``advanced`` or ``ended``.
        state: How it ended, else ``training``.
        reason: In words, if it has ended and is not done.
        epoch: Number of finished epochs.
        trained: Epochs that were trained since the last event.
    """

    key: str
    what: str
    state: str = TRAINING
    reason: str = ""
    epoch: int = 0
    trained: int = 0


@dataclass
class _Actor:
    """One process.

    Args:
        handle: Of the Ray actor.
        job: What it trains; None = it waits.
        calls: Steps that it was asked for and has not answered, the earliest first.
        is_ready: Whether it has answered once: before, it may still wait for room.
        idle_since: When it last had a job, by the monotonic clock.
    """

    handle: Any
    job: dict[str, Any] | None = None
    calls: list[Any] = field(default_factory=list)
    is_ready: bool = False
    idle_since: float = field(default_factory=time.monotonic)


class Pool:
    """Processes that train stage runs, started when first needed, warm until they are closed.

    Args:
        cluster: The Ray that is connected to.
        max_failures: How often a run is started again after a lost worker.
    """

    def __init__(self, cluster: Cluster, max_failures: int = 2) -> None:
        """Start nothing yet."""
        self.cluster, self.max_failures = cluster, max_failures
        self.busy = self.processor = 0.0
        """Seconds of workers, and of their processors, in stages so far, all together."""
        self.judge: Callable[[str, int, float], str | None] | None = None
        """From key, epoch and criterion to the reason to stop a judged run; None = it goes on."""
        self._actors: list[_Actor] = []
        self._waiting: list[dict[str, Any]] = []
        self._failures: dict[str, list[str]] = {}
        self._events: list[Event] = []

    @property
    def working(self) -> int:
        """Number of jobs that were begun and have not ended, or wait for a process."""
        return len(self._waiting) + sum(actor.job is not None for actor in self._actors)

    @property
    def free(self) -> int:
        """Number of further jobs that could run at once."""
        return max(0, self.cluster.width - self.working)

    def warm_up(self) -> None:
        """Let processes start, and load what trains, while the driver still plans.

        On one machine alone: elsewhere machines would be woken for it, or kept from others.
        """
        if self.cluster.is_one_machine:
            while len(self._actors) < self.cluster.width:
                self._start_actor()

    def begin(self, job: dict[str, Any]) -> None:
        """Take a job, as `search.workers.trainables.job` describes it."""
        self._waiting.append(job)
        self._hand_out()

    def forget_waiting(self) -> list[str]:
        """Take back the jobs that no process has begun; return the keys of their runs."""
        waiting, self._waiting = self._waiting, []
        return [job["key"] for job in waiting]

    def wait(self, seconds: float) -> list[Event]:
        """Return what has happened, as soon as anything has, or nothing after so long."""
        if not self._events:
            self._look(seconds)
        events, self._events = self._events, []
        return events

    def _look(self, seconds: float) -> None:
        self._dismiss_idle()
        pending = {actor.calls[0]: actor for actor in self._actors if actor.calls}
        if not pending:
            time.sleep(min(seconds, 0.05))
            return
        done, _ = ray.wait(list(pending), num_returns=1, timeout=seconds)
        if done:  # whatever else is there by now, without waiting
            done, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
        for reference in done:
            self._events += self._answered(pending[reference], reference)
        self._hand_out()

    def _dismiss_idle(self) -> None:
        """End processes that no job has come for, whether or not others are at work."""
        now = time.monotonic()
        for actor in list(self._actors):
            is_idle = actor.job is None and not self._waiting
            if is_idle and now - actor.idle_since > IDLE_SECONDS:
                self._actors.remove(actor)
                ray.kill(actor.handle)

    def close(self) -> None:
        """End the processes; runs that are not finished go on from their folders next time."""
        for actor in self._actors:
            ray.kill(actor.handle)
        self._actors.clear()
        self._waiting.clear()

    def _start_actor(self) -> None:
        if self.cluster.is_at_rest:
            raise NeedsRay
        remote = ray.remote(StageWorker).options(
            num_cpus=self.cluster.cpus, num_gpus=self.cluster.gpus, max_restarts=0
        )
        actor = _Actor(remote.remote())
        actor.calls.append(actor.handle.warm_up.remote(self.cluster.gpus))
        self._actors.append(actor)

    def _hand_out(self) -> None:
        """Give waiting jobs to processes that wait; start processes for the others."""
        for actor in self._actors:
            if self._waiting and actor.is_ready and actor.job is None:
                self._begin(actor, self._waiting.pop(0))
        starting = sum(not actor.is_ready for actor in self._actors)
        room = self.cluster.width - len(self._actors)
        for _ in range(min(len(self._waiting) - starting, room)):
            self._start_actor()

    def _begin(self, actor: _Actor, job: dict[str, Any]) -> None:
        actor.job = job
        actor.handle.begin.remote(job)
        self._events.append(Event(job["key"], "started"))
        self._step(actor)

    def _step(self, actor: _Actor) -> None:
        """Ask for the next epochs: one ahead, so that no process waits for the driver."""
        assert actor.job is not None, "only a job has steps"
        ahead = 1 if actor.job["judged"] else 2
        while len(actor.calls) < ahead:
            actor.calls.append(actor.handle.step.remote(actor.job["key"]))

    def _answered(self, actor: _Actor, reference: Any) -> list[Event]:
        """Take an answer; return what it says of the actor's job."""
        actor.calls.remove(reference)
        try:
            result = ray.get(reference)
        except RayError as error:
            return self._failed(actor, error)
        actor.is_ready = True
        if result is None and actor.job is not None:  # asked once too often in the job before
            self._step(actor)
        return [] if result is None or actor.job is None else self._advanced(actor, result)

    def _advanced(self, actor: _Actor, result: dict[str, Any]) -> list[Event]:
        assert actor.job is not None, "only a job advances"
        key, state, epoch = actor.job["key"], result["state"], result["epoch"]
        self.busy += result["busy"]
        self.processor += result["processor"]
        events = []
        if result["trained"] or state == TRAINING:
            events.append(Event(key, "advanced", epoch=epoch, trained=result["trained"]))
        reason = result["reason"]
        if state == TRAINING:
            found = self._judged(actor.job, result)
            if found is None:
                self._step(actor)
                return events
            state, reason = PRUNED, found
            actor.handle.release.remote()  # gives the run's folder free
        actor.job, actor.idle_since = None, time.monotonic()
        self._failures.pop(key, None)
        return [*events, Event(key, "ended", state, reason, epoch)]

    def _judged(self, job: dict[str, Any], result: dict[str, Any]) -> str | None:
        if self.judge is None or not job["judged"]:
            return None
        return self.judge(job["key"], result["epoch"], result["source_dev"])

    def _failed(self, actor: _Actor, error: RayError) -> list[Event]:
        """Drop a process; try its job again in another one, unless it has failed too often."""
        self._actors.remove(actor)
        ray.kill(actor.handle)
        # One that cannot even start fails the job that waits for it.
        job = actor.job or (self._waiting.pop(0) if self._waiting else None)
        if job is None:
            return []
        key, reason = job["key"], why(error)
        before = self._failures.setdefault(key, [])
        # The same mistake twice is one that stays; a process may be lost more often.
        is_over = reason != LOST and reason in before
        before.append(reason)
        if len(before) <= self.max_failures and not is_over:
            self._waiting.insert(0, job)
            return []
        del self._failures[key]
        return [Event(key, "ended", ERROR, reason)]
