"""The trials of a search on their way from the study to workers and back.

A point is asked for whenever a worker is free: TPE has learnt from all that has ended by then, and
takes what is at work for worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial

from search.estimate import epochs_left
from search.experiments import Experiment
from search.outcomes import Outcome
from search.pruning import Pruning
from search.results import Row
from search.spec import stand_ins
from search.study import SearchStudy

if TYPE_CHECKING:
    from search.driver import Search

SAMPLE = 100
"""Most points that stand for those to come, when the time that is left is estimated."""


class Feed:
    """Trials of a search on their way: asked for as workers become free, settled at their end.

    Args:
        search: Whose trials they are.
        study: Gives points.
        going: Trials that an earlier driver left unfinished.
        left: Number of points to do, those among them.
    """

    def __init__(
        self, search: Search, study: SearchStudy, going: Sequence[FrozenTrial], left: int
    ) -> None:
        """Ask for nothing yet."""
        self.search, self.study, self.going, self.left = search, study, list(going), left
        self.judge = Pruning(study) if search.spec.prune else None
        self._owner: dict[str, FrozenTrial] = {}
        self._rows: dict[int, list[Row]] = {}
        self._later = self._epochs_of_a_trial()

    def more(self, number: int) -> list[Experiment]:
        """Return the experiments of trials to go on with, then of new ones, at most so many.

        A grid is asked for at once, unless time is limited: what its points share is known then.
        """
        if not self.going and not self.left:  # asked ten times a second until the last one ends
            return []
        if self.going:
            trials, self.going = self.going, []
        else:
            whole = self.search.spec.grid and self.search.engine.deadline is None
            trials = self.study.ask(self.left if whole else min(number, self.left))
        self.left = max(0, self.left - len(trials)) if trials else 0
        experiments = [e for trial in trials for e in self._begin(trial)]
        later = {stage: self.left * epochs for stage, epochs in self._later.items()}
        self.search.engine.progress.expect(epochs_left(experiments), later)
        return experiments

    def finished(self, experiment: Experiment, outcome: Outcome) -> None:
        """Settle a trial after its last seed."""
        trial = self._owner[experiment.name]
        rows = self._rows[trial.number]
        rows.append(self.search.row(experiment, outcome))
        if len(rows) == len(self.search.spec.seeds):
            self.search.settle(self.study, trial, rows)

    def _begin(self, trial: FrozenTrial) -> list[Experiment]:
        own = self.search.experiments(trial)
        parent = self.search.log.trial(trial, own, running=True)
        self.study.annotate(trial.number, places(own))
        if self.judge is not None:
            self.judge.add(trial.number, own)
        self._owner |= {e.name: trial for e in own}
        self._rows[trial.number] = []
        return [replace(e, parent_run=parent) for e in own]

    def _epochs_of_a_trial(self) -> dict[str, float]:
        """Return the epochs of each stage that a new trial takes, in the mean."""
        known = [trial.params for trial in self.study.trials()]
        spec, read = self.search.spec, self.search.engine.descriptions.training
        points = stand_ins(spec, known, min(SAMPLE, self.left))
        runs_dir = self.search.engine.runtime.runs_dir
        experiments = [e for p in points for e in spec.experiments("", p, read, runs_dir)]
        left = epochs_left(experiments)
        return {stage: sum(runs.values()) / len(points) for stage, runs in left.items()}


def places(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Return the attributes of a trial that lead to its runs."""
    return {
        "signature": [e.result.signature for e in experiments],
        **{
            f"{name}_signature": [e.folder(name).signature for e in experiments]
            for name in experiments[0].graph.before(experiments[0].result_stage)
        },
        "folder": [str(e.result.path) for e in experiments],
        "result_stage": experiments[0].result_stage,
    }
