"""A run's folder, open and locked: its name, what lies in it, who trains it, its scores."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Self

from filelock import FileLock, Timeout

from prokd.common.files import write_json
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.encoder.device import device_of
from prokd.encoder.precision import settled
from prokd.errors import CollapsedRun, GaveUpWaiting
from prokd.runs.checkpoints import Checkpoints, clear_about_space
from prokd.runs.folder import Kind, RunFolder
from prokd.runs.identity import signature, student_identity, teacher_identity
from prokd.runs.within_memory import remember_asked, within_memory
from prokd.stages.memory import PeakMemory
from prokd.stages.stage import Stage
from prokd.training.corpora import Corpora

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
"""Pause between two looks at a run that another process trains."""


class OpenRun:
    """A teacher's or student's run in its folder, which is locked until `close`.

    See `training.StageRun`, which trains it.
    """

    def __init__(
        self,
        kind: Kind,
        config: ExperimentConfig,
        runtime: RuntimeConfig,
        *,
        fingerprints: dict[str, str] | None = None,
        give_up: Callable[[], bool] | None = None,
    ) -> None:
        """Open the run's folder and lock it."""
        self.kind, self.runtime, self.device = kind, runtime, device_of(runtime)
        self.asked = settled(config, self.device)
        self.corpora = Corpora(config, runtime)
        self.fingerprints = fingerprints or self.corpora.fingerprints()
        self.trained_epochs = 0
        self._give_up = give_up or bool
        self._open()

    def _open(self) -> None:
        """Lock the folder of the run that is asked for, or of the one that it goes on as."""
        while True:
            self._name(self._within_memory())
            with clear_about_space(self.folder.path):
                self.folder.path.mkdir(parents=True, exist_ok=True)
                self._lock = FileLock(self.folder.path / ".lock")
                self._wait_for_lock()
            if self._within_memory() == self.config:
                break
            self._lock.release()  # whoever had it before has found that it does not fit
        with clear_about_space(self.folder.path):
            self._checkpoints = Checkpoints(self.folder)
            try:
                self._look_into_folder()
            except BaseException:
                self.close()
                raise

    def _wait_for_lock(self) -> None:
        is_told = False
        while True:
            try:
                self._lock.acquire(timeout=LOOK_SECONDS)
                return
            except Timeout:
                if self._give_up():
                    raise GaveUpWaiting(f"another process trains {self.folder.path}") from None
            if not is_told:
                logger.info("%s: another process trains it; waiting", self.folder.path)
                is_told = True

    def _within_memory(self) -> ExperimentConfig:
        return within_memory(self.asked, self.fingerprints, self.runtime.runs_dir)

    def _name(self, config: ExperimentConfig) -> None:
        """Become the run of a configuration; nothing of it is looked at yet."""
        kind, runs_dir = self.kind, self.runtime.runs_dir
        build_identity = teacher_identity if kind == "teacher" else student_identity
        self.config, self.identity = config, build_identity(config, self.fingerprints)
        self.folder = RunFolder(runs_dir, kind, signature(self.identity))
        self.teacher_folder: RunFolder | None = None
        if kind == "student":
            name = self.identity["teacher_signature"]
            self.teacher_folder = RunFolder(runs_dir, "teacher", name)
        self.settings = config.student if kind == "student" else config.teacher
        self.num_epochs = self.settings.epochs
        self.stage: Stage | None = None
        self._peak: PeakMemory | None = None
        self._peak_before = 0.0

    def _look_into_folder(self) -> None:
        if (damage := self.folder.discard_if_damaged()) is not None:
            logger.warning("%s", damage)
        if (reason := self.folder.failure()) is not None:
            raise CollapsedRun(reason)
        self.history = self.folder.history()
        remember_asked(self.folder, self.asked, self.fingerprints, self.runtime.runs_dir)
        if self.done:
            self.folder.drop_checkpoints()  # whoever finished it may have been killed before
        else:
            self.folder.write_identity(self.identity, self.config.model_dump())

    @property
    def signature(self) -> str:
        """The run's name."""
        return self.folder.signature

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return self.folder.done

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    def report(self) -> dict[str, float]:
        """Score the finished run on the test splits; computed once per labelled test corpus.

        No number of it reaches anything that trains or chooses. What has no labelled test split
        is not scored.

        Returns:
            ``test/<target>/<measure>`` and ``test/<source>/<measure>``, see `metrics.flat_report`.
        """
        known = self.folder.report()
        key = self.corpora.report_fingerprint()
        if known is None or known["fingerprint"] != key:
            model = artifact.load(self.folder.path, self.config.encoder, self.runtime)
            with clear_about_space(self.folder.path):
                metrics = self.corpora.report(model, self.folder.path / "counts.npz")
                self.folder.write_report(key, metrics, self.corpora.not_scored())
            return metrics
        scores: dict[str, float] = known["metrics"]
        return scores

    def oracle(self) -> float:
        """Score the finished run on labelled target dev: only where an oracle was asked for.

        Zero-resource work has no such labels; whatever is chosen by this number must say so.

        Returns:
            Entity F1 on target dev, in [0, 1]; computed once per labelled corpus.
        """
        known = self.folder.oracle()
        key = self.corpora.oracle_fingerprint()
        if known is None or known["fingerprint"] != key:
            model = artifact.load(self.folder.path, self.config.encoder, self.runtime)
            scores = self.corpora.scores(model, self.config.target, "dev")
            known = {"fingerprint": key, "target_dev_entity_f1": scores["entity_f1"]}
            with clear_about_space(self.folder.path):
                write_json(self.folder.path / "oracle.json", known)
        return float(known["target_dev_entity_f1"])

    def close(self) -> None:
        """Give the folder free and forget the model."""
        self.stage = None
        self._checkpoints.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Use the run in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the run."""
        self.close()
