"""Large files of runs, which an MLflow store on the same disk need not copy."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse


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
