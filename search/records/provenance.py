"""What a result comes from: versions of what computed it, commit, changes, command line."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

from prokd.methods import method_packages
from search.records.store_errors import without_secrets
from search.workers.nodes import PACKAGES

LONGEST = 4000
"""Characters of a command line that are kept; MLflow's tags hold 8,000."""


@cache
def environment() -> dict[str, str]:
    """Return what results may depend on besides settings and data, as tags of MLflow runs.

    Versions, the commit and the changes of this checkout (see `git_state`), and the command line
    of this process, without passwords.
    """
    found = {"python": platform.python_version(), "system": platform.system()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found |= {f"method.{name}": package for name, package in method_packages().items()}
    found |= git_state(Path(__file__).parent)
    found["command"] = without_secrets(shlex.join(sys.orig_argv))[:LONGEST]
    found["mlflow.source.type"] = "LOCAL"
    found["mlflow.source.name"] = without_secrets(str(Path(sys.argv[0] or "python").absolute()))
    return found


def git_state(folder: Path) -> dict[str, str]:
    """Return the commit of the checkout that tracks a folder, and whether it has changes.

    Args:
        folder: Of code. One that lies in a checkout without being tracked, such as an
            installation in its ``.venv``, belongs to none.

    Returns:
        The tags ``mlflow.source.git.commit``, ``git_dirty`` ("true" or "false") and, of a dirty
        checkout, ``git_diff``: 16 hex digits that are equal for equal changes of tracked files
        and equal names of new ones. Empty without git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit or not _git(folder, "ls-files", "--", "."):
        return {}
    names, diff = _git(folder, "status", "--porcelain"), _git(folder, "diff", "HEAD", "--binary")
    found = {"mlflow.source.git.commit": commit.decode().strip()}
    if names is None or diff is None:
        return found
    found["git_dirty"] = "true" if names else "false"
    if names:
        found["git_diff"] = hashlib.sha256(names + diff).hexdigest()[:16]
    return found


def _git(folder: Path, *words: str) -> bytes | None:
    """Return what git says; None if it fails or is not there."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        ended = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return None if ended.returncode else ended.stdout
