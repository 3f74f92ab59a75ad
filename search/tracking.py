"""MLflow: what a run is called, its parameters, metrics and artifacts. The only mlflow import.

Everything is logged by the driver, from the run folders. Ids of MLflow runs are kept beside what
they belong to (``mlflow.json`` in a run folder, or beside a study), so that logging again goes on
in the same run: a stage run has one MLflow run however often it was interrupted or asked for.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from prokd.config import ExperimentConfig
from prokd.runs import ORACLE, Kind, RunFolder
from search.plan import Experiment
from search.provenance import environment, flatten
from search.run_ids import RunIds

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)

PARENT = "mlflow.parentRunId"
STAGE = "stage"
REQUIREMENTS = ("torch", "transformers")
CHAMPION = "champion"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on the views for model training instead of those for language-model traces."""


class Tracker:
    """One MLflow store.

    Args:
        output: Folder of the default store (``mlflow.db`` and ``mlartifacts``); the environment
            variable MLFLOW_TRACKING_URI names another one.
        device: What the runs are trained on, for their tags.
    """

    def __init__(self, output: Path, device: str = "cpu") -> None:
        """Open the store."""
        output = output.resolve()
        given = os.environ.get("MLFLOW_TRACKING_URI")
        self.uri = given or f"sqlite:///{output / 'mlflow.db'}"
        self.artifacts = None if given else (output / "mlartifacts").as_uri()
        self.device = device
        self.ids = RunIds(self.uri)
        self._experiments: dict[str, str] = {}
        self._open: set[str] = set()
        output.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(self.uri, registry_uri=self.uri)

    def experiment(self, config: ExperimentConfig) -> str:
        """Return the id of ``prokd/<dataset>/<source>-<target>``; it is created if needed."""
        name = f"prokd/{config.data.dataset}/{config.source}-{config.target}"
        if name not in self._experiments:
            try:
                made = self.client.create_experiment(
                    name, artifact_location=self.artifacts, tags=EXPERIMENT_TAGS
                )
            except MlflowException:  # it is there, or another driver was faster
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
                if found.lifecycle_stage == "deleted":
                    self.client.restore_experiment(found.experiment_id)
                made = found.experiment_id
            self._experiments[name] = made
        return self._experiments[name]

    def open_run(
        self,
        ids: Path,
        key: str,
        config: ExperimentConfig,
        *,
        name: str,
        params: Mapping[str, Any],
        parent: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Return the id of a run, which is created if there is none yet.

        Args:
            ids: JSON file that remembers the id.
            key: Of the run within that file.
            config: Names the experiment.
            name: What the run is called.
            params: Logged when the run is created.
            parent: Id of the run that it is nested in.
            tags: Set when the run is created.
        """
        run_id: str | None = self.ids.known(ids, key).get("run_id")
        if run_id is None or not self._exists(run_id):
            all_tags = {**environment(), "device": self.device, **(tags or {})}
            nested = {PARENT: parent} if parent else {}
            run = self.client.create_run(
                self.experiment(config), run_name=name, tags={**all_tags, **nested}
            )
            run_id = run.info.run_id
            entries = [Param(path, str(value)) for path, value in params.items()]
            for first in range(0, len(entries), 100):
                self.client.log_batch(run_id, params=entries[first : first + 100])
            self.ids.forget(ids, key)
            self.ids.remember(ids, key, {"run_id": run_id})
        else:
            self.client.update_run(run_id, status="RUNNING")
        return run_id

    def has_run(self, ids: Path, key: str) -> bool:
        """Tell whether the store still has the run that is remembered."""
        return self._exists(self.ids.known(ids, key).get("run_id"))

    def close_run(
        self, run_id: str, metrics: Mapping[str, float] | None = None, *, status: str = "FINISHED"
    ) -> None:
        """Log final numbers and end a run with a status of MLflow (FINISHED, FAILED, KILLED)."""
        self.log(run_id, metrics or {})
        self.client.set_terminated(run_id, status=status)

    def log(self, run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers in one batch."""
        if metrics:
            now = int(time.time() * 1000)
            batch = [Metric(name, float(value), now, step) for name, value in metrics.items()]
            self.client.log_batch(run_id, metrics=batch)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self.client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def log_json(self, run_id: str, file: str, value: Any) -> None:
        """Log a JSON artifact."""
        self.client.log_text(run_id, json.dumps(value, indent=2, ensure_ascii=False), file)

    def log_file(self, run_id: str, file: Path) -> None:
        """Log a file as an artifact."""
        self.client.log_artifact(run_id, str(file))

    def stage(
        self, experiment: Experiment, kind: Kind, *, ended: bool = False, oracle: bool = False
    ) -> str:
        """Bring the MLflow run of a stage run up to what its folder holds; return its id.

        Args:
            experiment: Whose teacher or student it is.
            kind: Which of the two.
            ended: Whether nobody is training it any more.
            oracle: Whether an oracle was asked for, so that its score is logged too.
        """
        folder = experiment.folder(kind)
        ids = folder.path / "mlflow.json"
        known = self.ids.known(ids, STAGE)
        report = folder.report() or {}
        scores = (folder.oracle() or {}) if oracle else {}
        mark = [folder.done, report.get("fingerprint")]
        mark += [scores["fingerprint"]] if scores else []
        is_logged = known.get("ended", [])[: len(mark)] == mark
        if folder.done and is_logged and self._exists(known["run_id"]):
            return str(known["run_id"])
        if known.get("run_id") in self._open:
            run_id = str(known["run_id"])
        else:
            run_id = self._open_stage(experiment, kind, ids)
        logged = self.ids.known(ids, STAGE).get("epochs", 0)
        history = folder.history()
        for row in history[logged:]:
            self.log(run_id, row, step=int(row["epoch"]))
        self.ids.remember(ids, STAGE, {"epochs": len(history)})
        if ended:
            self._end_stage(folder, run_id, report, oracle=bool(scores))
            self.ids.remember(ids, STAGE, {"ended": mark})
            self._open.discard(run_id)
        return run_id

    def _open_stage(self, experiment: Experiment, kind: Kind, ids: Path) -> str:
        folder, config = experiment.folder(kind), experiment.config
        settings = config.model_dump(mode="json")
        is_new = not self._exists(self.ids.known(ids, STAGE).get("run_id"))
        run_id = self.open_run(
            ids,
            STAGE,
            config,
            name=folder.path.name,
            params=flatten(settings),
            parent=experiment.parent_run,
            tags={
                "kind": kind,
                "signature": folder.signature,
                "teacher_signature": experiment.teacher.signature,
                "seed": str(config.seed),
                "variant": experiment.variant,
                **{f"data.{name}": value for name, value in experiment.data.items()},
                **experiment.tags,
            },
        )
        if is_new:
            self.log_json(run_id, "config.json", settings)
        self._open.add(run_id)
        return run_id

    def _end_stage(
        self, folder: RunFolder, run_id: str, report: Mapping[str, Any], *, oracle: bool
    ) -> None:
        if (result := folder.result()) is not None:
            final = {"objective": result["objective"], "seconds": result["seconds"]}
            known = result.get("criteria", {}) if folder.kind == "student" else {}
            criteria = {f"criteria/{name}": value for name, value in known.items()}
            if oracle:
                criteria[f"criteria/{ORACLE}"] = folder.criterion(ORACLE)
            self.close_run(run_id, final | criteria | report.get("metrics", {}))
            for file in ("weights.safetensors", "stage.json", "result.json"):
                self._log_weights(run_id, folder.path / file)
        elif (reason := folder.failure()) is not None:
            self.tag(run_id, {"reason": reason})
            self.close_run(run_id, status="FAILED")
        else:
            self.close_run(run_id, status="KILLED")

    def _log_weights(self, run_id: str, file: Path) -> None:
        """Log a large file that nobody changes: on the same disk it is linked, not copied."""
        uri = urlparse(self.client.get_run(run_id).info.artifact_uri or "")
        if uri.scheme == "file":
            place = Path(unquote(uri.path)) / file.name
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.unlink(missing_ok=True)
                os.link(file, place)
            except OSError:
                pass
            else:
                return
        self.client.log_artifact(run_id, str(file))

    def log_model(self, experiment: Experiment, folder: Path, name: str) -> str:
        """Log an exported student as a model of its run, once; return its URI.

        Args:
            experiment: Whose student it is.
            folder: What `prokd.training.export` wrote.
            name: Of the model within MLflow.
        """
        ids = experiment.student.path / "mlflow.json"
        run_id = self.ids.known(ids, STAGE)["run_id"]
        known = self.ids.known(ids, "model")
        if known.get("run_id") == run_id:
            return str(known["uri"])
        from prokd.pipeline import load_pipeline

        pinned = [f"{package}=={importlib.metadata.version(package)}" for package in REQUIREMENTS]
        with self._as_current(), warnings.catch_warnings(), mlflow.start_run(run_id=run_id):
            warnings.simplefilter("ignore")
            info = mlflow.transformers.log_model(
                load_pipeline(folder),
                name=name,
                task="token-classification",
                pip_requirements=pinned,
                tags={"signature": experiment.student.signature},
            )
        self.ids.remember(ids, "model", {"run_id": run_id, "uri": info.model_uri})
        return str(info.model_uri)

    def register(
        self,
        experiment: Experiment,
        uri: str,
        name: str,
        *,
        objective: float,
        measure: Mapping[str, str],
    ) -> bool:
        """Register a student's model; make it the champion unless a better one is.

        Args:
            experiment: Whose student it is.
            uri: As `log_model` returns it.
            name: Of the registered model.
            objective: What it was chosen by.
            measure: Tags that say what the objective is: ``select`` (the criterion) and the
                fingerprint of the sentences that it was scored on.

        Returns:
            Whether it is the champion now. Only models of the same measure are compared.
        """
        student = experiment.student
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        versions = self.client.search_model_versions(f"name = '{name}'")
        own = {"signature": student.signature, **measure}
        mine = next((v for v in versions if own.items() <= v.tags.items()), None)
        if mine is None:
            run_id = self.ids.known(student.path / "mlflow.json", STAGE)["run_id"]
            tags = {**own, "objective": repr(objective)}
            with self._as_current():  # the registry looks the model up in the global store
                mine = self.client.create_model_version(name, uri, run_id, tags=tags)
        aliases = self.client.get_registered_model(name).aliases
        if CHAMPION in aliases:
            rival = self.client.get_model_version_by_alias(name, CHAMPION).tags
            is_comparable = measure.items() <= rival.items()
            if is_comparable and float(rival.get("objective", "-inf")) > objective:
                return False
        self.client.set_registered_model_alias(name, CHAMPION, mine.version)
        return True

    @contextmanager
    def _as_current(self) -> Iterator[None]:
        """Let MLflow's global functions use this store."""
        before = os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri("")
            mlflow.set_registry_uri("")
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            if before is not None:
                os.environ["MLFLOW_TRACKING_URI"] = before

    def _exists(self, run_id: str | None) -> bool:
        if run_id is None:
            return False
        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException:
            return False
