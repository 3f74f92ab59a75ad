"""An MLflow store: runs that are made once and found again, and what is logged to them.

A store that is away stops nothing: see `search.outbox`. While it is, a run that could not be made
yet goes by a name of its own, which stands for its id in all that waits.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A store that is away is known to be so within seconds: what it misses is kept and sent later.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from prokd.config import ExperimentConfig
from prokd.errors import UserError
from search.outbox import Outbox
from search.provenance import environment
from search.run_ids import RunIds
from search.store_errors import MISSING, REFUSED, is_away, why_away, without_secrets

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)

logger = logging.getLogger(__name__)
PARENT = "mlflow.parentRunId"
TOKEN = "prokd.token"
"""Tag by which a run is found again whose making was interrupted before its id was written."""
PATIENCE = float(os.environ.get("PROKD_MLFLOW_PATIENCE", "120"))
"""Seconds to wait, at the end, for a store that is away."""
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on the views for model training instead of those for language-model traces."""


class Store:
    """One MLflow store.

    Args:
        output: Folder of the default store (``mlflow.db`` and ``mlartifacts``); the environment
            variable MLFLOW_TRACKING_URI names another one.
        device: What the runs are trained on, for their tags.
        say: Tells a person that the store is away, and that it is back.
    """

    def __init__(
        self, output: Path, device: str = "cpu", say: Callable[[str], object] = logger.warning
    ) -> None:
        """Open the store."""
        output = output.resolve()
        given = os.environ.get("MLFLOW_TRACKING_URI")
        self.uri = given or f"sqlite:///{output / 'mlflow.db'}"
        self.artifacts = None if given else (output / "mlartifacts").as_uri()
        self.device = device
        self.ids = RunIds(self.uri)
        self._experiments: dict[str, str] = {}
        self._open: set[str] = set()
        self._places: dict[str, str] = {}
        self._unmade: dict[str, str | None] = {}
        self.outbox = Outbox(why_away, say)
        output.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(self.uri, registry_uri=self.uri)

    @property
    def how_to_open(self) -> str:
        """What a person does to see the store."""
        if self.uri.startswith(("http:", "https:")):
            return without_secrets(self.uri)
        return f"{sys.executable} -m mlflow ui --backend-store-uri {without_secrets(self.uri)}"

    def check(self) -> None:
        """Make sure that the store answers before anything is started.

        Raises:
            UserError: It does not, or wants a user and a password.
        """
        shown = without_secrets(self.uri)
        try:
            self.client.search_experiments(max_results=1)
        except Exception as error:
            if is_away(error):
                raise UserError(
                    f"the MLflow store must answer, but {shown} does not; set "
                    f"MLFLOW_TRACKING_URI to one that does, or unset it for one in --output."
                ) from None
            if getattr(error, "error_code", "") in REFUSED:
                raise UserError(
                    f"the MLflow store at {shown} wants to know who asks: set "
                    f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
                ) from None
            raise

    def send_rest(self) -> None:
        """Tell the store what it missed; wait for it a while, then say how to go on."""
        left = self.outbox.flush(PATIENCE)
        if left:
            self.outbox.say(
                f"MLflow still {self.outbox.why}: {left} records are not sent; nothing is lost, "
                f"the run folders hold all of it: run the same command again when it does"
            )

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
        """Return the id of a run, which is made if there is none yet, and is open from now on.

        Args:
            ids: JSON file that remembers the id.
            key: Of the run within that file.
            config: Names the experiment.
            name: What the run is called.
            params: Logged when the run is made.
            parent: Id of the run that it is nested in.
            tags: Set when the run is made.

        Returns:
            The id, or a name that stands for it as long as the store is away.
        """
        handle = f"unmade:{uuid.uuid4().hex}"
        self._unmade[handle] = None

        def make() -> None:
            all_tags = {**environment(), "device": self.device, **(tags or {})}
            nested = {PARENT: self._id(parent)} if parent else {}
            run_id = self._make_run(ids, key, config, name, params, {**all_tags, **nested})
            self._unmade[handle] = run_id
            self._open.add(run_id)

        self.outbox.tell(make)
        return self._id(handle) if self._unmade[handle] else handle

    def _make_run(
        self,
        ids: Path,
        key: str,
        config: ExperimentConfig,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> str:
        known = self.ids.known(ids, key)
        run_id: str | None = known.get("run_id")
        if run_id is not None and self._exists(run_id):
            self.client.update_run(run_id, status="RUNNING")
            self.ids.remember(ids, key, {"closed": None})
            return run_id
        experiment = self.experiment(config)
        token = known.get("token") if run_id is None else None
        found = self._find(experiment, token) if token else None
        if found is None:
            token = uuid.uuid4().hex
            self.ids.forget(ids, key)
            self.ids.remember(ids, key, {"token": token})
            all_tags = {**tags, TOKEN: token}
            made = self.client.create_run(experiment, run_name=name, tags=all_tags)
            found = made.info.run_id
            self._places[found] = made.info.artifact_uri or ""
        entries = [Param(path, str(value)) for path, value in params.items()]
        for first in range(0, len(entries), 100):
            self.client.log_batch(found, params=entries[first : first + 100])
        self.ids.remember(ids, key, {"run_id": found})
        return found

    def _find(self, experiment: str, token: str) -> str | None:
        """Return the run that was made under a token by a driver that did not live to note it."""
        runs = self.client.search_runs([experiment], f"tags.`{TOKEN}` = '{token}'", max_results=1)
        return runs[0].info.run_id if runs else None

    def _id(self, handle: str | None) -> str:
        """Return the id of a run by its id or by the name that it went by while it was unmade."""
        run_id = self._unmade.get(handle or "", handle)
        assert run_id is not None, "messages are told in order: a run is made before it is used"
        return run_id

    def known_id(self, handle: str) -> str | None:
        """Return the id of a run; None while the store is away and it is not made."""
        return self._unmade.get(handle, handle)

    def is_closed(self, ids: Path, key: str) -> bool:
        """Tell whether a run was made and ended, and the store, if it answers, still has it."""
        known = self.ids.known(ids, key)
        if not known.get("closed"):
            return False
        try:
            return bool(self.outbox.waiting) or self._exists(known.get("run_id"))
        except Exception as error:
            if not is_away(error):
                raise
            return True

    def close_run(
        self,
        run_id: str,
        metrics: Mapping[str, float] | None = None,
        *,
        status: str = "FINISHED",
        ids: tuple[Path, str] | None = None,
    ) -> None:
        """Log final numbers and end a run.

        Args:
            run_id: Of the run.
            metrics: Final numbers.
            status: One of MLflow's: FINISHED, FAILED, KILLED.
            ids: File and key that remember the run, if it is to be remembered as ended.
        """
        self.log(run_id, metrics or {})

        def close() -> None:
            own = self._id(run_id)
            self.client.set_terminated(own, status=status)
            self._open.discard(own)
            if ids is not None:
                self.ids.remember(*ids, {"closed": status})

        self.outbox.tell(close)

    def abandon(self) -> None:
        """End what is still open as killed, if the store answers: the driver is about to end."""
        for run_id in sorted(self._open):
            try:
                self.client.set_terminated(run_id, status="KILLED")
            except Exception as error:
                logger.debug("run %s stays open: %s", run_id, error)
                break
        self._open.clear()

    def log(self, run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers in one batch."""
        if metrics:
            self.log_rows(run_id, [(step, metrics)])

    def log_rows(self, run_id: str, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Log the numbers of many steps."""
        self.outbox.tell(lambda: self._log(rows, self._id(run_id)))

    def _log(self, rows: Sequence[tuple[int, Mapping[str, float]]], run_id: str) -> None:
        """Log rows of numbers by step; told twice, they are there once (same time stamp)."""
        now = int(self.outbox.told_at * 1000)
        batch = [
            Metric(name, float(value), now, step)
            for step, metrics in rows
            for name, value in metrics.items()
        ]
        for first in range(0, len(batch), 1000):
            self.client.log_batch(run_id, metrics=batch[first : first + 1000])

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        entries = [RunTag(k, v) for k, v in tags.items()]
        self.outbox.tell(lambda: self.client.log_batch(self._id(run_id), tags=entries))

    def log_json(self, run_id: str, file: str, value: Any) -> None:
        """Log a JSON artifact."""
        text = json.dumps(value, indent=2, ensure_ascii=False)
        self.outbox.tell(lambda: self.client.log_text(self._id(run_id), text, file))

    def log_file(self, run_id: str, file: Path) -> None:
        """Log a file as an artifact."""
        self.outbox.tell(lambda: self.client.log_artifact(self._id(run_id), str(file)))

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

    def _artifact_place(self, run_id: str) -> str:
        """Return the address of a run's artifacts; empty if the store has no such run."""
        return self._places[run_id] if self._exists(run_id) else ""

    def _exists(self, run_id: str | None) -> bool:
        """Tell whether the store has a run; it is asked once about each."""
        if run_id is None:
            return False
        if run_id in self._places:
            return True
        try:
            info = self.client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code != MISSING:
                raise
            return False
        if info.lifecycle_stage != "active":
            return False
        self._places[run_id] = info.artifact_uri or ""
        return True
