"""Files of runs: large ones, which a store on the same disk need not copy, and what changes."""

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


def contents(place: Path) -> dict[str, str]:
    """Return the hash of a file, or of each in a folder by its path there; none of nothing."""
    files = sorted(path for path in (place, *place.rglob("*")) if path.is_file())
    return {path.relative_to(place).as_posix(): file_sha256(path) for path in files}
