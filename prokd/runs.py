"""The folder of one stage run: what it is, how far it came, what came out.

``<runs_dir>/<kind>-<signature>/`` holds ``identity.json`` (what makes the run), ``config.json``
(the full settings of whoever ran it first), ``checkpoint-<epoch>-<sha256>.pt`` (the last two
epochs, gone when the run is over; see `prokd.checkpoints`), ``history.jsonl`` (metrics of each
epoch), then ``stage.json`` + ``weights.safetensors`` (what was trained), ``result.json`` and, last
of all, ``DONE``. Afterwards come ``report.json`` (scores on the test splits) and, where an oracle
was asked for, ``oracle.json`` (score on labelled target dev). Every file is written beside its
place and renamed, so a process killed at any moment leaves a folder from which the next one goes
on.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

Kind = Literal["teacher", "student"]
SOURCE_DEV, ORACLE = "source_dev", "oracle"
CRITERIA = (
    SOURCE_DEV,
    "teacher_agreement",
    "confidence",
    "distribution_match",
    "prototype_separation",
    ORACLE,
)
"""What students can be chosen by, higher is better: entity F1 on labelled source dev, the four of
`student.criteria`, which need no label, and the oracle, which looks at labels of target dev."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Read JSON; None if the file is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


class RunFolder:
    """One stage run on disk.

    Args:
        runs_dir: Folder of all runs.
        kind: ``teacher`` or ``student``.
        signature: The run's identity, hashed.
    """

    def __init__(self, runs_dir: Path, kind: Kind, signature: str) -> None:
        """Name the folder; nothing is created yet."""
        self.kind: Kind = kind
        self.signature = signature
        self.path = Path(runs_dir) / f"{kind}-{signature}"

    def checkpoints(self) -> list[Path]:
        """Return the states after the last finished epochs, newest first."""
        return sorted(self.path.glob("checkpoint-*.pt"), reverse=True)

    @property
    def done(self) -> bool:
        """Whether the run has ended well."""
        return (self.path / "DONE").exists()

    @property
    def started(self) -> bool:
        """Whether at least one epoch is on disk."""
        return self.done or bool(self.checkpoints())

    def result(self) -> dict[str, Any] | None:
        """Return the source-dev result of a finished run; None before."""
        value: dict[str, Any] | None = read_json(self.path / "result.json") if self.done else None
        return value

    def report(self) -> dict[str, Any] | None:
        """Return the target-test report; None if it was not made yet."""
        value: dict[str, Any] | None = read_json(self.path / "report.json")
        return value

    def oracle(self) -> dict[str, Any] | None:
        """Return the score on labelled target dev; None unless an oracle was asked for."""
        value: dict[str, Any] | None = read_json(self.path / "oracle.json")
        return value

    def criterion(self, name: str) -> float | None:
        """Return what a run is chosen by, one of `CRITERIA`; None if it is not there."""
        if name == ORACLE:
            known = self.oracle()
            return None if known is None else float(known["target_dev_entity_f1"])
        result = self.result()
        if result is None:
            return None
        return float(result["objective"] if name == SOURCE_DEV else result["criteria"][name])

    def failure(self) -> str | None:
        """Return why the run collapsed; None if it did not."""
        value = read_json(self.path / "failure.json")
        return None if value is None else str(value["reason"])

    def history(self) -> list[dict[str, float]]:
        """Return the metrics of each finished epoch."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write the metrics of all finished epochs."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path = self.path / "history.jsonl"
        write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))

    def mark_done(self, result: dict[str, Any]) -> None:
        """Write the result and, after it, the mark that ends a run; drop the checkpoints."""
        write_json(self.path / "result.json", result)
        write_atomically(self.path / "DONE", lambda part: part.write_text(self.signature + "\n"))
        self.drop_checkpoints()

    def mark_failed(self, reason: str) -> None:
        """Write why the run is no result; running it again gives the same and is not tried."""
        write_json(self.path / "failure.json", {"reason": reason})
        self.drop_checkpoints()

    def drop_checkpoints(self) -> None:
        """Remove the checkpoints: the run is over."""
        for path in self.checkpoints():
            path.unlink(missing_ok=True)

    def clear_parts(self) -> None:
        """Remove what a killed process left half written; the folder must be locked."""
        for part in self.path.glob(".*-*"):
            part.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run alone: a second process waits, then finds it done."""
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".lock"):
            yield
