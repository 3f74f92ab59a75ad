"""Checkpoints of a stage run: written beside the training, with a checksum, the last two kept.

A checkpoint is one file, ``checkpoint-<epoch>-<sha256>.pt``: its name says how far it came and
what its bytes must hash to, so file and checksum appear together. It is written by a thread from a
copy of the state while the next epoch trains. A file that was cut off or changed is passed over
for the one before it. Nothing but tensors and plain values is ever loaded (``weights_only``).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from prokd.common.files import sync
from prokd.common.full_disk import full_disk
from prokd.errors import UserError
from prokd.runs.folder import RunFolder

logger = logging.getLogger(__name__)
KEPT = 2
"""Checkpoints of an unfinished run on disk, the newest first choice."""
_NAME = re.compile(r"checkpoint-(\d+)-([0-9a-f]{64})\.pt")


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Of the run; nothing is created before the first `save`.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Clear away what a killed process left half written."""
        self.folder = folder
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        folder.clear_parts()

    def save(self, state: dict[str, Any], epoch: int, written: Callable[[], object]) -> None:
        """Copy the state and let a thread write it; wait for the one before it first.

        Args:
            state: Tensors and plain values, nested in dicts, lists and tuples.
            epoch: Number of finished epochs.
            written: Called by the thread when the file is in place.

        Raises:
            UserError: The disk was full when the one before was written.
        """
        self.wait()
        self._pending = self._writer.submit(self._write, _copy(state), epoch, written)

    def wait(self) -> None:
        """Wait until what was saved is on disk.

        Raises:
            UserError: The disk is full; the checkpoint before is untouched.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            with clear_about_space(self.folder.path):
                pending.result()

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole; None if there is none."""
        for path in self.folder.checkpoints():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == _expected(path):
                state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
                return state
            logger.warning("%s is damaged (wrong checksum) and is passed over", path)
            path.unlink(missing_ok=True)
        return None

    def close(self) -> None:
        """Let a write that is under way end, whatever comes of it; safe to call twice."""
        self._writer.shutdown(wait=True)
        pending, self._pending = self._pending, None
        if pending is not None and (error := pending.exception()) is not None:
            logger.warning(
                "the last checkpoint of %s was not written: %s", self.folder.path, error
            )

    def _write(self, state: dict[str, Any], epoch: int, written: Callable[[], object]) -> None:
        folder = self.folder.path
        part = folder / ".checkpoint-part"
        try:
            digest = _save_hashed(state, part)
            os.replace(part, folder / f"checkpoint-{epoch:04d}-{digest}.pt")
            sync(folder)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        written()
        for stale in self.folder.checkpoints()[KEPT:]:
            stale.unlink(missing_ok=True)


@contextmanager
def clear_about_space(folder: Path) -> Iterator[None]:
    """Turn the error of a full disk, however it is wrapped, into one sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if (reason := full_disk(error)) is None:
            raise
        raise UserError(
            f"the run needs space on the disk of {folder}, but it is full ({reason}); what was "
            f"finished before is kept: free some space and run the same command again."
        ) from None


class _Hashing(io.RawIOBase):
    """A file that is only appended to, and its hash."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self.file.write(data)

    def writable(self) -> bool:
        return True


def _save_hashed(state: dict[str, Any], path: Path) -> str:
    """Write a state to stable storage and return the hash of the bytes."""
    with path.open("wb") as file:
        hashing = _Hashing(file)
        torch.save(state, hashing)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    return hashing.sha256.hexdigest()


def _expected(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return match[2] if match else ""


def _copy(value: Any) -> Any:
    """Copy all tensors to memory of their own, on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copy(item) for item in value)
    return value
