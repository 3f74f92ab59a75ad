"""What MLflow is to hold of one thing, read from where the truth lies: run folders and studies.

A record says all of it at once, never what is new: `store` compares it with what the MLflow run
has and sends the difference, so that a record may be sent at any time, and twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prokd.common.files import read_json
from prokd.common.names import flatten
from prokd.config import ExperimentConfig
from prokd.runs.folder import ORACLE, RunFolder
from search.experiments import Experiment, languages_of
from search.records import datasets
from search.records.datasets import DataSet

if TYPE_CHECKING:
    from search.records.views import View

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
"""How an MLflow run is."""
STAGE, TRIAL = "stage", "trial"
"""Of the keys of stage runs and trials."""
LONGEST_NAME = 250
WEIGHTS = ("weights.safetensors", "stage.json", "result.json")


Step = tuple[int, int, Mapping[str, float]]
"""Number of an epoch or trial, milliseconds since `Record.since`, metrics."""
Final = tuple[int, Mapping[str, float]]
"""When something was found, in milliseconds since 1970, and its metrics."""


@dataclass(frozen=True)
class Record:
    """One MLflow run as it is to be.

    Args:
        key: What it mirrors, such as "trial:<study>:<number>"; by it the run is found again.
        experiment: Name of the MLflow experiment.
        name: What the run is called.
        status: One of the four above.
        parent: Key of the run that it is nested in.
        tags: Set when the run is made.
        params: Logged when the run is made.
        late: Tags that the run gets when they are first known, and keeps.
        used_by: Variants that the run belongs to; they are added to those that MLflow knows of.
        reason: Why there is no result.
        note: Its description, in Markdown; it is written again when it changes.
        steps: In order; there may only be more of them later.
        since: When steps' times begin, in milliseconds since 1970; None = when the run was made.
        finals: By a name of their own; each group is logged again when its numbers change.
        texts: Artifacts by file name; logged again when they change.
        files: Artifacts that never change; those that are not there are left out.
        reports: Text files and folders, by the artifact's name; logged again when they change.
        inputs: Data sets that were read; there may only be more of them later.
        views: Of its experiment, on what is nested in it; the first one is what its address opens.
    """

    key: str
    experiment: str
    name: str
    status: str
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    late: Mapping[str, str] = field(default_factory=dict)
    used_by: Sequence[str] = ()
    reason: str = ""
    note: str = ""
    steps: Sequence[Step] = ()
    since: int | None = None
    finals: Mapping[str, Final] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    reports: Mapping[str, Path] = field(default_factory=dict)
    inputs: Sequence[DataSet] = ()
    views: Sequence[View] = ()


def acceptable(name: str) -> str:
    """Return a name of a metric, parameter or tag that MLflow takes; equal for no two names.

    MLflow takes letters, digits, ``_ - . :``, spaces and ``/`` between parts that a path could
    have. In a part with anything else that is replaced, and a hash of the part is added.

    >>> acceptable("test/nl/LOC/f1"), acceptable("test/nl/LOC(GPE)/f1")
    ('test/nl/LOC/f1', 'test/nl/LOC_GPE_-fd34d844/f1')
    """
    parts = [_acceptable_part(part) for part in name.split("/")]
    whole = "/".join(parts)
    is_short = len(whole) <= LONGEST_NAME
    return whole if is_short else f"{whole[: LONGEST_NAME - 9]}-{digest(name)}"


def _acceptable_part(part: str) -> str:
    kept = re.sub(r"[^\w.\- :]|^\.(?=\.)", "_", part)  # no name may begin with two dots
    is_same = kept == part and part not in ("", ".")
    return part if is_same else f"{kept}-{digest(part)}"


def digest(value: object) -> str:
    """Return eight digits that are equal for equal values."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def experiment_name(config: ExperimentConfig) -> str:
    """Return the name of the MLflow experiment of a data set and a pair of languages."""
    return f"prokd/{config.data.dataset}/{languages_of(config)}"


def stamp(files: Iterable[Path]) -> int:
    """Return when the newest of some files was written, in milliseconds since 1970; 0 if none."""
    return max(
        (path.stat().st_mtime_ns // 1_000_000 for path in files if path.exists()), default=0
    )


def stage_record(
    experiment: Experiment,
    stage: str,
    *,
    ended: bool = False,
    oracle: bool = False,
    read: Sequence[DataSet] = (),
) -> Record:
    """Read the record of a stage run from its folder.

    Args:
        experiment: Whose run it is.
        stage: Which of its stages.
        ended: Whether nobody is training it any more.
        oracle: Whether an oracle was asked for, so that its score is logged too.
        read: The data sets of the experiment; those that this run has read are logged.
    """
    folder, config = experiment.folder(stage), experiment.effective
    is_result = stage == experiment.result_stage
    # Those of a run that several experiments share are those of the one that trained it.
    settings = read_json(folder.path / "config.json") or config.model_dump(mode="json")
    failure = None if folder.done else folder.failure()
    status = FINISHED if folder.done else FAILED if failure else KILLED if ended else RUNNING
    return Record(
        key=stage_key(folder),
        experiment=experiment_name(config),
        name=stage_name(experiment, stage),
        status=status,
        parent=experiment.parent_run,
        tags=_stage_tags(experiment, stage),
        params=flatten(settings),
        # Results alone have a variant: whoever groups by it wants their scores and no others.
        late={k: v for k, v in experiment.tags.items() if is_result or k != "variant"},
        used_by=experiment.used_by.get(stage, ()),
        reason=failure or "",
        steps=_epochs(folder.history()),
        finals=_finals(folder, oracle and is_result) if folder.done else {},
        texts={"config.json": json.dumps(settings, indent=2, ensure_ascii=False)},
        files=[folder.path / name for name in WEIGHTS] if folder.done else [],
        inputs=_inputs(folder, stage, read, oracle),
    )


def _stage_tags(experiment: Experiment, stage: str) -> dict[str, str]:
    folder, config = experiment.folder(stage), experiment.effective
    before = experiment.graph.before(stage)
    return {
        "kind": folder.kind,
        "stage": stage,
        "method": config.method,
        "signature": folder.signature,
        **{f"{name}_signature": experiment.folder(name).signature for name in before},
        "seed": str(config.seed),
        "folder": str(folder.path),
        **data_tags(experiment.data),
    }


def stage_key(folder: RunFolder) -> str:
    """Return the key of a stage run."""
    return f"{STAGE}:{folder.kind}:{folder.signature}"


def stage_name(experiment: Experiment, stage: str) -> str:
    """Return what a stage run is called: its seed, and the trial or the variants it belongs to.

    A run of several variants has the name of the first, and how many others there are. An earlier
    stage of a search has no trial in its name: which others will share it is not known yet.
    """
    seed = experiment.config.seed
    own = experiment.used_by.get(stage, ())
    if not own and stage != experiment.result_stage:
        return f"{stage}, seed {seed}"
    where = own[0] if own else experiment.name.removesuffix(f" seed {seed}")
    others = f" and {len(own) - 1} more" if len(own) > 1 else ""
    return f"{stage}, seed {seed}; {where}{others}"


def signature_tags(experiments: Sequence[Experiment]) -> dict[str, str]:
    """Return the signatures of the runs of some experiments of one method, as tags."""
    found = {"signature": " ".join(e.result.signature for e in experiments)}
    for name in experiments[0].graph.before(experiments[0].result_stage) if experiments else ():
        found[f"{name}_signature"] = " ".join(e.folder(name).signature for e in experiments)
    return found


def data_tags(data: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprints of data as tags."""
    return {f"data.{name}": value for name, value in data.items()}


def _inputs(folder: RunFolder, stage: str, read: Sequence[DataSet], oracle: bool) -> list[DataSet]:
    """Return the data sets that a run has read so far."""
    unread = set() if folder.report() is not None else {datasets.REPORT}
    if not oracle or folder.oracle() is None:
        unread.add(datasets.ORACLE)
    return [item for item in read if stage in item.stages and item.context not in unread]


def _epochs(history: Sequence[Mapping[str, float]]) -> list[Step]:
    """Return epochs, timed by the seconds that they trained."""
    steps: list[Step] = []
    time = 0.0
    for row in history:
        time += 1000 * row.get("seconds", 0.0)
        steps.append((int(row["epoch"]), int(time), row))
    return steps


def _finals(folder: RunFolder, oracle: bool) -> dict[str, Final]:
    """Return result, report and, if it was asked for, the oracle's score of a finished run."""
    found: dict[str, dict[str, float]] = {}
    if (result := folder.result()) is not None:
        known = result.get("criteria", {})
        found["result"] = {name: result[name] for name in ("objective", "seconds")}
        found["result"] |= {f"criteria/{name}": value for name, value in known.items()}
    if (report := folder.report()) is not None:
        found["report"] = report["metrics"]
    if oracle and (score := folder.criterion(ORACLE)) is not None:
        found["oracle"] = {f"criteria/{ORACLE}": score}
    return {
        name: (stamp([folder.path / f"{name}.json"]), metrics) for name, metrics in found.items()
    }
