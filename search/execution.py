"""Experiments on their way: what is there, what trains, how each of them ends.

Every experiment is a graph of stage runs. Whatever two of them have in common is one run; a run
may start when all that it needs is done: that is the whole scheduler.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from search.experiments import Experiment
from search.inventory import Inventory
from search.outcomes import Finished, Judge, More, Outcome, no_more
from search.shared_run import SharedRun, counts_to_train, job_of
from search.workers.trainables import COLLAPSED, DONE, PAUSED, STOPPED

if TYPE_CHECKING:
    from search.engine import Engine
    from search.workers.pool import Event

WAIT_SECONDS = 0.1
"""Longest pause between two looks at the time; in a longer one two Ctrl-C would count as one."""


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
        self.inventory = Inventory(engine, oracle=oracle)
        self.runs: dict[str, SharedRun] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._count = 0

    def run(self, experiments: Iterable[Experiment]) -> list[Outcome]:
        """Train what is missing; return how each of these experiments ended."""
        experiments = list(experiments)
        for experiment in experiments:
            self.add(experiment)
        self._announce()
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
            run = self.runs.setdefault(key, SharedRun(experiment, name, place))
            run.readers.setdefault(experiment.config.target, experiment)
        result = self.runs[experiment.key(graph.result)]
        is_new, result.is_result = not result.is_result, True
        if result.outcome is not None and not (
            result.outcome.state == DONE and (is_new or self.inventory.unreported(result))
        ):
            self.finished(experiment, result.outcome)
            return
        result.outcome = None  # it was an earlier stage of others, and may lack a score
        result.members.append(experiment)
        self._look_at_result(result, experiment)

    def _look_at_result(self, result: SharedRun, experiment: Experiment) -> None:
        if result.is_under_way:
            return
        self.inventory.discard_if_damaged(result)
        if not result.folder.done:
            self._look(result)
            return
        self.inventory.note_reused(result)
        for name in experiment.graph.before(result.stage):
            self._look_beside(self.runs[experiment.key(name)])
        if self.inventory.unreported(result) or self.inventory.is_unscored(result):
            self._queue(result)
        else:
            self._settle(result, Outcome(DONE))

    def _look_beside(self, run: SharedRun) -> None:
        """Log an earlier stage of a finished result; have it scored if it has to be."""
        if run.is_under_way or run.outcome is not None or not run.folder.done:
            return
        self.inventory.note_reused(run)
        self._track(run, ended=True)
        if self.inventory.unreported(run):
            self._queue(run)

    def _look(self, run: SharedRun) -> None:
        """Settle a run that is there already, queue it, or let it wait for what it needs."""
        if run.outcome is not None or run.is_under_way:
            return
        self.inventory.discard_if_damaged(run)
        folder = run.folder
        if folder.done and not run.is_result:
            self.inventory.note_reused(run)
            self._settle(run, Outcome(DONE))
            if self.inventory.unreported(run):
                self._queue(run)
            return
        if (reason := folder.failure()) is not None:
            self._settle(run, Outcome(COLLAPSED, reason))
            return
        run.is_under_way = True
        needed = [self.runs[key] for key in run.needed.values()]
        for other in needed:
            other.followers.append(run.key)
            self._look(other)
        self._go_on(run)

    def _go_on(self, run: SharedRun) -> None:
        """Queue a run if all that it needs is done; settle it if that cannot be."""
        if run.outcome is not None or run.is_queued:
            return
        for name, key in run.needed.items():
            other = self.runs[key].outcome
            if other is None:
                return
            if other.state == PAUSED:
                self._settle(run, self._why_paused())
                return
            if other.state != DONE:
                self._settle(run, Outcome(other.state, f"its {name}: {other.reason}"))
                return
        self._queue(run)

    def _queue(self, run: SharedRun) -> None:
        run.is_under_way = run.is_queued = True
        self._count += 1
        heapq.heappush(self._ready, (run.place, self._count, run.key))

    def _is_going(self) -> bool:
        """Hand out what may start; tell whether anything is at work."""
        pool = self.engine.pool
        if not self.engine.is_over:
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
        self.engine.progress.queued(counts_to_train(self.runs.values()))

    def _heard(self, event: Event) -> None:
        run = self.runs.get(event.key)
        if run is None:  # of an earlier call, which a stop has ended
            return
        stage, progress = run.stage, self.engine.progress
        if event.what == "started":
            progress.started(stage, event.key, run.experiment.name)
        elif event.what == "advanced":
            if event.trained:
                self.engine.reuse.trained.setdefault(stage, set()).add(event.key)
                self.engine.reuse.epochs += event.trained
            progress.advanced(stage, event.key, event.epoch, run.epochs)
            self._track(run)
        else:
            self._ended(run, Outcome(event.state, event.reason))

    def _ended(self, run: SharedRun, outcome: Outcome) -> None:
        """Settle a run that has left its worker."""
        if run.folder.done and not (run.is_result and self.inventory.is_unscored(run)):
            outcome = Outcome(DONE)  # whatever befell its report
        self.engine.progress.ended(run.stage, run.key)
        if outcome.state == DONE and self.inventory.unreported(run):
            self._queue(run)  # another target's test corpus waits for it
            return
        if run.outcome is None:
            self._settle(run, outcome)
        else:  # it was there, and has been scored
            run.is_under_way = run.is_queued = False
            self._track(run, ended=True)

    def _settle(self, run: SharedRun, outcome: Outcome) -> None:
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

    def _judged(self, key: str, epoch: int, value: float) -> str | None:
        """Let the judge look at results alone."""
        if self.judge is None or key not in self.runs or not self.runs[key].is_result:
            return None
        return self.judge(key, epoch, value)

    def _job(self, run: SharedRun) -> dict[str, object]:
        self.inventory.note_continued(run)
        waiting = self.inventory.unreported(run) if run.folder.done else None
        experiment = waiting or run.experiment
        run.tried.add(experiment.config.target)
        judged = self.judge is not None and run.is_result
        return job_of(run.stage, experiment, self.engine, oracle=self.oracle, judged=judged)

    def _why_paused(self) -> Outcome:
        stopped = self.engine.stopping
        return Outcome(PAUSED, STOPPED if stopped else "the time budget is spent")

    def _track(self, run: SharedRun, *, ended: bool = False) -> None:
        self.engine.tracker.stage(run.experiment, run.stage, ended=ended, oracle=self.oracle)
