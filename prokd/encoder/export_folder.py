"""Where an export is put: never over anything that an export did not write itself.

An export lists its own files in ``prokd.json``. One that still holds nothing else may be replaced
or removed; any other folder that is not empty is somebody's, and is left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prokd.common.files import read_json, sync, write_json
from prokd.errors import UserError

MANIFEST, CARD = "prokd.json", "README.md"


def check_destination(destination: Path) -> None:
    """Make sure that an export may be put at a place.

    Raises:
        UserError: It is a file, or a folder with files that no export wrote.
    """
    if not destination.exists() and not destination.is_symlink():
        return
    if not destination.is_dir():
        raise UserError(f"an export must go to a new folder, but {destination} is a file.")
    if any(destination.iterdir()) and (strange := _strange(destination)):
        raise UserError(
            f"an export must go to a new folder, an empty one or an older export, but "
            f"{destination} holds {_listed(strange)}; "
            f"nothing is removed: choose another folder."
        )


def check_export(folder: Path) -> None:
    """Make sure that a folder is an export, whole, with nothing added to it.

    Raises:
        UserError: It is none, or what it lacks or holds besides.
    """
    if not (folder / MANIFEST).is_file():
        raise UserError(
            f"an export must hold {MANIFEST}, but {folder} does not: `prokd export RUN FOLDER` "
            f"writes one."
        )
    if strange := _strange(folder):
        raise UserError(
            f"an export must be as it was written, whole and with nothing added, but {folder} "
            f"holds {_listed(strange)}."
        )


def is_export(folder: Path) -> bool:
    """Tell whether a folder is an export, whole, with nothing added to it."""
    return folder.is_dir() and not folder.is_symlink() and _strange(folder) == []


def remove_export(folder: Path) -> bool:
    """Remove an export; leave a folder that is none, or holds more; tell whether it is gone."""
    if not is_export(folder):
        return False
    _put_away(folder)
    return True


@contextmanager
def new_folder(destination: Path, description: Mapping[str, Any]) -> Iterator[Path]:
    """Give a folder to write an export into, and put it in place when it is whole.

    Args:
        destination: Where to.
        description: What the export says of itself; the names of its files are added.

    Yields:
        The folder to write into, beside the destination.

    Raises:
        UserError: As `check_destination`.
    """
    destination = destination.absolute()
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}-"))
    try:
        yield part
        files = sorted(str(file.relative_to(part)) for file in part.rglob("*") if file.is_file())
        write_json(part / MANIFEST, {**description, "files": [*files, MANIFEST]})
        part.chmod(0o755)
        for file in part.iterdir():  # readable by others on shared storage, like everything else
            file.chmod(0o644)
            sync(file)
        check_destination(destination)
        if is_export(destination):
            _put_away(destination)
        part.rename(destination)  # an empty folder gives way
        sync(destination.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _strange(folder: Path) -> list[str]:
    """Return what speaks against a folder's being an export: files it did not write, or lacks."""
    listed = (read_json(folder / MANIFEST) or {}).get("files")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    if not isinstance(listed, list):
        return sorted(present) or [f"no {MANIFEST}"]
    lost = [f"no {name}" for name in sorted(set(listed) - present)]
    return [*sorted(present - set(listed)), *lost]


def _listed(strange: list[str]) -> str:
    return ", ".join(strange[:3]) + (" ..." if strange[3:] else "")


def _put_away(folder: Path) -> None:
    """Take a folder from its place in one step, then remove it."""
    away = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-old-"))
    folder.rename(away / folder.name)
    shutil.rmtree(away)
