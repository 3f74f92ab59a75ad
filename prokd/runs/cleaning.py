"""What lies in an output folder and is needed by nothing: found first, removed when asked to.

A run is needed if its signature stands in any file of ``studies/``, ``exports/`` or ``reports/``,
or if a run that is needed was trained with it. What did not fit into memory is needed with
the run that it goes on as, and the other way round. A run that somebody trains is left alone.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from prokd.errors import UserError
from prokd.runs.folder import RunFolder
from prokd.runs.within_memory import asked_names

NAMING = ("studies", "exports", "reports")
TEXT = (".journal", ".json", ".csv", ".md")
PASSING = "ray_results"
_SIGNATURE = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])")
_RUN = re.compile(r"(\w+)-([0-9a-f]{12})")
_PASSING = re.compile(r"stages-[0-9a-f]{8}|\.stop-[0-9a-f]{12}")
_CACHED = {
    re.compile(r"[0-9a-f]{16}\.arrow"): "subwords of a corpus",
    re.compile(r"[0-9a-f]{16}-[0-9a-f]{12}\.frozen\.npy"): "features of a corpus",
    re.compile(r"[0-9a-f]{16}-[0-9a-f]{12}\.frozen\.lock"): "the lock of such features",
    re.compile(r"text-[0-9a-f]{16}"): "a corpus of raw text",
    re.compile(r"translated-[0-9a-f]{16}\.parquet"): "a translated corpus",
}
"""Names that the project gives; whatever else lies in these folders is somebody's."""


@dataclass(frozen=True)
class Waste:
    """Something that nothing needs.

    Args:
        path: File or folder.
        num_bytes: That removing it frees; files that lie elsewhere too (hard links) not counted.
        reason: Why it is not needed.
    """

    path: Path
    num_bytes: int
    reason: str


def needed(output: Path) -> set[str]:
    """Return the signatures of runs that a study, an export, a report or a run at work needs."""
    names: set[str] = set()
    for folder in NAMING:
        for path in (output / folder).rglob("*"):
            names |= set(_SIGNATURE.findall(path.name))
            if path.is_file() and path.suffix in TEXT:
                text = path.read_text(encoding="utf-8", errors="replace")
                names |= set(_SIGNATURE.findall(text))
    runs = list(_run_folders(output))
    at_work = [run for run in runs if not run.done and _is_held(run.path / ".lock")]
    while True:  # what a needed run needs is needed, under whatever name it was asked for
        more = set(names)
        for run in runs:
            own = {run.signature, *asked_names(run)}
            if own & more or run in at_work:
                identity = run.identity() or {}
                more |= own | set(identity.get("needs", ()))
        if more == names:
            return names
        names = more


@contextmanager
def nothing_removed(output: Path, name: str) -> Iterator[None]:
    """Let nobody remove runs of an output folder (`find_waste`) for as long as the block lasts.

    Args:
        output: The folder.
        name: Of what is at work there, whose runs no file names before its end.
    """
    lock = output / "studies" / f"{name}-{os.getpid()}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _is_held(lock: Path) -> bool:
    """Tell whether a process holds a lock: trains a run, drives a study."""
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _run_folders(output: Path) -> Iterator[RunFolder]:
    """Yield all runs, those that were only begun among them."""
    for path in sorted((output / "runs").glob("*")):
        match = _RUN.fullmatch(path.name)
        if match is not None and (path / "identity.json").is_file():
            yield RunFolder(output / "runs", match[1], match[2])


def find_waste(output: Path) -> list[Waste]:
    """Return all that nothing in an output folder needs; nothing is removed.

    Raises:
        UserError: A search or an ablation is running there.
    """
    for lock in (output / "studies").glob("*.lock"):
        if _is_held(lock):
            raise UserError(
                f"nothing may be removed while a search or an ablation runs, but {lock.stem} is "
                f"running."
            )
    return [*_runs(output), *_passing(output)]


def cached(cache_dir: Path) -> list[Waste]:
    """Return subwords, frozen features and corpora of raw text; a run makes what it needs anew."""
    return [
        Waste(path, _size(path), f"{what}, made again when needed")
        for pattern, what in _CACHED.items()
        for path in sorted(cache_dir.glob("*"))
        if pattern.fullmatch(path.name)
    ]


def remove(waste: Waste) -> bool:
    """Remove something, unless it is a run that somebody trains; tell whether it is gone."""
    if not waste.path.is_dir():
        waste.path.unlink(missing_ok=True)
        return True
    if _RUN.fullmatch(waste.path.name):
        try:
            with FileLock(waste.path / ".lock", timeout=0):
                shutil.rmtree(waste.path)
        except Timeout:
            return False
        return True
    shutil.rmtree(waste.path, ignore_errors=True)
    return True


def _runs(output: Path) -> Iterator[Waste]:
    names = needed(output)
    for folder in _run_folders(output):
        path = folder.path
        if folder.signature not in names:
            yield Waste(path, _size(path), "no study, export or report names this run")
            continue
        if folder.done or folder.failure() is not None:
            for checkpoint in folder.checkpoints():
                yield Waste(checkpoint, _size(checkpoint), "a checkpoint of a run that is over")


def _passing(output: Path) -> Iterator[Waste]:
    for path in sorted((output / PASSING).glob("*")):
        if _PASSING.fullmatch(path.name):
            yield Waste(path, _size(path), "left by a driver that was killed")
    for path in sorted((output / "exports").glob("*/.rank[0-9]*-????????????*-*")):
        yield Waste(path, _size(path), "an export that was interrupted")


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(f.stat().st_size for f in files if f.stat().st_nlink == 1)
