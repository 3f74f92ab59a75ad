"""Folders: where those that are written to are by default, whether they can be written or read."""

from __future__ import annotations

import errno
import getpass
import logging
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from prokd.common.files import STAGE_FILE, is_special
from prokd.errors import UserError

logger = logging.getLogger(__name__)
OUTPUT_PARTS = ("runs", "studies", "exports", "reports", "ray_results", "mlartifacts")
"""Folders in an output folder."""


def default_cache() -> Path:
    """Return ``~/.cache/prokd``, or with a warning a folder for temporary files without that."""
    return _in_home(Path(".cache") / "prokd", "prokd-cache")


@cache
def _in_home(part: Path, otherwise: str) -> Path:
    try:
        home = Path.home()
        if not home.is_dir():
            raise UserError(f"the home directory {home} does not exist")
        check_writable(home / part, "the folder")
    except (RuntimeError, UserError) as error:
        folder = Path(tempfile.gettempdir()) / f"{otherwise}-{_user()}"
        why = str(error).rstrip(".")
        logger.warning("%s is used, which may not last, since %s", folder, why)
        return folder
    return home / part


def _user() -> str:
    """Return a name of whoever runs this, so that no two share a temporary folder."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def check_model(folder: Path) -> None:
    """Make sure that a folder may hold a model; whoever loads it sees more, some seconds later.

    Raises:
        UserError: It is no run and no export.
    """
    if not any((folder / name).is_file() for name in (STAGE_FILE, "identity.json", "config.json")):
        raise UserError(
            f"a model folder must hold {STAGE_FILE} (a run) or config.json (an export), but "
            f"{folder} holds neither."
        )


def check_file(path: Path, what: str) -> None:
    """Make sure that a file can be written, or made; nothing of it is left behind.

    Args:
        path: It need not exist, nor its folder.
        what: How a sentence names it: ``--to``, say.

    Raises:
        UserError: It is a folder, or the one that it lies in cannot be written or made.
    """
    if path.is_dir():
        raise UserError(f"{what} must be a file, but {path} is a folder.")
    if not is_special(path):
        check_writable(path.parent, f"the folder of {what}")


def given_file(path: Path, what: str) -> Path:
    """Return the place that a file is written to, absolute: see `check_file`.

    A pipe or a device keeps the name that it was given by: ``/dev/stdout`` is a link to none.
    """
    try:
        found = path if is_special(path) else Path(os.path.realpath(path))
    except OSError as error:  # a name that is too long, say
        raise UserError(f"{what} must be a file, but {path} is none ({error.strerror}).") from None
    check_file(found, what)
    return found


def check_writable(folder: Path, what: str) -> None:
    """Make sure that a folder can be written to, or made; nothing of it is left behind.

    Args:
        folder: It need not exist.
        what: How a sentence names it: ``--output``, say.

    Raises:
        UserError: It is a file, lies below one, or cannot be written or made.
    """
    try:
        there = _nearest(folder)
        with tempfile.TemporaryFile(dir=there, prefix=".prokd-"):  # rights alone say too little
            pass
    except OSError as error:
        raise UserError(
            f"{what} must be a folder that can be written, but got {folder} ({error.strerror})."
        ) from None


def check_output(folder: Path) -> None:
    """Make sure that an output folder and what belongs into it can be written.

    Raises:
        UserError: See `check_writable`.
    """
    for place in (folder, *(folder / part for part in OUTPUT_PARTS)):
        check_writable(place, "--output")


def _nearest(folder: Path) -> Path:
    """Return a folder, or the nearest above it that is there.

    Raises:
        OSError: One on the way is no folder, or has too long a name.
    """
    place = folder.absolute()
    while True:
        try:
            kind = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            place = place.parent
            continue
        if stat.S_ISDIR(kind) or place.is_dir():
            return place
        raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder")
