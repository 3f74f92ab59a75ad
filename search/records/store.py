"""An MLflow store: runs that are brought up to what records say.

A run is found again by its tag `KEY`, and what it has of its record is in its tag `STATE`: nothing
is remembered outside of the store, so that a new one simply gets everything.
MLflow is imported here, in `search.records.difference` and in `search.records.models` alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from search.records.addresses import runs_page
from search.records.artifacts import contents, linked
from search.records.difference import (
    KEY,
    PARENT,
    SIGNATURE,
    STATE,
    Known,
    dataset_input,
    difference,
    known_run,
    late_tags,
)
from search.records.notes import NOTE, experiment_note
from search.records.provenance import environment
from search.records.record import KILLED, RUNNING, Record, acceptable, digest
from search.records.store_errors import is_away
from search.records.views import PREFIX

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on the views for model training instead of those for language-model traces."""
METRICS_AT_ONCE, PARAMS_AT_ONCE = 800, 100


class Store:
    """One MLflow store, for one thread.

    Args:
        uri: Its address.
        artifacts: Where artifacts of new experiments go; None = where the store wants them.
        device: What the runs are trained on, for their tags.
    """

    def __init__(self, uri: str, artifacts: str | None, device: str) -> None:
        """Open the store; it need not answer yet."""
        self.uri, self.artifacts, self.device = uri, artifacts, device
        self.client = MlflowClient(uri, registry_uri=uri)
        self._experiments: dict[str, str] = {}
        self._runs: dict[tuple[str, str], Known] = {}
        self._shown: dict[str, str] = {}
        """The view that the address of an experiment opens, by names."""

    def answers(self) -> bool:
        """Tell whether the store answers anything at all."""
        try:
            self.client.search_experiments(max_results=1)
        except Exception as error:
            return not is_away(error)
        return True

    def bring(self, record: Record) -> Known:
        """Bring a run up to its record and return it; it is made if it is not there.

        Raises:
            Exception: Whatever MLflow raises; the next try starts from what the store then says.
        """
        try:
            return self._bring(record)
        except Exception as error:
            self._forget(record)
            if is_away(error):
                raise
        try:  # what was known of it may be outdated: another driver or a person has deleted it
            return self._bring(record)
        except Exception:
            self._forget(record)
            raise

    def end_open_runs(self) -> None:
        """End what was brought up to a record here and still runs, as killed."""
        for known in self._runs.values():
            if known.status == RUNNING:
                with suppress(Exception):  # the next start ends it
                    self._end(known, KILLED)

    def _bring(self, record: Record) -> Known:
        experiment = self._experiment(record.experiment)
        index = (experiment, record.key)
        known = self._runs.get(index) or self._find(experiment, record)
        self._runs[index] = known = known or self._make(experiment, record)
        metrics, params, state = difference(record, known)
        tags = late_tags(record, known, state)
        parent = self._runs.get((experiment, record.parent or ""))
        is_mine = parent and state.setdefault("parent", record.parent) == record.parent
        if parent and is_mine and parent.run_id != known.parent:  # it is new, or made anew
            known.parent = tags[PARENT] = parent.run_id
        if tags or state != known.state:
            self._log(known, metrics, params, tags, state)
        if record.status != known.status:
            self._end(known, record.status)
        state = self._log_artifacts(known, record)
        self._log_inputs(known, record, state)
        self._log_views(known, record, state)
        if state != known.state:
            self._log(known, [], [], {}, state)
        return known

    def _end(self, known: Known, status: str) -> None:
        if status == RUNNING:
            self.client.update_run(known.run_id, status=status)
        else:
            self.client.set_terminated(known.run_id, status=status)
        known.status = status

    def _log(
        self,
        known: Known,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Mapping[str, str],
        state: dict[str, Any],
    ) -> None:
        """Log what is new, and last of all that it is there."""
        own = [RunTag(name, text) for name, text in {**tags, STATE: json.dumps(state)}.items()]
        calls = max(-(-len(metrics) // METRICS_AT_ONCE), -(-len(params) // PARAMS_AT_ONCE), 1)
        for call in range(calls):
            self.client.log_batch(
                known.run_id,
                metrics=metrics[call * METRICS_AT_ONCE :][:METRICS_AT_ONCE],
                params=params[call * PARAMS_AT_ONCE :][:PARAMS_AT_ONCE],
                tags=own if call == calls - 1 else [],
            )
        known.state = state

    def _log_artifacts(self, known: Known, record: Record) -> dict[str, Any]:
        """Log the artifacts that a run lacks; return the state that it is in then."""
        state = dict(known.state)
        for name, text in record.texts.items():
            if state.get(name) != digest(text):
                self.client.log_text(known.run_id, text, name)
                state[name] = digest(text)
        for file in record.files:
            if file.name not in state and file.exists():
                if not linked(known.place, file):
                    self.client.log_artifact(known.run_id, str(file))
                state[file.name] = ""
        for name, path in record.reports.items():
            held = contents(path)
            if held and state.get(name) != digest(held):
                if path.is_dir():
                    self.client.log_artifacts(known.run_id, str(path), name)
                else:
                    self.client.log_text(known.run_id, path.read_text(encoding="utf-8"), name)
                state[name] = digest(held)
        return state

    def _log_inputs(self, known: Known, record: Record, state: dict[str, Any]) -> None:
        """Log the data sets that a run lacks, and put them into its state."""
        logged = state.get("inputs", [])
        lacking = {digest(item.__dict__): item for item in record.inputs}
        lacking = {name: item for name, item in lacking.items() if name not in logged}
        if lacking:
            self.client.log_inputs(known.run_id, list(map(dataset_input, lacking.values())))
            state["inputs"] = [*logged, *lacking]

    def _log_views(self, known: Known, record: Record, state: dict[str, Any]) -> None:
        """Store the views that an experiment lacks, and put them into the state of their run."""
        logged = state.get("views", [])
        lacking = [view for view in record.views if view.key not in logged]
        for view in lacking:
            text = view.text(int(1000 * time.time()))
            self.client.set_experiment_tag(known.experiment, f"{PREFIX}{view.key}", text)
        if lacking:
            state["views"] = [*logged, *(view.key for view in lacking)]
        for view in record.views[:1]:
            self._shown[record.experiment] = view.key

    def pages(self) -> dict[str, str]:
        """Return the pages of the experiments that were used, by their names, as paths of the UI.

        Each with the view that came with the latest search or ablation.
        """
        return {
            name: runs_page(number, self._shown.get(name))
            for name, number in self._experiments.items()
        }

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment; it is made if it is not there."""
        if name not in self._experiments:
            tags = KIND | {NOTE: experiment_note(name)}
            found = self.client.get_experiment_by_name(name)
            if found is None:
                try:
                    made = self.client.create_experiment(name, self.artifacts, tags)
                except MlflowException:
                    found = self.client.get_experiment_by_name(name)
                    if found is None:  # else another driver was faster
                        raise
            if found is not None:
                made = found.experiment_id
                if found.lifecycle_stage == "deleted":
                    self.client.restore_experiment(made)
                for key, text in tags.items():
                    if key not in found.tags:
                        self.client.set_experiment_tag(made, key, text)
            self._experiments[name] = made
        return self._experiments[name]

    def _make(self, experiment: str, record: Record) -> Known:
        tags = {**environment(), "device": self.device, **record.tags, KEY: record.key}
        own = {acceptable(name): text for name, text in tags.items()}
        made = self.client.create_run(experiment, run_name=record.name, tags=own)
        return self._find(experiment, record) or known_run(made)

    def _find(self, experiment: str, record: Record) -> Known | None:
        """Return the run of a record, if there is one.

        Drivers that made it at the same moment all take the one that began first, and delete what
        else there is. A run with another signature is of a study that was removed.
        """
        wanted = (record.key, record.tags.get(SIGNATURE))
        runs = [
            run
            for run in self.client.search_runs([experiment], f"tags.`{KEY}` = '{record.key}'")
            if (run.data.tags.get(KEY), run.data.tags.get(SIGNATURE)) == wanted
        ]
        runs.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        for other in runs[1:]:
            with suppress(MlflowException):  # another driver was faster
                self.client.delete_run(other.info.run_id)
        return known_run(runs[0]) if runs else None

    def _forget(self, record: Record) -> None:
        """Forget what was known of a run, and where its experiment is."""
        self._runs.pop((self._experiments.pop(record.experiment, ""), record.key), None)
