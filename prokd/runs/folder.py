"""The folder of one stage run: what it is, how far it came, what came out.

``<runs_dir>/<kind>-<signature>/`` holds ``identity.json`` (what makes the run), ``config.json``
(the full settings of whoever ran it first), ``checkpoint-<epoch>-<sha256>.pt`` (the last two
epochs, gone when the run is over; see `prokd.runs.checkpoints`), ``history.jsonl`` (metrics of
each epoch), then ``stage.json`` + ``weights.safetensors`` (what was trained), ``result.json`` and,
last of all, ``DONE``, which names the checksum of the weights. Afterwards come ``report.json``
(scores on the test splits) and, where an oracle was asked for, ``oracle.json`` (score on labelled
target dev). A run that did not fit into memory holds ``out_of_memory.json`` instead of results,
see `prokd.runs.within_memory`. Every file is written as `prokd.common.files` does, so a process
killed and a machine that loses power at any moment leave a folder from which the next one goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from prokd.common.files import WEIGHTS_FILE, file_sha256, read_json, write_json, write_text

SOURCE_DEV, ORACLE = "source_dev", "oracle"
"""What any result can be chosen by, higher is better: entity F1 on labelled source dev, and the
oracle, which looks at labels of target dev. Methods add what needs no label."""
TRACEBACK = "traceback.txt"
"""Where an error in a stage's code came up, that has ended its process."""
ESTIMATE = "estimate"
"""Beginning of the names of a report's numbers that are no scores: estimates without labels."""

_hashes: dict[tuple[str, int, int, int], str] = {}


class RunFolder:
    """One stage run on disk.

    Args:
        runs_dir: Folder of all runs.
        kind: What the run is, e.g. ``teacher``.
        signature: The run's identity, hashed.
    """

    def __init__(self, runs_dir: Path, kind: str, signature: str) -> None:
        """Name the folder; nothing is created yet."""
        self.kind = kind
        self.signature = signature
        self.path = Path(runs_dir) / f"{kind}-{signature}"

    def checkpoints(self) -> list[Path]:
        """Return the states after the last finished epochs, newest first."""
        return sorted(self.path.glob("checkpoint-*.pt"), reverse=True)

    @property
    def done(self) -> bool:
        """Whether the run has ended well."""
        return (self.path / "DONE").exists()

    def damage(self) -> str | None:
        """Return what is wrong with the weights of a finished run; None if nothing is.

        They are hashed once in a process, and again if their file has changed.
        """
        mark, weights = read_json(self.path / "DONE"), self.path / WEIGHTS_FILE
        if not isinstance(mark, dict) or self.result() is None:
            return "its result is not whole"
        try:
            state = weights.stat()
        except FileNotFoundError:
            return f"{WEIGHTS_FILE} is not there"
        key = (str(weights.resolve()), state.st_mtime_ns, state.st_size, state.st_ino)
        if key not in _hashes:
            _hashes[key] = file_sha256(weights)
        is_whole = _hashes[key] == mark.get("weights_sha256")
        return None if is_whole else f"{WEIGHTS_FILE} does not match its checksum"

    def discard_if_damaged(self) -> str | None:
        """Take the mark from a finished run whose weights are not whole: it is trained again.

        Returns:
            What happened, in a sentence; None if nothing had to.
        """
        if not self.done or (damage := self.damage()) is None:
            return None
        for name in (
            "DONE",
            "result.json",
            "report.json",
            "oracle.json",
            "counts*.npz",
            "*-*.npy",
        ):
            for path in self.path.glob(name):
                path.unlink(missing_ok=True)
        return f"{self.path}: {damage}; the run is trained again"

    @property
    def started(self) -> bool:
        """Whether at least one epoch is on disk."""
        return self.done or bool(self.checkpoints())

    def result(self) -> dict[str, Any] | None:
        """Return the source-dev result of a finished run; None before."""
        value: dict[str, Any] | None = read_json(self.path / "result.json") if self.done else None
        return value

    def report(self) -> dict[str, Any] | None:
        """Return what is known of the test splits; None if no report was made yet.

        A run that reads no target text is reported on every target that somebody asks for.
        """
        value: dict[str, Any] | None = read_json(self.path / "report.json")
        return value

    def reported(self, target: str) -> str | None:
        """Return the fingerprint of the corpora that the report on a target was made on."""
        report = self.report()
        if report is None:
            return None
        if "fingerprints" in report:
            found: str | None = report["fingerprints"].get(target)
            return found
        of_it = [name for name in report["metrics"] if name.startswith(f"test/{target}/")]
        return report["fingerprint"] if of_it or target in report["not_scored"] else None

    def counts(self, target: str) -> Path:
        """Return the file of a target's counts of each sentence, see `metrics.sentence_counts`."""
        return self.path / f"counts-{target}.npz"

    def write_report(
        self,
        fingerprint: str,
        metrics: Mapping[str, float],
        not_scored: Mapping[str, str],
        *,
        target: str,
    ) -> None:
        """Write the report on the test splits of source and target; others' are kept.

        Args:
            fingerprint: Of the labelled test corpora.
            metrics: ``test/<language>/<measure>``, ``estimate/<language>/<measure>``.
            not_scored: Languages without a labelled test split, and why.
            target: The language beside the source.
        """
        known = self.report() or {}
        scored = {_language(name) for name in metrics if not name.startswith(ESTIMATE)}
        told = scored | set(not_scored)
        kept = {n: v for n, v in known.get("metrics", {}).items() if _language(n) not in told}
        reasons = {k: v for k, v in known.get("not_scored", {}).items() if k not in scored}
        report = {
            "fingerprint": fingerprint,
            "fingerprints": known.get("fingerprints", {}) | {target: fingerprint},
            "metrics": kept | dict(metrics),
            "not_scored": reasons | dict(not_scored),
        }
        write_json(self.path / "report.json", report)

    def oracle(self) -> dict[str, Any] | None:
        """Return the score on labelled target dev; None unless an oracle was asked for."""
        value: dict[str, Any] | None = read_json(self.path / "oracle.json")
        return value

    def criterion(self, name: str) -> float | None:
        """Return what a run is chosen by; None if it is not there."""
        if name == ORACLE:
            known = self.oracle()
            return None if known is None else float(known["target_dev_entity_f1"])
        result = self.result()
        if result is None:
            return None
        value = result["objective"] if name == SOURCE_DEV else result["criteria"].get(name)
        return None if value is None else float(value)

    def failure(self) -> str | None:
        """Return why the run collapsed; None if it did not."""
        value = read_json(self.path / "failure.json")
        return None if value is None else str(value["reason"])

    def identity(self) -> dict[str, Any] | None:
        """Return all that makes the run; None if it was never opened."""
        value: dict[str, Any] | None = read_json(self.path / "identity.json")
        return value

    def history(self) -> list[dict[str, float]]:
        """Return the metrics of each finished epoch."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def write_identity(self, identity: dict[str, Any], config: dict[str, Any]) -> None:
        """Write what makes the run, and the full settings of whoever opened it."""
        write_json(self.path / "identity.json", identity)
        write_json(self.path / "config.json", config)

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write the metrics of all finished epochs."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path = self.path / "history.jsonl"
        write_text(path, text)

    def mark_done(self, result: dict[str, Any]) -> None:
        """Write the result and, after it, the mark that ends a run; drop the checkpoints.

        Args:
            result: Numbers; the weights that they belong to are in place already.
        """
        digest = file_sha256(self.path / WEIGHTS_FILE)
        write_json(self.path / "result.json", result)
        mark = {"signature": self.signature, "weights_sha256": digest}
        write_json(self.path / "DONE", mark)
        (self.path / TRACEBACK).unlink(missing_ok=True)
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


def _language(measure: str) -> str:
    """Return the language in ``test/<language>/<measure>``, whatever stands for ``test``."""
    return measure.split("/")[1]
