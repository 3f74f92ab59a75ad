"""Results as MLflow models, and the champion among them."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prokd.data.labels import AGGREGATION
from search.records.addresses import kept_names
from search.records.difference import SIGNATURE, Known
from search.records.store import Store

# isort: split
import mlflow  # after `search.records.difference`, which sets the environment that MLflow reads
from mlflow.entities import LoggedModelStatus

REQUIREMENTS = ("torch", "transformers")
CHAMPION = "champion"


@dataclass(frozen=True)
class Model:
    """An exported result.

    Args:
        signature: Of the result's run.
        folder: What `prokd.training.exports.export` wrote.
        name: Of the model, and of the registered model if it may be the champion.
        objective: What it was chosen by; None = it is not the best of its search.
        measure: Tags that say what the objective is: ``select`` (the criterion) and the
            fingerprint of the sentences that it was scored on.
    """

    signature: str
    folder: Path
    name: str
    objective: float | None
    measure: Mapping[str, str]


def publish(store: Store, run: Known, model: Model) -> None:
    """Log a result as a model of its run, once; register it if it may be the champion.

    Args:
        store: That has the run.
        run: Of the result.
        model: What is logged.
    """
    uri = _find(store, run, model.name) or _log(store, run, model)
    if model.objective is not None:
        register(store, run, uri, model)


def _find(store: Store, run: Known, name: str) -> str | None:
    """Return the address of a model that a run has already."""
    wanted = f"source_run_id = '{run.run_id}'"
    for found in store.client.search_logged_models([run.experiment], wanted):
        if found.name == name and found.status == LoggedModelStatus.READY:
            return str(found.model_uri)
    return None


def _log(store: Store, run: Known, model: Model) -> str:
    from prokd.scoring.pipeline import load_pipeline

    pinned = [f"{package}=={importlib.metadata.version(package)}" for package in REQUIREMENTS]
    ended = store.client.get_run(run.run_id).info
    with _as_current(store), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Within the run: given its id alone, MLflow puts a model into the default experiment,
        # whose files lie in the working folder.
        with mlflow.start_run(run_id=run.run_id):
            info = mlflow.transformers.log_model(
                load_pipeline(model.folder),
                name=model.name,
                task="token-classification",
                model_config={"aggregation_strategy": AGGREGATION},
                pip_requirements=pinned,
                tags={SIGNATURE: model.signature},
            )
    # The run's time ends where it ended, before its export.
    store.client.set_terminated(run.run_id, status=ended.status, end_time=ended.end_time)
    return str(info.model_uri)


def register(store: Store, run: Known, uri: str, model: Model) -> bool:
    """Register a result's model; make it the champion unless a better one is.

    Args:
        store: That has the model.
        run: Of the result.
        uri: Of the logged model.
        model: Its objective and measure.

    Returns:
        Whether it is the champion now. Only models of the same measure are compared.
    """
    client, name, objective = store.client, model.name, model.objective or 0.0
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    versions = client.search_model_versions(f"name = '{name}'")
    own = {SIGNATURE: model.signature, **model.measure}
    mine = next((v for v in versions if own.items() <= v.tags.items()), None)
    if mine is None:
        tags = {**own, "objective": repr(objective)}
        model_id = uri.removeprefix("models:/")  # a server takes no such source without it
        with _as_current(store):  # the registry looks the model up in the global store
            mine = client.create_model_version(name, uri, run.run_id, tags=tags, model_id=model_id)
    aliases = client.get_registered_model(name).aliases
    if CHAMPION in aliases:
        rival = client.get_model_version_by_alias(name, CHAMPION).tags
        is_comparable = model.measure.items() <= rival.items()
        if is_comparable and float(rival.get("objective", "-inf")) > objective:
            return False
    if aliases.get(CHAMPION) != mine.version:
        client.set_registered_model_alias(name, CHAMPION, mine.version)
    return True


@contextmanager
def _as_current(store: Store) -> Iterator[None]:
    """Let MLflow's global functions use a store, one at a time: a process may have several."""
    with kept_names():
        mlflow.set_tracking_uri(store.uri)
        mlflow.set_registry_uri(store.uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri("")
            mlflow.set_registry_uri("")
