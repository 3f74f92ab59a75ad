"""What lies where in folders that somebody else named, or that an older version wrote."""

from __future__ import annotations

from pathlib import Path

from prokd.errors import UserError
from prokd.runs.folder import RunFolder


def known_counts(folder: RunFolder, target: str) -> Path:
    """Return the file of `RunFolder.counts`; one without a language where a run had one target."""
    own, former, report = folder.counts(target), folder.path / "counts.npz", folder.report() or {}
    is_of_it = "fingerprints" not in report and folder.reported(target) is not None
    return former if is_of_it and former.exists() and not own.exists() else own


def run_in(path: Path) -> RunFolder:
    """Return the run in a folder.

    Raises:
        UserError: The folder has not the name of a run.
    """
    kind, _, signature = path.resolve().name.rpartition("-")
    if not kind:
        raise UserError(f"a run's folder must be called <stage>-<signature>, but got {path}.")
    return RunFolder(path.resolve().parent, kind, signature)
