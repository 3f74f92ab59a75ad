"""The MLflow runs of a search: one for the search, one for each trial, above the stage runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from prokd.runs.folder import ORACLE
from search.choice import METHOD, in_common, point_of
from search.experiments import Experiment
from search.leaderboard_file import LEADERBOARD
from search.outcomes import Outcome
from search.records.notes import search_note, trial_note
from search.records.record import (
    FAILED,
    FINISHED,
    KILLED,
    RUNNING,
    TRIAL,
    Final,
    Record,
    Step,
    data_tags,
    experiment_name,
    signature_tags,
    stamp,
)
from search.records.tracking import Tracker
from search.records.views import trials_view
from search.results import means, row
from search.spaces import in_symbols, in_words
from search.spec import SearchSpec
from search.study import PRUNED_AFTER, REASON
from search.workers.trainables import DONE


class SearchLog:
    """Marks a search and its trials as changed.

    Args:
        tracker: Sends their records.
        spec: What is searched.
        study: Name of the study.
        data: Fingerprints of what is read.
    """

    def __init__(
        self, tracker: Tracker, spec: SearchSpec, study: str, data: Mapping[str, str]
    ) -> None:
        """Name the search; nothing is logged yet."""
        self.tracker, self.spec, self.study, self.data = tracker, spec, study, data
        self.key = f"search:{study}"
        self.tags = {"select": spec.select}
        self.tags |= {"oracle": "true"} if spec.select == ORACLE else {}
        self._steps: list[Step] = []
        self._best = float("-inf")
        self._complete: dict[int, tuple[float, str]] = {}
        """Value and name of the trials that have a value."""
        self._failed: set[int] = set()
        own = tracker.output
        self._files = {
            "study": own / "studies" / f"{study}.journal",
            "report": own / "reports" / f"{study}.html",
            "leaderboard": own / "exports" / study / LEADERBOARD,
        }
        self._end: tuple[str, Path | None] = (RUNNING, None)
        self._reports: Mapping[str, Path] = {}
        """Of the ended search: files and folders by the name that MLflow gives them."""

    def open(self, complete: Sequence[FrozenTrial]) -> None:
        """Mark the search as running.

        Args:
            complete: The trials that have a value already.
        """
        for trial in sorted(complete, key=_end):
            self._add(trial)
        self._search(RUNNING)

    def trial(
        self, trial: FrozenTrial, experiments: Sequence[Experiment], *, running: bool = False
    ) -> str:
        """Mark a trial as changed.

        Args:
            trial: As the study knows it now.
            experiments: One for each seed.
            running: Whether its stages are about to train, if it has no end yet.

        Returns:
            Its key.
        """
        key = f"{TRIAL}:{self.study}:{trial.number}"
        reason = str(trial.user_attrs.get(REASON, ""))
        status = _status(trial, running)
        if status == FAILED:
            self._failed.add(trial.number)
        note = self._note(trial, reason)

        def read() -> Record:
            finals = {"means": self._means(trial, experiments)} if status == FINISHED else {}
            return Record(
                key=key,
                experiment=experiment_name(self.spec.base),
                name=_name(trial),
                status=status,
                parent=self.key,
                tags={
                    "kind": "trial",
                    "trial": str(trial.number),
                    "method": self.spec.method_of(trial),
                    **self.tags,
                    **signature_tags(experiments),
                },
                params=point_of(trial.params),
                reason=reason,
                note=note,
                finals=finals,
            )

        self.tracker.changed(key, f"trial {trial.number} of {self.study}", read)
        return key

    def told(self, trial: FrozenTrial) -> None:
        """Mark the search as changed by a trial that has got its value."""
        self._add(trial)
        self._search(RUNNING)

    def close(self, leaderboard: Path, *, finished: bool) -> None:
        """Mark the search as ended.

        Args:
            leaderboard: Logged as an artifact, if it is there.
            finished: Whether nothing is left to do.
        """
        self._end = (FINISHED if finished else KILLED, leaderboard)
        self._search(*self._end)

    def report(self, reports: Mapping[str, Path]) -> None:
        """Add the report of the study, its files and folders, as artifacts of the ended search."""
        self._reports = reports
        self._search(*self._end)

    def _add(self, trial: FrozenTrial) -> None:
        value = float(trial.value or 0.0)
        self._best = max(self._best, value)
        self._complete[trial.number] = (value, _name(trial))
        numbers = {"objective": value, "best_objective": self._best}
        self._steps.append((len(self._steps) + 1, int(1000 * _end(trial)[0]), numbers))

    def _note(self, trial: FrozenTrial, reason: str) -> str:
        seeds = ", ".join(map(str, self.spec.seeds))
        of = f"seed {seeds}" if len(self.spec.seeds) == 1 else f"mean over the seeds {seeds}"
        return trial_note(
            what=f"**{_name(trial)}** of the study {self.study}, {of}.",
            select=self.spec.select,
            value=trial.value if trial.state == TrialState.COMPLETE else None,
            others=[found for n, found in self._complete.items() if n != trial.number],
            reason=reason,
            files={"report": self._files["report"]},
        )

    def _search(self, status: str, leaderboard: Path | None = None) -> None:
        spec = self.spec
        how = "every point of a grid" if spec.grid else f"{spec.trials} points by TPE"
        note = search_note(
            what=f"**Search** of {len(spec.space)} settings, {spec.title}: "
            f"{how}, {len(spec.seeds)} seed{'s' if len(spec.seeds) > 1 else ''} each.",
            select=spec.select,
            trials=list(self._complete.values()),
            failed=len(self._failed),
            files=self._files,
        )
        settings = list(dict.fromkeys(name for name in point_of(spec.space) if name != METHOD))
        views = [trials_view(self.study, settings, spec.base.target)]

        def read() -> Record:
            values = {path: in_words(choices) for path, choices in spec.space.items()}
            texts = {"space.json": json.dumps(values, indent=2, ensure_ascii=False)}
            if leaderboard is not None and leaderboard.exists():
                texts[leaderboard.name] = leaderboard.read_text(encoding="utf-8")
            return Record(
                key=self.key,
                experiment=experiment_name(spec.base),
                name=f"search {self.study}",
                status=status,
                tags={
                    "kind": "search",
                    "method": spec.methods,
                    "study": self.study,
                    **self.tags,
                    **data_tags(self.data),
                },
                params=in_common(spec.fixed(), spec.space)
                | {"seeds": " ".join(map(str, spec.seeds))},
                steps=tuple(self._steps),
                since=0,
                note=note,
                texts=texts,
                reports=self._reports,
                views=views,
            )

        self.tracker.changed(self.key, f"the search {self.study}", read)

    def _means(self, trial: FrozenTrial, experiments: Sequence[Experiment]) -> Final:
        """Return what the seeds' folders say; the study's value alone if those were removed."""
        rows = [row(e, Outcome(DONE), self.spec.select) for e in experiments]
        folders = [e.result.path for e in experiments]
        files = [folder / name for folder in folders for name in ("result.json", "report.json")]
        found = means(rows) or {"mean/objective": float(trial.value or 0.0)}
        return stamp(files) or int(1000 * _end(trial)[0]), found


def _name(trial: FrozenTrial) -> str:
    return f"trial {trial.number} {in_symbols(point_of(trial.params))}"


def _end(trial: FrozenTrial) -> tuple[float, int]:
    """Return when a trial ended, in seconds since 1970, and its number: what trials sort by."""
    ended = trial.datetime_complete
    return (ended.timestamp() if ended else 0.0), trial.number


def _status(trial: FrozenTrial, running: bool) -> str:
    if trial.state == TrialState.COMPLETE:
        return FINISHED
    if not trial.state.is_finished():
        return RUNNING if running else KILLED
    return KILLED if PRUNED_AFTER in trial.user_attrs else FAILED
