"""Addresses of MLflow stores, and of the pages on which a person sees their runs."""

from __future__ import annotations

import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prokd.errors import UserError
from search.records.store_errors import without_secrets

LOCAL_UI = "http://127.0.0.1:5000"
"""Where ``mlflow ui`` serves by default."""
TRAINING = "workflowType=machine_learning"
"""Opens the UI on what model training has, instead of what language models have."""
STORES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
_ONE_AT_A_TIME, _READING = threading.Lock(), threading.Lock()
_stands_in: dict[str, str | None] = {}
"""What the environment says of `STORES` itself, while MLflow's own functions are lent a store."""


def named_store() -> str | None:
    """Return the store that the user names by MLFLOW_TRACKING_URI; None or empty = none.

    Not the one that another search of this process is logging a model to at this moment.
    """
    with _READING:
        return _stands_in.get(STORES[0], os.environ.get(STORES[0]))


@contextmanager
def kept_names() -> Iterator[None]:
    """Let one thread at a time change the environment's `STORES`; they are as before at the end.

    MLflow's global functions read them, and set them for child processes.
    """
    with _ONE_AT_A_TIME:
        with _READING:
            _stands_in.update({name: os.environ.get(name) for name in STORES})
        try:
            yield
        finally:
            with _READING:
                for name, value in _stands_in.items():
                    os.environ.pop(name, None)
                    if value is not None:
                        os.environ[name] = value
                _stands_in.clear()


def address_of(file: Path) -> str:
    """Return the address of a store in an SQLite file.

    >>> address_of(Path("/a b/mlflow.db"))
    'sqlite:////a b/mlflow.db'

    Raises:
        UserError: The path has characters that such an address cannot hold.
    """
    if re.search(r"\?|%[0-9A-Fa-f]{2}", str(file)):  # another file would be opened, or made
        raise UserError(
            f"--output must have no ? and no % with two digits in its path, which the address of "
            f"its MLflow store cannot hold, but got {file.parent}: choose another folder, or set "
            f"MLFLOW_TRACKING_URI."
        )
    return f"sqlite:///{file}"


def runs_page(experiment: str, view: str | None = None) -> str:
    """Return the path of an experiment's table of runs in MLflow's UI.

    >>> runs_page("7")
    'experiments/7/runs?workflowType=machine_learning'

    Args:
        experiment: Its id.
        view: Key of a view (`search.records.views`); it opens with its charts beside the runs.
    """
    own = "" if view is None else f"&viewStateShareKey={view}&compareRunsMode=CHART"
    return f"experiments/{experiment}/runs?{TRAINING}{own}"


def how_to_open(uri: str, pages: Mapping[str, str]) -> list[str]:
    """Return what a person does to see runs, in lines: start the UI, then open an address.

    The addresses are those of the tables of runs: the UI itself opens on a page without any.

    >>> how_to_open("https://me:secret@host/", {"prokd/wikiann/en-ar": runs_page("7")})
    ['runs of prokd/wikiann/en-ar: https://host/#/experiments/7/runs?workflowType=machine_learning']

    Args:
        uri: Of the store; a server needs no command.
        pages: Of MLflow experiments by name; without any the store's address is given.
    """
    shown = without_secrets(uri)
    lines, place = [], shown.rstrip("/")
    if not uri.startswith(("http:", "https:")):
        command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", shown]
        lines, place = [f"MLflow: {shlex.join(command)}"], LOCAL_UI
    return lines + (
        [f"runs of {name}: {place}/#/{page}" for name, page in sorted(pages.items())]
        or [f"MLflow: {place}"]
    )
