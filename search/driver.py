"""One search: points are asked for (`search.feed`), trained, told; the best is exported.

Running a search again continues it: see `search.study`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from prokd.runs.folder import ORACLE
from search.choice import point_of
from search.criteria import Choice, compare, write_comparison
from search.engine import Engine
from search.experiments import Experiment
from search.exports import export_best
from search.feed import Feed, places
from search.leaderboard import Pruned, Standing, leaderboard
from search.leaderboard_file import LEADERBOARD, write_csv
from search.method_shares import Share, shares_of
from search.outcomes import Outcome
from search.pruning import MethodPruner
from search.records.search_log import SearchLog
from search.results import Row, heading, row
from search.spaces import in_symbols, size
from search.spec import SearchSpec
from search.study import PRUNED_AFTER, SearchStudy
from search.workers.trainables import COLLAPSED, DONE, PAUSED, PRUNED

FINISHED = Outcome(DONE)
STARTUP = 10
"""Most points that TPE draws at random before it models."""


@dataclass(frozen=True)
class SearchSummary:
    """What a search has come to.

    Args:
        study: Name of the study.
        standings: The leaderboard.
        left: Number of points that are still to do.
        failed: Reason of each failed trial, by number.
        exports: Folders of the best results, best first.
        csv: The leaderboard as a file.
        choices: What each criterion would choose, if that was asked for; none without scores.
        pruned: The trials that were stopped since they fell behind.
        shares: What came out of each method.
    """

    study: str
    standings: Sequence[Standing]
    left: int
    failed: Mapping[int, str]
    exports: Sequence[Path]
    csv: Path
    choices: Sequence[Choice] | None = None
    pruned: Sequence[Pruned] = ()
    shares: Sequence[Share] = ()


class Search:
    """A search on a connected Ray.

    Args:
        spec: What is searched.
        engine: Trains.
        output: Folder of ``studies/`` and ``exports/``.
        export_best: Number of results to export.
        compare_criteria: Whether the oracle looks at every result when the search is over.
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
        self.data = spec.data(engine.descriptions)
        self.name = spec.study_name(engine.descriptions)
        self.log = SearchLog(engine.tracker, spec, self.name, self.data)

    @property
    def journal(self) -> Path:
        """The study's file."""
        return self.output / "studies" / f"{self.name}.journal"

    def run(self) -> SearchSummary:
        """Search until all points are settled or time is up.

        Raises:
            UserError: Another process drives the study.
        """
        spec, progress = self.spec, self.engine.progress
        startup = min(STARTUP, max(self.engine.cluster.width, spec.trials // 2))
        pruner = MethodPruner(spec.result_epochs()) if spec.prune else None
        with SearchStudy(
            self.journal,
            self.name,
            spec.space,
            grid=spec.grid,
            startup=startup,
            pruner=pruner,
            measure=heading(spec.select),
        ) as study:
            self.log.open(study.trials(TrialState.COMPLETE))
            going = study.reconcile()
            self._log_unfinished(study)
            left = spec.trials - study.num_settled
            progress.begin(spec.title, left, heading(spec.select), self.engine.cluster.width)
            feed = Feed(self, study, going, left)
            try:
                self.engine.run(
                    (), feed.finished, oracle=self.oracle, judge=feed.judge, more=feed.more
                )
            finally:
                progress.end()
            return self._summary(study)

    def settle(self, study: SearchStudy, trial: FrozenTrial, rows: Sequence[Row]) -> None:
        """Tell the study how a trial ended, after its last seed."""
        # Once more: a run that did not fit into memory lies elsewhere now.
        study.annotate(trial.number, places(self.experiments(trial)))
        number, label = trial.number, f"trial {trial.number}  {in_symbols(point_of(trial.params))}"
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
            lacks = f"its result has no {heading(self.spec.select)}"
            reason = (collapsed or broken)[0].reason or lacks
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
            own = self.experiments(trial)
            parent = self.log.trial(trial, own)
            for experiment in own:
                for name in experiment.graph.names:
                    if experiment.folder(name).path.exists():
                        nested = replace(experiment, parent_run=parent)
                        self.engine.tracker.stage(nested, name, ended=True)

    def row(self, experiment: Experiment, outcome: Outcome = FINISHED) -> Row:
        """Read what came out of an experiment."""
        return row(experiment, outcome, self.spec.select)

    def experiments(self, trial: FrozenTrial) -> list[Experiment]:
        """Return the experiments of a trial, one a seed."""
        read, runs_dir = self.engine.descriptions.training, self.engine.runtime.runs_dir
        return self.spec.experiments(f"trial {trial.number}", trial.params, read, runs_dir)

    def _summary(self, study: SearchStudy) -> SearchSummary:
        """Rank by the criterion; then look at the reports, export and register the best."""
        complete = study.trials(TrialState.COMPLETE)
        members = {trial.number: self._members(trial) for trial in complete}
        done = [e for own in members.values() for e in own if e.result.done]
        # Renews reports whose test corpus has changed; nothing is trained.
        self.engine.run(done, oracle=self.oracle)
        objectives = {trial.number: float(trial.value or 0.0) for trial in complete}
        standings = leaderboard(
            [
                (
                    t.number,
                    point_of(t.params),
                    objectives[t.number],
                    [self.row(e) for e in members[t.number]],
                )
                for t in complete
            ]
        )
        folder = self.output / "exports" / self.name
        csv = folder / LEADERBOARD
        pruned = [
            Pruned(t.number, point_of(t.params), t.user_attrs[PRUNED_AFTER], float(t.value or 0.0))
            for t in study.pruned()
        ]
        write_csv(csv, standings, self.spec.select, pruned)
        best = standings[: self.export_best]
        engine, select = self.engine, self.spec.select
        exports = export_best(
            best, folder, engine.runtime, engine.tracker, select, trials=len(standings)
        )
        wanted = min(self.spec.trials, size(self.spec.space) or self.spec.trials)
        left = max(0, wanted - study.num_settled)
        self.log.close(csv, finished=not left)
        choices = self._compare(members, done) if self.compare_criteria else None
        if choices:
            write_comparison(folder / "criteria.csv", choices)
        shares = shares_of(self.spec.bases, map(self.spec.method_of, study.ended()), standings)
        return SearchSummary(
            self.name, standings, left, study.reasons(), exports, csv, choices, pruned, shares
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
        own = self.experiments(trial)
        parent = self.log.trial(trial, own)
        return [replace(e, parent_run=parent) for e in own]
