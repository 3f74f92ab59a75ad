"""Files that are whole or not there: written beside their place, synced to the disk, renamed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
WEIGHTS_FILE = "weights.safetensors"
"""What was trained, in a run's folder."""
STAGE_FILE = "stage.json"
"""What is needed to put that on its encoder again, beside it."""
OPEN = ("/dev/stdout", "/dev/stderr")
"""Links to what a process has open."""
_parts: set[str] = set()
_looking = threading.Lock()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in place in one step.

    When this returns, the file and its name are on the disk, not in its cache alone. A pipe or a
    device is no file that another could take the place of: it is written into.
    """
    if is_special(path):
        write(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    _parts.add(name)
    try:
        write(Path(name))
        os.chmod(name, 0o666 & ~_umask())
        sync(Path(name))
        os.replace(name, path)
        sync(path.parent)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk, say, names no file
        raise
    finally:
        _parts.discard(name)


def is_special(path: Path) -> bool:
    """Tell whether a path is a pipe, a device or a socket, or leads to what a process has open."""
    leads = path.parts[:2] == ("/", "proc") or str(path) in OPEN or str(path.parent) == "/dev/fd"
    return leads or (path.exists() and not path.is_file() and not path.is_dir())


def remove_parts() -> None:
    """Remove what this process has half written: it ends without an exception."""
    for name in list(_parts):
        Path(name).unlink(missing_ok=True)


def _umask() -> int:
    """Return which rights new files do not get."""
    with _looking:  # it can be looked at only by setting it
        mask = os.umask(0o022)
        os.umask(mask)
    return mask


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8, atomically."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if the file is not there, or is damaged, which is told."""
    found = read_json(path)
    if found is None or isinstance(found, dict):
        return found
    logger.warning("%s is damaged (no JSON object) and is passed over", path)
    return None


def read_json(path: Path) -> Any:
    """Read JSON; None if the file is not there, or is damaged, which is told."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        logger.warning("%s is damaged (no JSON) and is passed over", path)
        return None
