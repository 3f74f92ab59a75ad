"""What a result comes from: settings by dotted path, versions of what computed it, commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from functools import cache
from pathlib import Path

PACKAGES = ("torch", "transformers", "datasets", "ray", "optuna", "mlflow", "numpy")


@cache
def environment() -> dict[str, str]:
    """Return what results may depend on besides settings and data: versions and commit."""
    found = {"python": platform.python_version(), "system": platform.system()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    git = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    if git.returncode == 0:
        found["git_commit"] = git.stdout.strip()
    return found
