"""What a report cannot read from runs: the command and the versions that made them.

`note_origin` writes it when a search or an ablation is run: ``studies/<study>.json`` beside the
journal, ``reports/<stem>.json`` beside the report.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prokd.common.files import read_json, write_json
from search.choice import in_common
from search.records.provenance import environment
from search.report.blocks import Table
from search.spaces import in_words

if TYPE_CHECKING:
    from search.spec import SearchSpec


def note_origin(path: Path, more: Mapping[str, Any] | None = None) -> None:
    """Write the command line and the versions of this process.

    Args:
        path: The file.
        more: Further things to know.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"command": environment()["command"], "versions": _versions(), **(more or {})}
    write_json(path, found)


def note_search(path: Path, spec: SearchSpec, data: Mapping[str, str]) -> None:
    """Write where a study comes from.

    Args:
        path: The file.
        spec: What is searched; it must be settled.
        data: Fingerprints of what is read.
    """
    more = {
        "select": spec.select,
        "seeds": list(spec.seeds),
        "trials": spec.trials,
        "grid": spec.grid,
        "space": {name: in_words(values) for name, values in spec.space.items()},
        "fixed": in_common(spec.fixed(), spec.space),
        "data": dict(data),
    }
    note_origin(path, more)


def read_origin(path: Path) -> dict[str, Any]:
    """Return what was noted; empty if nothing was."""
    found: dict[str, Any] = read_json(path) or {}
    return found


def versions_table(origin: Mapping[str, Any]) -> Table:
    """Return the versions that were noted, else those of this installation."""
    if "versions" in origin:
        versions, note = origin["versions"], "Noted at the last start of the command."
    else:
        versions = _versions()
        note = "Not noted by whoever ran it: these are the versions that wrote this report."
    rows = tuple((name, str(value)) for name, value in sorted(versions.items()))
    return Table(("what", "version"), rows, note)


def _versions() -> dict[str, str]:
    made = dict(environment())
    commit = made.pop("mlflow.source.git.commit", None)
    found = {k: v for k, v in made.items() if k != "command" and not k.startswith("mlflow.")}
    try:
        found["prokd"] = importlib.metadata.version("prokd")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        found["prokd"] = "not installed"
    return found | ({"commit": commit} if commit else {})
