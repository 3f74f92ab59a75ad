"""Addresses of MLflow stores, and of the pages on which a person sees their runs."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from prokd.errors import UserError
from search.records.store_errors import without_secrets

LOCAL_UI = "http://127.0.0.1:5000"
"""Where ``mlflow ui`` serves by default."""
TRAINING = "workflowType=machine_learning"
"""Opens the UI on what model training has, instead of what language models have."""


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
