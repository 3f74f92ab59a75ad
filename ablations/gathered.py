"""Finished runs of whole methods in an output folder, found by its ablations and studies alone.

Of an ablation's variants those are whole methods that are called ``full`` or as their method; of a
study it is the best trial of each method, by what the study chooses by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prokd.common.files import read_json
from prokd.config import ExperimentConfig, with_overrides
from prokd.errors import UserError
from prokd.methods import read_config
from prokd.runs.folder import ORACLE, SOURCE_DEV, RunFolder
from search.choice import method_in
from search.experiments import Experiment
from search.outcomes import Outcome
from search.report.ablation_data import AblationData
from search.report.study_data import StudyData
from search.report.write import ABLATION, Subject, subjects
from search.results import Row
from search.workers.trainables import DONE

WHOLE = "full"
"""The variant of a spec that takes nothing away."""
NO_RESULT = Outcome("without a result")


@dataclass(frozen=True)
class FoundRun(Experiment):
    """An experiment of which the folder of its result is known, not what it has read.

    Args:
        found: The folder of the result.
    """

    found: RunFolder | None = None

    @property
    def result(self) -> RunFolder:
        """Folder of the result's run; one that does not exist where there is none."""
        return self.found or RunFolder(Path("nowhere"), "run", "none")


@dataclass(frozen=True)
class Gathered:
    """A run of a whole method.

    Args:
        method: Its name, and how its settings were found.
        origin: The ablation or study that it was found by.
        config: Its settings, target and seed as there.
        run: Its folder.
    """

    method: str
    origin: str
    config: ExperimentConfig
    run: RunFolder

    @property
    def place(self) -> tuple[str, int]:
        """Target language and seed."""
        return self.config.target, self.config.seed


def gathered(output: Path) -> list[Gathered]:
    """Return all finished runs of whole methods in an output folder, the newest report's first.

    Raises:
        UserError: There is none.
    """
    found = []
    for subject in subjects(output):
        of_subject = _of_ablation if subject.kind == ABLATION else _of_study
        found += list(of_subject(subject))
    if not found:
        raise UserError(
            f"a comparison needs finished runs of whole methods, but no ablation or study in "
            f"{output} has any."
        )
    return found


def _of_ablation(subject: Subject) -> Iterator[Gathered]:
    if not subject.path.with_suffix(".csv").is_file():
        return
    data = AblationData(subject.output, subject.name)
    for record, result in zip(data.rows, data.of_rows, strict=True):
        if record["state"] == DONE and record["variant"] in (WHOLE, record["method"]):
            changes = {"target": record["target"], "seed": int(record["seed"])}
            yield from _gathered(record["method"], subject.name, result.last, changes)


def _of_study(subject: Subject) -> Iterator[Gathered]:
    data = StudyData(subject.output, subject.name)
    changes = {path: value for path, value in data.fixed().items() if path == "target"}
    seen: set[str] = set()
    for place in data.places:
        method = method_in(place.trial.params)
        if method in seen:
            continue
        seen.add(method)
        for result in place.results:
            config = read_json(result.last.path / "config.json") or {}
            called = f"{method or config.get('method', 'method')}, searched"
            called += " by an ORACLE" if data.select == ORACLE else ""
            yield from _gathered(called, subject.name, result.last, changes)


def _gathered(
    method: str, origin: str, run: RunFolder, changes: dict[str, object]
) -> Iterator[Gathered]:
    """Yield a run that is still there; whoever ran it first may have had another target."""
    known = read_json(run.path / "config.json")
    if known is not None and run.done:
        yield Gathered(method, origin, with_overrides(read_config(known), changes), run)


def labelled(found: Sequence[Gathered]) -> dict[str, list[Gathered]]:
    """Return the runs by the row that they stand in: one a method, where that can be.

    Where a method has two runs of one language and seed, its settings were not the same: each
    ablation or study has a row of its own then.
    """
    rows: dict[str, list[Gathered]] = {}
    for method in sorted({one.method for one in found}):
        own = [one for one in found if one.method == method]
        signatures: dict[tuple[str, int], set[str]] = {}
        for one in own:
            signatures.setdefault(one.place, set()).add(one.run.signature)
        is_one = all(len(names) == 1 for names in signatures.values())
        for one in own:
            rows.setdefault(method if is_one else f"{method} ({one.origin})", []).append(one)
    return rows


def rows_of(labels: dict[str, list[Gathered]]) -> list[Row]:
    """Return a row for each label and for each language and seed that any label has.

    What a label has not is there without a result.
    """
    places = {one.place: one for own in labels.values() for one in own}
    rows = []
    for label, own in labels.items():
        known = {one.place: one for one in own}
        for place in sorted(places):
            one = known.get(place)
            config = (one or places[place]).config
            folder = None if one is None else one.run
            run = FoundRun(label, config, {}, Path(), label, found=folder)
            if folder is None:
                rows.append(Row(run, NO_RESULT, None))
            else:
                scores = (folder.report() or {}).get("metrics", {})
                rows.append(Row(run, Outcome(DONE), folder.criterion(SOURCE_DEV), scores))
    return rows
