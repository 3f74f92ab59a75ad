"""What an MLflow run has of its record, and what it lacks.

All that imports MLflow imports this module first: it sets the environment that MLflow reads.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A store that is away is known to be so within seconds: what it misses is sent later.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run

from search.records.datasets import DataSet
from search.records.notes import NOTE
from search.records.record import Record, acceptable, digest

KEY, STATE, SIGNATURE, PARENT = "prokd.key", "prokd.state", "signature", "mlflow.parentRunId"


@dataclass
class Known:
    """A run of the store: its id, its experiment, and what it has of its record (`state`).

    The description is that which it had when it was found.
    """

    run_id: str
    experiment: str
    start: int
    place: str
    status: str
    parent: str
    note: str
    state: dict[str, Any]


def known_run(run: Run) -> Known:
    """Return what a run of the store has."""
    tags, info = run.data.tags, run.info
    try:
        state = json.loads(tags.get(STATE, "{}"))
        state["steps"] = int(state.get("steps", 0))
    except (ValueError, TypeError):  # a person has changed it: all is sent again
        state = {"steps": 0}
    return Known(
        run_id=info.run_id,
        experiment=info.experiment_id,
        start=info.start_time,
        place=info.artifact_uri or "",
        status=info.status,
        parent=tags.get(PARENT, ""),
        note=tags.get(NOTE, ""),
        state=state,
    )


def late_tags(record: Record, known: Known, state: dict[str, Any]) -> dict[str, str]:
    """Return the tags that a run lacks, and put them into its state.

    A description that a person has written in MLflow is left alone.
    """
    tags = {}
    is_ours = not known.note or state.get("note") == digest(known.note)
    if record.note and record.note != known.note and is_ours:
        known.note = tags[NOTE] = record.note
        state["note"] = digest(record.note)
    if record.reason and state.get("reason") != digest(record.reason):
        state["reason"], tags["reason"] = digest(record.reason), record.reason
    for name, text in record.late.items():
        if name not in state:
            state[name] = tags[name] = text
    before = state.get("used_by", [])
    if used := [name for name in record.used_by if name not in before]:
        state["used_by"] = [*before, *used]
        tags["used_by"] = "; ".join(state["used_by"])
    return tags


def dataset_input(item: DataSet) -> DatasetInput:
    """Return a data set in MLflow's form."""
    dataset = Dataset(
        item.name, item.digest, item.source_type, item.source, item.schema, item.profile
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", item.context)])


def difference(record: Record, known: Known) -> tuple[list[Metric], list[Param], dict[str, Any]]:
    """Return the metrics and parameters that a run lacks, and its state once it has them.

    The time of a metric depends on the record and the run alone, so that one that is logged again,
    since the state was not, is there once.
    """
    state, rows = dict(known.state), []
    since = known.start if record.since is None else record.since
    for number, milliseconds, metrics in record.steps[state["steps"] :]:
        rows.append((number, since + milliseconds, metrics))
    state["steps"] = max(state["steps"], len(record.steps))
    for part, (milliseconds, metrics) in record.finals.items():
        if state.get(part) != digest(metrics):
            state[part] = digest(metrics)
            rows.append((0, milliseconds, metrics))
    params = {} if "params" in state else record.params
    state["params"] = ""
    return (
        [
            Metric(acceptable(name), float(value), milliseconds, number)
            for number, milliseconds, metrics in rows
            for name, value in metrics.items()
        ],
        [Param(acceptable(name), str(value)) for name, value in params.items()],
        state,
    )
