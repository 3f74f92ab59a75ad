"""What MLflow is told of stage runs and models: names, parameters, metrics and artifacts.

Everything is logged by the driver, from the run folders. Ids of MLflow runs are kept beside what
they belong to (``mlflow.json`` in a run folder, or beside a study), so that logging again goes on
in the same run: a stage run has one MLflow run however often it was interrupted or asked for.
MLflow is imported here and in `search.store` alone.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from prokd.labels import AGGREGATION
from prokd.runs import ORACLE, Kind, RunFolder
from search.plan import Experiment
from search.provenance import environment, flatten
from search.store import PARENT, Store
from search.store_errors import is_away, without_secrets

# isort: split
import mlflow  # after the store, which sets the environment that MLflow reads
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException

STAGE = "stage"
REQUIREMENTS = ("torch", "transformers")
CHAMPION = "champion"


class Tracker(Store):
    """An MLflow store that stage runs and models are logged to."""

    def stage(
        self, experiment: Experiment, kind: Kind, *, ended: bool = False, oracle: bool = False
    ) -> str:
        """Bring the MLflow run of a stage run up to what its folder holds.

        Args:
            experiment: Whose teacher or student it is.
            kind: Which of the two.
            ended: Whether nobody is training it any more.
            oracle: Whether an oracle was asked for, so that its score is logged too.

        Returns:
            The id of the run; empty while the store is away and has no such run.
        """
        folder = experiment.folder(kind)
        self.outbox.tell(
            lambda: self._stage(experiment, kind, ended=ended, oracle=oracle),
            key=(folder.path, ended, oracle),
        )
        return str(self.ids.known(folder.path / "mlflow.json", STAGE).get("run_id", ""))

    def _stage(self, experiment: Experiment, kind: Kind, *, ended: bool, oracle: bool) -> None:
        folder = experiment.folder(kind)
        ids = folder.path / "mlflow.json"
        known = self.ids.known(ids, STAGE)
        report = folder.report() or {}
        scores = (folder.oracle() or {}) if oracle else {}
        mark = [folder.done, report.get("fingerprint")]
        mark += [scores["fingerprint"]] if scores else []
        is_logged = known.get("ended", [])[: len(mark)] == mark
        if folder.done and is_logged and self._exists(known["run_id"]):
            return
        run_id = known.get("run_id")
        if run_id is None or run_id not in self._open:
            run_id = self._open_stage(experiment, kind, ids)
        logged = self.ids.known(ids, STAGE).get("epochs", 0)
        history = folder.history()
        self._log([(int(row["epoch"]), row) for row in history[logged:]], run_id)
        self.ids.remember(ids, STAGE, {"epochs": max(logged, len(history))})
        if ended:
            self._end_stage(folder, run_id, report, oracle=bool(scores))
            self.ids.remember(ids, STAGE, {"ended": mark})
            self._open.discard(run_id)

    def _open_stage(self, experiment: Experiment, kind: Kind, ids: Path) -> str:
        folder, config = experiment.folder(kind), experiment.config
        settings = config.model_dump(mode="json")
        parent = experiment.parent_run
        tags = {
            **environment(),
            "device": self.device,
            "kind": kind,
            "signature": folder.signature,
            "teacher_signature": experiment.teacher.signature,
            "seed": str(config.seed),
            "variant": experiment.variant,
            **{f"data.{name}": value for name, value in experiment.data.items()},
            **experiment.tags,
            **({PARENT: self._id(parent)} if parent else {}),
        }
        run_id = self._make_run(ids, STAGE, config, folder.path.name, flatten(settings), tags)
        if not self.ids.known(ids, STAGE).get("config"):
            text = json.dumps(settings, indent=2, ensure_ascii=False)
            self.client.log_text(run_id, text, "config.json")
            self.ids.remember(ids, STAGE, {"config": True})
        self._open.add(run_id)
        return run_id

    def _end_stage(
        self, folder: RunFolder, run_id: str, report: Mapping[str, Any], *, oracle: bool
    ) -> None:
        status = "KILLED"
        if (result := folder.result()) is not None:
            final = {"objective": result["objective"], "seconds": result["seconds"]}
            known = result.get("criteria", {}) if folder.kind == "student" else {}
            criteria = {f"criteria/{name}": value for name, value in known.items()}
            if oracle:
                criteria[f"criteria/{ORACLE}"] = folder.criterion(ORACLE)
            self._log([(0, final | criteria | report.get("metrics", {}))], run_id)
            for file in ("weights.safetensors", "stage.json", "result.json"):
                self._log_weights(run_id, folder.path / file)
            status = "FINISHED"
        elif (reason := folder.failure()) is not None:
            self.client.log_batch(run_id, tags=[RunTag("reason", reason)])
            status = "FAILED"
        self.client.set_terminated(run_id, status=status)

    def _log_weights(self, run_id: str, file: Path) -> None:
        """Log a large file that nobody changes: on the same disk it is linked, not copied."""
        uri = urlparse(self._artifact_place(run_id))
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

    def publish(
        self,
        experiment: Experiment,
        folder: Path,
        name: str,
        champion: tuple[float, Mapping[str, str]] | None = None,
    ) -> None:
        """Log an exported student as a model; register it if it may be the champion.

        A store that refuses it, for want of rights say, costs a sentence and not the search.

        Args:
            experiment: Whose student it is.
            folder: What `prokd.training.export` wrote.
            name: Of the model.
            champion: Its objective and measure (see `register`), if it is the best of its search.
        """

        def tell() -> None:
            try:
                uri = self.log_model(experiment, folder, name)
                if champion is not None:
                    objective, measure = champion
                    self.register(experiment, uri, name, objective=objective, measure=measure)
            except MlflowException as error:
                if is_away(error):
                    raise
                reason = without_secrets(str(error).splitlines()[0])
                self.outbox.say(f"MLflow does not take the model {name} ({folder}): {reason}")

        self.outbox.tell(tell)

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
                model_config={"aggregation_strategy": AGGREGATION},
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
            model_id = uri.removeprefix("models:/")  # a server takes no such source without it
            with self._as_current():  # the registry looks the model up in the global store
                mine = self.client.create_model_version(
                    name, uri, run_id, tags=tags, model_id=model_id
                )
        aliases = self.client.get_registered_model(name).aliases
        if CHAMPION in aliases:
            rival = self.client.get_model_version_by_alias(name, CHAMPION).tags
            is_comparable = measure.items() <= rival.items()
            if is_comparable and float(rival.get("objective", "-inf")) > objective:
                return False
        self.client.set_registered_model_alias(name, CHAMPION, mine.version)
        return True
