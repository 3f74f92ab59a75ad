"""Files of runs: large ones, which an MLflow store on the same disk need not copy, and folders."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

from prokd.common.files import file_sha256


def linked(place: str, file: Path) -> bool:
    """Link a file that nobody changes into a folder of artifacts; tell whether that could be done.

    Args:
        place: Address of the folder.
        file: What is linked.
    """
    uri = urlparse(place)
    if uri.scheme != "file":
        return False
    path = Path(unquote(uri.path)) / file.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.link(file, path)
    except OSError:
        return False
    return True


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of each file of a folder, by its path in it; none if there is no folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
