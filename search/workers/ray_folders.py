"""Two folders of a Ray: the one that its workers import from, and the one of its own files."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from prokd.common.import_path import ROOT
from prokd.common.places import check_writable
from prokd.errors import UserError

logger = logging.getLogger(__name__)
PACKAGES = ("prokd", "search")
"""What workers need of the project."""
USUAL = Path("/tmp")
SOCKET_BYTES = 103
"""Longest path of a Unix socket on all systems: 107 bytes on Linux, 103 on a Mac."""
SOCKET = "ray/session_2000-01-01_00-00-00_000000_0000000/sockets/plasma_store"
"""The longest path that Ray gives a socket, below the folder for temporary files."""


@cache
def import_folder() -> Path:
    """Return a folder that leads to the packages of the project and holds nothing else.

    Ray puts the folder in which it is started, or connected to, in front of all that its workers
    import from: in the user's working folder anything may lie. It is removed with the process.
    """
    folder = Path(tempfile.mkdtemp(prefix="prokd-import-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in PACKAGES:
        (folder / name).symlink_to(ROOT / name)
    return folder


def address_of_last_start() -> str | None:
    """Return the address of the Ray that `ray start` started last on this machine, if any.

    It may be gone since. The documentation of `ray.init` says where the address lies.
    """
    path = Path(_temporary_files()) / "ray" / "ray_current_cluster"
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _temporary_files() -> str:
    is_linux = sys.platform.startswith("linux")  # Ray reads TMPDIR nowhere else
    general = os.environ.get("TMPDIR") if is_linux else None
    return os.environ.get("RAY_TMPDIR") or general or str(USUAL)


def session_folder() -> str | None:
    """Return where a Ray that is started here keeps its files; None = where it wants to.

    Raises:
        UserError: The path of the folder for temporary files is too long or has characters that
            Ray does not take, and ``/tmp`` cannot be written.
    """
    given = _temporary_files()
    why = _why_not(given)
    if why is None:
        return None
    try:
        check_writable(USUAL, "/tmp")
    except UserError as error:
        raise UserError(
            f"Ray's folder for temporary files must have a short plain path, but {given} {why}, "
            f"and {str(error).rstrip('.')}: set RAY_TMPDIR to another."
        ) from None
    logger.warning("Ray's own files are in %s/ray, since %s %s", USUAL, given, why)
    return str(USUAL / "ray")


def _why_not(folder: str) -> str | None:
    if len(os.fsencode(os.path.join(folder, SOCKET))) > SOCKET_BYTES:
        return "is too long for the sockets in it"
    if not re.fullmatch(r"[A-Za-z0-9/._+~-]+", folder):
        return "has characters that Ray does not take"
    try:
        check_writable(Path(folder), "it")
    except UserError:
        return "cannot be written"
    return None
