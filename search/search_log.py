"""The MLflow runs of a search: one for the search, one for each trial, above the stage runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prokd.config import ExperimentConfig
from prokd.effect import flatten
from prokd.runs import ORACLE, SOURCE_DEV
from search.plan import Experiment
from search.results import Row, means
from search.spaces import Point, Space, in_symbols, in_words
from search.tracking import Tracker


class SearchLog:
    """Logs a search and its trials.

    Args:
        tracker: The store.
        ids: File that remembers the id of the search's run; those of its trials lie each in a file
            of its own in a folder beside it, so that a long search writes no longer than a short.
        base: Every setting that is not searched.
        select: The criterion that is the objective.
    """

    def __init__(
        self, tracker: Tracker, ids: Path, base: ExperimentConfig, select: str = SOURCE_DEV
    ) -> None:
        """Name the search; nothing is logged yet."""
        self.tracker, self.ids, self.base = tracker, ids, base
        self.tags = {"select": select} | ({"oracle": "true"} if select == ORACLE else {})
        self.parent = ""
        self._open: dict[int, str] = {}

    def open(self, name: str, space: Space, seeds: Sequence[int], data: Mapping[str, str]) -> None:
        """Open the run of the search."""
        settings = flatten(self.base.model_dump(mode="json", exclude={"seed"}))
        self.parent = self.tracker.open_run(
            self.ids,
            "search",
            self.base,
            name=f"search {name}",
            params={k: v for k, v in settings.items() if k not in space}
            | {"seeds": " ".join(map(str, seeds))},
            tags={"kind": "search", "study": name, **self.tags, **_data_tags(data)},
        )
        values: dict[str, Any] = {path: in_words(choices) for path, choices in space.items()}
        self.tracker.log_json(self.parent, "space.json", values)

    def open_trial(self, number: int, point: Point, experiments: Sequence[Experiment]) -> str:
        """Return the id of a trial's run, open for its stage runs."""
        self._open[number] = self.tracker.open_run(
            *self._trial(number),
            self.base,
            name=f"trial {number} {in_symbols(point)}",
            params=dict(point),
            parent=self.parent,
            tags={
                "kind": "trial",
                "trial": str(number),
                **self.tags,
                "signature": " ".join(e.student.signature for e in experiments),
                "teacher_signature": " ".join(e.teacher.signature for e in experiments),
            },
        )
        return self._open[number]

    def run_id(self, number: int) -> str:
        """Return the run of a trial that is open, or what stands for it."""
        return self._open[number]

    def is_forgotten(self, number: int) -> bool:
        """Tell whether a trial's run was made and never ended."""
        known = self.tracker.ids.known(*self._trial(number))
        return bool(known) and not known.get("closed")

    def is_logged(self, number: int) -> bool:
        """Tell whether a trial's run was made and ended."""
        return self.tracker.is_closed(*self._trial(number))

    def close_trial(
        self, number: int, status: str, rows: Sequence[Row] = (), *, reason: str = ""
    ) -> None:
        """End a trial's run with the means over its seeds."""
        run_id = self._open.pop(number)
        if reason:
            self.tracker.tag(run_id, {"reason": reason})
        self.tracker.close_run(run_id, means(rows), status=status, ids=self._trial(number))

    def _trial(self, number: int) -> tuple[Path, str]:
        """Return the file and the key that remember a trial's run."""
        key = f"trial-{number}"
        if self.tracker.ids.known(self.ids, key):  # all in one file, as they once were
            return self.ids, key
        return self.ids.with_suffix("") / f"{key}.json", key

    def close(
        self, objectives: Mapping[int, float], files: Sequence[Path], *, finished: bool
    ) -> None:
        """End the run of the search.

        Args:
            objectives: Of the complete trials, by number.
            files: Logged as artifacts, if they are there.
            finished: Whether nothing is left to do.
        """
        best, rows = float("-inf"), []
        for step, number in enumerate(sorted(objectives), start=1):
            best = max(best, objectives[number])
            rows.append((step, {"objective": objectives[number], "best_objective": best}))
        ids, state = self.tracker.ids, {"objectives": [objectives[n] for n in sorted(objectives)]}
        if ids.known(self.ids, "search").get("objectives") != state["objectives"]:
            self.tracker.log_rows(self.parent, rows)
            self.tracker.outbox.tell(lambda: ids.remember(self.ids, "search", state))
        for file in files:
            if file.exists():
                self.tracker.log_file(self.parent, file)
        self.tracker.close_run(self.parent, status="FINISHED" if finished else "KILLED")


def _data_tags(data: Mapping[str, str]) -> dict[str, str]:
    return {f"data.{name}": value for name, value in data.items()}
