"""Experiments on their way: what is there, what trains, how each of them ends.

Every experiment is a graph of stage runs. Whatever two of them have in common is one run; a run
may start when all that it needs is done: that is the whole scheduler.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from prokd.runs.folder import RunFolder
from search.experiments import Experiment
from search.workers.trainables import (
    COLLAPSED,
    DONE,
    PAUSED,
    STOPPED,
    job,
)

if TYPE_CHECKING:
    from search.engine import Engine
    from search.workers.pool import Event

WAIT_SECONDS = 1.0
"""Longest pause between two looks at whether time is up, or a stop was asked for."""


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


@dataclass
class _Run:
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

    @property
    def folder(self) -> RunFolder:
        """Of the run: another one from when it did not fit into memory."""
        return self.experiment.folder(self.stage)

    @property
    def epochs(self) -> int:
        """Number of epochs of the whole run."""
        return self.experiment.epochs(self.stage)


class Execution:
    """Trains what experiments lack, with more of them as workers become free.

    A run is told apart by its `Experiment.key`: its folder may become another one on the way.

    Args:
        engine: Trains, logs and shows.
        finished: Is called once for each experiment, as soon as its end is known.
        oracle: Whether finished results are also scored on labelled target dev.
        judge: Decides after each epoch of a result whether it is pruned.
        more: Is asked for experiments when a worker is free and none waits for it.
    """

    def __init__(
        self,
        engine: Engine,
        finished: Finished,
        *,
        oracle: bool = False,
        judge: Judge | None = None,
        more: More = no_more,
    ) -> None:
        """Start with nothing."""
        self.engine, self.finished, self.more = engine, finished, more
        self.oracle, self.judge = oracle, judge
        self.runs: dict[str, _Run] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._count = 0

    def run(self, experiments: Iterable[Experiment]) -> list[Outcome]:
        """Train what is missing; return how each of these experiments ended."""
        experiments = list(experiments)
        for experiment in experiments:
            self.add(experiment)
        self.engine.pool.judge = self._judged if self.judge else None
        while self._is_going():
            for event in self.engine.pool.wait(WAIT_SECONDS):
                self._heard(event)
        for run in list(self.runs.values()):
            if run.outcome is None and run.is_result:
                self._settle(run, self._why_paused())
        outcomes = [self.runs[e.key(e.result_stage)].outcome for e in experiments]
        return [outcome for outcome in outcomes if outcome is not None]

    def add(self, experiment: Experiment) -> None:
        """Take an experiment: settle what is there, queue what may start."""
        graph = experiment.graph
        for name in graph.names:
            self.engine.reuse.trained.setdefault(name, set())
        for place, name in enumerate(graph.names):
            key = experiment.key(name)
            if key not in self.runs:
                self.runs[key] = _Run(experiment, name, place)
        result = self.runs[experiment.key(graph.result)]
        is_new, result.is_result = not result.is_result, True
        if result.outcome is not None and not (is_new and result.outcome.state == DONE):
            self.finished(experiment, result.outcome)
            return
        result.outcome = None  # it was an earlier stage of others, and may lack a score
        result.members.append(experiment)
        self._look_at_result(result, experiment)

    def _look_at_result(self, result: _Run, experiment: Experiment) -> None:
        if result.is_under_way:
            return
        self._discard_if_damaged(result)
        if not result.folder.done:
            self._look(result)
            return
        self._reused(result)
        for name in experiment.graph.before(result.stage):
            self._look_beside(self.runs[experiment.key(name)])
        if self._is_unreported(result) or self._is_unscored(result):
            self._queue(result)
        else:
            self._settle(result, Outcome(DONE))

    def _look_beside(self, run: _Run) -> None:
        """Log an earlier stage of a finished result; have it scored if it has to be."""
        if run.is_under_way or run.outcome is not None or not run.folder.done:
            return
        self._reused(run)
        self._track(run, ended=True)
        if run.stage == run.experiment.transfer_stage and self._is_unreported(run):
            self._queue(run)

    def _look(self, run: _Run) -> None:
        """Settle a run that is there already, queue it, or let it wait for what it needs."""
        if run.outcome is not None or run.is_under_way:
            return
        self._discard_if_damaged(run)
        folder = run.folder
        if folder.done and not run.is_result:
            self._reused(run)
            self._settle(run, Outcome(DONE))
            if run.stage == run.experiment.transfer_stage and self._is_unreported(run):
                self._queue(run)
            return
        if (reason := folder.failure()) is not None:
            self._settle(run, Outcome(COLLAPSED, reason))
            return
        run.is_under_way = True
        needed = [self.runs[run.experiment.key(name)] for name in self._needs(run)]
        for other in needed:
            other.followers.append(run.experiment.key(run.stage))
            self._look(other)
        self._go_on(run)

    def _needs(self, run: _Run) -> Sequence[str]:
        return run.experiment.graph.stage(run.stage).needs

    def _go_on(self, run: _Run) -> None:
        """Queue a run if all that it needs is done; settle it if that cannot be."""
        if run.outcome is not None or run.is_queued:
            return
        for name in self._needs(run):
            other = self.runs[run.experiment.key(name)].outcome
            if other is None:
                return
            if other.state == PAUSED:
                self._settle(run, self._why_paused())
                return
            if other.state != DONE:
                self._settle(run, Outcome(other.state, f"its {name}: {other.reason}"))
                return
        self._queue(run)

    def _queue(self, run: _Run) -> None:
        run.is_under_way = run.is_queued = True
        self._count += 1
        heapq.heappush(self._ready, (run.place, self._count, run.experiment.key(run.stage)))

    def _is_going(self) -> bool:
        """Hand out what may start; tell whether anything is at work."""
        pool = self.engine.pool
        if not self.engine.is_over:
            self._announce()
            while pool.free and (self._ready or self._ask(pool.free)):
                _, _, key = heapq.heappop(self._ready)
                pool.begin(self._job(self.runs[key]))
        else:
            self._ready.clear()
            pool.forget_waiting()  # what waits for machines that may never come
        return pool.working > 0

    def _ask(self, number: int) -> bool:
        """Ask for experiments until a run may start; tell whether one may."""
        while not self._ready and not self.engine.is_over:
            experiments = self.more(number)
            if not experiments:
                return False
            for experiment in experiments:
                self.add(experiment)
            self._announce()
        return bool(self._ready)

    def _announce(self) -> None:
        """Say how many runs of each stage are about to be trained, when there are more."""
        places: dict[str, int] = {}
        counts: dict[str, int] = {}
        for run in self.runs.values():
            if run.outcome is None and run.is_under_way and not run.folder.done:
                places[run.stage] = max(places.get(run.stage, 0), run.place)
                counts[run.stage] = counts.get(run.stage, 0) + 1
        ordered = sorted(counts, key=places.__getitem__)
        self.engine.progress.queued({stage: counts[stage] for stage in ordered})

    def _heard(self, event: Event) -> None:
        run = self.runs.get(event.key)
        if run is None:  # of an earlier call, which a stop has ended
            return
        stage, progress = run.stage, self.engine.progress
        if event.what == "started":
            progress.started(stage, event.key)
        elif event.what == "advanced":
            if event.trained:
                self.engine.reuse.trained.setdefault(stage, set()).add(event.key)
                self.engine.reuse.epochs += event.trained
            progress.advanced(stage, event.key, event.epoch, run.epochs)
            self._track(run)
        else:
            self._ended(run, Outcome(event.state, event.reason))

    def _ended(self, run: _Run, outcome: Outcome) -> None:
        """Settle a run that has left its worker."""
        if run.folder.done and not (run.is_result and self._is_unscored(run)):
            outcome = Outcome(DONE)  # whatever befell its report
        self.engine.progress.ended(run.stage, run.experiment.key(run.stage))
        if run.outcome is None:
            self._settle(run, outcome)
        else:  # it was there, and has been scored
            run.is_under_way = run.is_queued = False
            self._track(run, ended=True)

    def _settle(self, run: _Run, outcome: Outcome) -> None:
        """Note how a run ended; tell its experiments, and let those go on that need it."""
        run.outcome, run.is_under_way, run.is_queued = outcome, False, False
        if run.folder.path.exists():
            self._track(run, ended=True)
        members, run.members = run.members, []
        for experiment in members:
            self.finished(experiment, outcome)
        followers, run.followers = run.followers, []
        for key in followers:
            self._go_on(self.runs[key])

    def _reused(self, run: _Run) -> None:
        key = run.experiment.key(run.stage)
        self.engine.reuse.reused.setdefault(run.stage, set()).add(key)

    def _is_unreported(self, run: _Run) -> bool:
        report = run.folder.report()
        current = self.engine.descriptions.report(run.experiment.view(run.stage))
        return report is None or report["fingerprint"] != current

    def _is_unscored(self, run: _Run) -> bool:
        """Tell whether a result is still without the oracle's score that was asked for."""
        if not self.oracle:
            return False
        known = run.folder.oracle()
        current = self.engine.descriptions.oracle(run.experiment.config)
        return known is None or known["fingerprint"] != current

    def _discard_if_damaged(self, run: _Run) -> None:
        if (sentence := run.folder.discard_if_damaged()) is not None:
            self.engine.progress.say(sentence)

    def _judged(self, key: str, epoch: int, value: float) -> str | None:
        """Let the judge look at results alone."""
        if self.judge is None or key not in self.runs or not self.runs[key].is_result:
            return None
        return self.judge(key, epoch, value)

    def _job(self, run: _Run) -> dict[str, object]:
        engine, folder = self.engine, run.folder
        if not folder.done and folder.checkpoints():
            engine.reuse.continued[run.experiment.key(run.stage)] = len(folder.history())
        return job(
            run.stage,
            run.experiment.config,
            engine.runtime,
            data=run.experiment.data,
            oracle=self.oracle,
            deadline=engine.deadline,
            stop=engine.stop_file,
            judged=self.judge is not None and run.is_result,
            nodes=engine.nodes,
        )

    def _why_paused(self) -> Outcome:
        stopped = self.engine.stopping
        return Outcome(PAUSED, STOPPED if stopped else "the time budget is spent")

    def _track(self, run: _Run, *, ended: bool = False) -> None:
        self.engine.tracker.stage(run.experiment, run.stage, ended=ended, oracle=self.oracle)
