"""One list of experiments on its way: what is there, what trains, how each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prokd.runs.folder import Kind, RunFolder
from search.plan import Experiment
from search.trainables import COLLAPSED, DONE, PAUSED, STOPPED, job
from search.tuner import Jobs, Judge, Outcome

if TYPE_CHECKING:
    from search.engine import Engine

Finished = Callable[[Experiment, Outcome], None]


class Round:
    """One list of experiments on its way; a student starts when its teacher is there.

    A run is told apart by its `Experiment.key`: its folder may become another one on the way.

    Args:
        engine: Trains, logs and shows.
        experiments: Any configurations.
        finished: Is called once for each of them, as soon as its end is known.
        oracle: Whether finished students are also scored on labelled target dev.
        judge: Decides after each epoch of a student whether it is pruned.
    """

    def __init__(
        self,
        engine: Engine,
        experiments: Sequence[Experiment],
        finished: Finished,
        oracle: bool,
        judge: Judge | None,
    ) -> None:
        """Find the distinct runs; nothing is looked at yet."""
        self.engine, self.experiments, self.finished = engine, experiments, finished
        self.oracle, self.judge = oracle, judge
        self.members: dict[Kind, dict[str, list[Experiment]]] = {"teacher": {}, "student": {}}
        for experiment in experiments:
            for kind, runs in self.members.items():
                runs.setdefault(experiment.key(kind), []).append(experiment)
        self.outcomes: dict[Kind, dict[str, Outcome]] = {"teacher": {}, "student": {}}
        self.students: list[Experiment] = []
        self.waiting: dict[str, list[Experiment]] = {}
        """Students whose teacher is not there, by its key."""
        self.phase: Kind = "teacher"
        """The kind that was announced last."""

    def run(self) -> list[Outcome]:
        """Train what is missing; return how each experiment's student ended."""
        unscored = self._look_at_students()
        missing = [e for e in self._distinct("student") if not self._is_settled(e)]
        missing = [e for e in missing if not e.student.done]
        untrained = self._look_at_teachers(missing)
        untrained += self._teachers_without_report()
        ready = list(unscored)
        for experiment in missing:
            if experiment.teacher.done:
                ready.append(experiment)
            else:
                self.waiting.setdefault(experiment.key("teacher"), []).append(experiment)
        self.students = [*unscored, *missing]
        self._train(untrained, ready)
        for experiment in self.students:
            if not self._is_settled(experiment):
                self.ended("student", experiment.key("student"), self._without(experiment))
        settled = self.outcomes["student"]
        return [settled[experiment.key("student")] for experiment in self.experiments]

    def started(self, kind: Kind, signature: str) -> None:
        """Show that a run was given to a worker."""
        self.engine.progress.started(kind, signature)

    def advanced(self, kind: Kind, signature: str, epoch: int, trained: int) -> None:
        """Count, show and log an epoch."""
        experiment = self.members[kind][signature][0]
        if trained:
            self.engine.reuse.trained[kind].add(signature)
            self.engine.reuse.epochs += trained
        self.engine.progress.advanced(kind, signature, epoch, _epochs(experiment, kind))
        self._track(kind, experiment)

    def ended(self, kind: Kind, signature: str, outcome: Outcome) -> None:
        """Settle a run, and every experiment that it is the student of."""
        experiment = self.members[kind][signature][0]
        if experiment.folder(kind).done and not (kind == "student" and self._lacks(experiment)):
            outcome = Outcome(DONE)  # whatever befell its report
        self.outcomes[kind][signature] = outcome
        self.engine.progress.ended(kind, signature)
        if experiment.folder(kind).path.exists():
            self._track(kind, experiment, ended=True)
        if kind == "student":
            for member in self.members[kind][signature]:
                self.finished(member, outcome)

    def _look_at_students(self) -> list[Experiment]:
        """Settle the students that are there already; return those that lack a score."""
        unscored = []
        for experiment in self._distinct("student"):
            folder, name = experiment.student, experiment.key("student")
            self._discard_if_damaged(folder)
            if folder.done:
                self.engine.reuse.reused["student"].add(name)
                if self._is_unreported(experiment, "student") or self._lacks(experiment):
                    unscored.append(experiment)
                else:
                    if experiment.teacher.done:
                        self.engine.reuse.reused["teacher"].add(experiment.key("teacher"))
                        self._track("teacher", experiment, ended=True)
                    self.ended("student", name, Outcome(DONE))
            elif (reason := folder.failure()) is not None:
                self.ended("student", name, Outcome(COLLAPSED, reason))
        return unscored

    def _look_at_teachers(self, missing: Sequence[Experiment]) -> list[Experiment]:
        """Return one experiment for each teacher that the missing students wait for."""
        wanted = {e.key("teacher"): e for e in missing}
        untrained = []
        for name, experiment in wanted.items():
            self._discard_if_damaged(experiment.teacher)
            if experiment.teacher.done:
                self.engine.reuse.reused["teacher"].add(name)
                self.ended("teacher", name, Outcome(DONE))
            elif (reason := experiment.teacher.failure()) is not None:
                self.ended("teacher", name, Outcome(COLLAPSED, reason))
            else:
                untrained.append(experiment)
        return untrained

    def _teachers_without_report(self) -> list[Experiment]:
        """Return one experiment for each finished teacher that has no score on the test splits."""
        finished = [e for e in self._distinct("teacher") if e.teacher.done]
        return [e for e in finished if self._is_unreported(e, "teacher")]

    def _is_unreported(self, experiment: Experiment, kind: Kind) -> bool:
        report = experiment.folder(kind).report()
        current = self.engine.descriptions.report(experiment.config)
        return report is None or report["fingerprint"] != current

    def _discard_if_damaged(self, folder: RunFolder) -> None:
        if (sentence := folder.discard_if_damaged()) is not None:
            self.engine.progress.say(sentence)

    def _train(self, teachers: Sequence[Experiment], students: Sequence[Experiment]) -> None:
        """Train teachers, and students as soon as their teacher is there."""
        engine = self.engine
        self._announce("teacher", teachers)
        if not teachers:
            self._announce("student", students)
        jobs: Jobs = {
            "teacher": self._jobs("teacher", teachers),
            "student": self._jobs("student", students),
        }
        engine.workers.train(
            jobs,
            self,
            following=self._following,
            is_over=lambda: engine.is_over,
            judge=self._judged if self.judge else None,
        )

    def _following(self, kind: Kind, signature: str) -> Jobs:
        """Return the students that were waiting for a teacher."""
        if kind == "student" or self.outcomes["teacher"][signature].state != DONE:
            return {}
        mine = self.waiting.pop(signature, [])
        if mine and self.phase == "teacher":
            self._announce("student", self.students)
        return {"student": self._jobs("student", mine)}

    def _announce(self, kind: Kind, experiments: Sequence[Experiment]) -> None:
        self.phase = kind
        number = sum(not e.folder(kind).done for e in experiments)
        self.engine.progress.phase(kind, number)

    def _judged(self, signature: str, epoch: int, value: float) -> str | None:
        """Let the judge look at students alone."""
        if self.judge is None or signature not in self.members["student"]:
            return None
        return self.judge(signature, epoch, value)

    def _jobs(self, kind: Kind, experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
        engine = self.engine
        jobs = []
        for experiment in experiments:
            folder, name = experiment.folder(kind), experiment.key(kind)
            if not folder.done and folder.checkpoints():
                engine.reuse.continued[name] = len(folder.history())
            jobs.append(
                job(
                    experiment.config,
                    engine.runtime,
                    signature=name,
                    data=dict(experiment.data),
                    oracle=self.oracle,
                    deadline=engine.deadline,
                    stop=engine.stop_file,
                    judged=self.judge is not None and kind == "student",
                    nodes=engine.nodes,
                )
            )
        return jobs

    def _without(self, experiment: Experiment) -> Outcome:
        """Return the outcome of a student that was not trained: for time, or for its teacher."""
        if experiment.teacher.done:
            return self._paused()
        teacher = self.outcomes["teacher"].get(experiment.key("teacher"))
        if teacher is None or teacher.state == PAUSED:
            return self._paused()
        return Outcome(teacher.state, f"its teacher: {teacher.reason}")

    def _paused(self) -> Outcome:
        stopped = self.engine.stopping
        return Outcome(PAUSED, STOPPED if stopped else "the time budget is spent")

    def _lacks(self, experiment: Experiment) -> bool:
        """Tell whether a student is still without the oracle's score that was asked for."""
        if not self.oracle:
            return False
        known = experiment.student.oracle()
        return known is None or known["fingerprint"] != self.engine.descriptions.oracle(
            experiment.config
        )

    def _is_settled(self, experiment: Experiment) -> bool:
        return experiment.key("student") in self.outcomes["student"]

    def _distinct(self, kind: Kind) -> list[Experiment]:
        return [members[0] for members in self.members[kind].values()]

    def _track(self, kind: Kind, experiment: Experiment, *, ended: bool = False) -> None:
        self.engine.tracker.stage(experiment, kind, ended=ended, oracle=self.oracle)


def _epochs(experiment: Experiment, kind: Kind) -> int:
    settings = experiment.config.teacher if kind == "teacher" else experiment.config.student
    return settings.epochs
