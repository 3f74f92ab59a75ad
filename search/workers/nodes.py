"""What must be equal on all nodes, there from the start or not: versions, code, storage."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import socket
import time
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from filelock import FileLock

import prokd
import search
from prokd.common.files import write_text
from prokd.errors import UserError

PACKAGES = ("torch", "transformers", "datasets", "ray", "optuna", "mlflow", "numpy")
"""Packages that results may depend on."""
MARK = ".prokd-storage"
"""File in the output folder by which a node proves that it sees the same one."""


@cache
def description() -> dict[str, str]:
    """Return the versions of Python and packages, and a hash of the project's code, of this node.

    >>> sorted(description())[:2]
    ['code', 'datasets']
    """
    found = {"python": platform.python_version(), "code": _code()}
    for package in (*PACKAGES, "tokenizers", "safetensors", "pyarrow", "pydantic"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def _code() -> str:
    digest = hashlib.sha256()
    for package in (prokd, search):
        assert package.__file__ is not None, "both are packages with a file"
        root = Path(package.__file__).parent
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{root.name}/{file.relative_to(root)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def mark_storage(output: Path) -> dict[str, str]:
    """Write a mark into the output folder, if there is none, and return where and what it is."""
    output.mkdir(parents=True, exist_ok=True)
    file = output.resolve() / MARK
    with FileLock(f"{file}.lock"):  # of two drivers that start at once one writes it, whole
        if not file.exists() or not file.read_text(encoding="utf-8"):
            write_text(file, uuid.uuid4().hex)
    return {"file": str(file), "content": file.read_text(encoding="utf-8")}


def check_same(what: str, expected: str, own: str | None) -> None:
    """Make sure that this node has what the driver has; UserError else."""
    if own != expected:
        raise UserError(
            f"all nodes must have the same {what}, but the driver has {expected} and the node "
            f"{socket.gethostname()} has {own}."
        )


def check(expected: Mapping[str, str], storage: Mapping[str, str]) -> None:
    """Make sure that this node is like the one that drives the search.

    Args:
        expected: The `description` of the driver's node.
        storage: As `mark_storage` returned it there.

    Raises:
        UserError: Another version, other code or another storage.
    """
    host, own = socket.gethostname(), description()
    for name, value in expected.items():
        check_same("code of prokd" if name == "code" else name, value, own.get(name))
    for _ in range(20):  # network file systems show new files after a moment
        try:
            if Path(storage["file"]).read_text(encoding="utf-8") == storage["content"]:
                return
        except OSError:
            pass
        time.sleep(0.25)
    raise UserError(
        f"the output folder must be shared by all nodes of the cluster, but "
        f"{Path(storage['file']).parent} is not the same on {host}."
    )
