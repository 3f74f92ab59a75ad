"""One search: points are asked for, trained, told; the best is exported.

Rounds are as wide as the cluster, so that TPE learns from each before the next; the whole grid is
one round unless time is limited. Running a search again continues it: see `search.study`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.pruners import MedianPruner
from optuna.trial import FrozenTrial, TrialState

from prokd.runs.folder import KINDS, ORACLE
from search.criteria import Choice, compare, write_comparison
from search.engine import Engine
from search.estimate import epochs_left
from search.exports import export_best
from search.plan import Experiment
from search.pruning import STARTUP as PRUNING_STARTUP
from search.pruning import Pruning, warmup
from search.results import LEADERBOARD, Pruned, Row, Standing, heading, leaderboard, row, write_csv
from search.search_log import SearchLog
from search.spaces import in_symbols, size
from search.spec import SearchSpec, stand_ins
from search.study import PRUNED_AFTER, SearchStudy
from search.trainables import COLLAPSED, DONE, PAUSED, PRUNED
from search.tuner import Outcome

FINISHED = Outcome(DONE)
STARTUP = 10
"""Most points that TPE draws at random before it models."""
LIMITED_ROUNDS = 8
"""Round width of a grid with a time budget, in widths of the cluster."""


@dataclass(frozen=True)
class SearchSummary:
    """What a search has come to.

    Args:
        study: Name of the study.
        standings: The leaderboard.
        left: Number of points that are still to do.
        failed: Reason of each failed trial, by number.
        exports: Folders of the best students, best first.
        csv: The leaderboard as a file.
        choices: What each criterion would choose, if that was asked for; none without scores.
        pruned: The trials that were stopped since they fell behind.
    """

    study: str
    standings: Sequence[Standing]
    left: int
    failed: Mapping[int, str]
    exports: Sequence[Path]
    csv: Path
    choices: Sequence[Choice] | None = None
    pruned: Sequence[Pruned] = ()


class Search:
    """A search on a connected Ray.

    Args:
        spec: What is searched.
        engine: Trains.
        output: Folder of ``studies/`` and ``exports/``.
        export_best: Number of students to export.
        compare_criteria: Whether the oracle looks at every student when the search is over.
    """

    def __init__(
        self,
        spec: SearchSpec,
        engine: Engine,
        output: Path,
        *,
        export_best: int = 1,
        compare_criteria: bool = False,
    ) -> None:
        """Read the data's fingerprints; nothing is started."""
        self.spec = spec = spec.settled(engine.cluster.precision)
        self.engine, self.output = engine, output.resolve()
        self.export_best, self.compare_criteria = export_best, compare_criteria
        self.oracle = spec.select == ORACLE
        self.data = engine.descriptions.training(spec.base)
        self.name = spec.study_name(engine.descriptions)
        self.log = SearchLog(engine.tracker, spec, self.name, self.data)

    def run(self) -> SearchSummary:
        """Search until all points are settled or time is up.

        Raises:
            UserError: Another process drives the study.
        """
        spec, progress = self.spec, self.engine.progress
        startup = min(STARTUP, max(self.engine.cluster.width, spec.trials // 2))
        path = self.output / "studies" / f"{self.name}.journal"
        pruner = None
        if spec.prune:
            epochs = spec.base.student.epochs
            pruner = MedianPruner(PRUNING_STARTUP, n_warmup_steps=warmup(epochs))
        with SearchStudy(
            path, self.name, spec.space, grid=spec.grid, startup=startup, pruner=pruner
        ) as study:
            self.log.open(study.trials(TrialState.COMPLETE))
            going, errors = study.reconcile(), 0
            self._log_unfinished(study)
            left = spec.trials - study.num_settled
            width = self.engine.cluster.width
            progress.begin(spec.title, left, heading(spec.select), width)
            try:
                while not self.engine.is_over:
                    before = study.num_settled
                    room = spec.trials - before - errors
                    number = min(room, self._round_width(before, startup))
                    going += study.ask(number - len(going))
                    if not going:
                        break
                    self._expect(study, going, room - len(going))
                    self._train(study, going)
                    errors += len(going) - (study.num_settled - before)
                    going = []
            finally:
                progress.end()
            return self._summary(study)

    def _expect(self, study: SearchStudy, going: Sequence[FrozenTrial], more: int) -> None:
        """Tell what is left to train: of trials that were asked for, and of those to come."""
        known = [trial.params for trial in study.trials()]
        runs_dir = self.engine.runtime.runs_dir
        experiments = [e for trial in going for e in self._experiments(trial)]
        for point in stand_ins(self.spec, known, more):
            experiments += self.spec.experiments("", point, self.data, runs_dir)
        self.engine.progress.expect(epochs_left(experiments))

    def _round_width(self, settled: int, startup: int) -> int:
        width = self.engine.cluster.width
        if self.spec.grid:
            return self.spec.trials if self.engine.deadline is None else LIMITED_ROUNDS * width
        at_random = startup - settled  # these do not depend on one another
        return max(width, -(-at_random // width) * width)

    def _train(self, study: SearchStudy, trials: Sequence[FrozenTrial]) -> None:
        experiments: list[Experiment] = []
        owner: dict[str, FrozenTrial] = {}
        members: dict[int, list[Experiment]] = {}
        for trial in trials:
            own = members[trial.number] = self._experiments(trial)
            parent = self.log.trial(trial, own, running=True)
            study.annotate(trial.number, _places(own))
            experiments += [replace(e, parent_run=parent) for e in own]
            owner |= {e.name: trial for e in own}
        rows: dict[int, list[Row]] = {trial.number: [] for trial in trials}

        def finished(experiment: Experiment, outcome: Outcome) -> None:
            trial = owner[experiment.name]
            rows[trial.number].append(self._row(experiment, outcome))
            if len(rows[trial.number]) == len(self.spec.seeds):
                self._settle(study, trial, rows[trial.number])

        judge = Pruning(study, members) if self.spec.prune else None
        self.engine.run(experiments, finished, oracle=self.oracle, judge=judge)

    def _settle(self, study: SearchStudy, trial: FrozenTrial, rows: Sequence[Row]) -> None:
        """Tell the study how a trial ended, after its last seed."""
        # Once more: a run that did not fit into memory lies elsewhere now.
        study.annotate(trial.number, _places(self._experiments(trial)))
        number, label = trial.number, f"trial {trial.number}  {in_symbols(trial.params)}"
        unfinished = [row.outcome for row in rows if row.objective is None]
        collapsed = [outcome for outcome in unfinished if outcome.state == COLLAPSED]
        pruned = [outcome for outcome in unfinished if outcome.state == PRUNED]
        known = (COLLAPSED, PAUSED, PRUNED)
        broken = [outcome for outcome in unfinished if outcome.state not in known]
        if not unfinished:
            value = statistics.fmean(row.objective or 0.0 for row in rows)
            study.tell(number, value)
            self.engine.progress.result(label, value)
        elif collapsed or broken:
            reason = (collapsed or broken)[0].reason
            study.fail(number, reason, retry=not collapsed)
            self.engine.progress.result(label, None, reason)
        elif pruned:
            study.prune(number, pruned[0].reason)
            self.engine.progress.result(label, None, pruned[0].reason, pruned=True)
        # Else it is paused: it stays a running trial of the study and goes on next time.
        ended = study.trials()[number]
        self.log.trial(ended, [row.experiment for row in rows])
        if not unfinished:
            self.log.told(ended)

    def _log_unfinished(self, study: SearchStudy) -> None:
        """Let MLflow know of trials without a value, however their driver ended."""
        for trial in study.trials(TrialState.RUNNING, TrialState.FAIL, TrialState.PRUNED):
            own = self._experiments(trial)
            parent = self.log.trial(trial, own)
            for experiment in own:
                for kind in KINDS:
                    if experiment.folder(kind).path.exists():
                        nested = replace(experiment, parent_run=parent)
                        self.engine.tracker.stage(nested, kind, ended=True)

    def _row(self, experiment: Experiment, outcome: Outcome = FINISHED) -> Row:
        return row(experiment, outcome, self.spec.select)

    def _experiments(self, trial: FrozenTrial) -> list[Experiment]:
        runs_dir = self.engine.runtime.runs_dir
        return self.spec.experiments(f"trial {trial.number}", trial.params, self.data, runs_dir)

    def _summary(self, study: SearchStudy) -> SearchSummary:
        """Rank by the criterion; then look at the reports, export and register the best."""
        complete = study.trials(TrialState.COMPLETE)
        members = {trial.number: self._members(trial) for trial in complete}
        done = [e for own in members.values() for e in own if e.student.done]
        # Renews reports whose test corpus has changed; nothing is trained.
        self.engine.run(done, oracle=self.oracle)
        objectives = {trial.number: float(trial.value or 0.0) for trial in complete}
        standings = leaderboard(
            [
                (
                    t.number,
                    t.params,
                    objectives[t.number],
                    [self._row(e) for e in members[t.number]],
                )
                for t in complete
            ]
        )
        folder = self.output / "exports" / self.name
        csv = folder / LEADERBOARD
        pruned = [
            Pruned(t.number, t.params, t.user_attrs[PRUNED_AFTER], float(t.value or 0.0))
            for t in study.pruned()
        ]
        write_csv(csv, standings, self.spec.select, pruned)
        best = standings[: self.export_best]
        exports = export_best(
            best, folder, self.engine.runtime, self.engine.tracker, self.spec.select
        )
        wanted = min(self.spec.trials, size(self.spec.space) or self.spec.trials)
        left = max(0, wanted - study.num_settled)
        self.log.close(csv, finished=not left)
        choices = self._compare(members, done) if self.compare_criteria else None
        if choices:
            write_comparison(folder / "criteria.csv", choices)
        return SearchSummary(
            self.name, standings, left, study.reasons(), exports, csv, choices, pruned
        )

    def _compare(
        self, members: Mapping[int, Sequence[Experiment]], done: Sequence[Experiment]
    ) -> list[Choice]:
        """Let the oracle score what is there; trials that it has no score of are left out."""
        outcomes = self.engine.run(done, oracle=True)
        scored = [e.name for e, end in zip(done, outcomes, strict=True) if end.state == DONE]
        return compare(
            {
                number: [row(experiment, FINISHED, ORACLE) for experiment in own]
                for number, own in members.items()
                if all(experiment.name in scored for experiment in own)
            }
        )

    def _members(self, trial: FrozenTrial) -> list[Experiment]:
        """Return a complete trial's experiments, logged in the store even if it is a new one."""
        own = self._experiments(trial)
        parent = self.log.trial(trial, own)
        return [replace(e, parent_run=parent) for e in own]


def _places(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Return the attributes of a trial that lead to its runs."""
    return {
        "signature": [e.student.signature for e in experiments],
        "teacher_signature": [e.teacher.signature for e in experiments],
        "folder": [str(e.student.path) for e in experiments],
    }
