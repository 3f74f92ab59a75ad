"""One stage run from end to end: open its folder, train what is missing, finish, report."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from prokd import artifact
from prokd.checkpoints import Checkpoints, clear_about_space
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.corpora import Corpora
from prokd.encoder_files import load_tokenizer
from prokd.errors import CollapsedRun, GaveUpWaiting
from prokd.evaluation import device_of
from prokd.identity import signature, student_identity, teacher_identity
from prokd.memory import PeakMemory, epoch_within_memory, release_memory, smaller_parts
from prokd.new_stage import new_stage
from prokd.precision import settled
from prokd.runs import SOURCE_DEV, Kind, RunFolder, write_json
from prokd.stage import Stage
from prokd.student import StudentStage
from prokd.within_memory import note, remember_asked, within_memory

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
"""Pause between two looks at a run that another process trains."""


class StageRun:
    """A teacher's or student's run in its folder; drives a `Stage` one epoch at a time.

    A finished run opens without training anything; an interrupted one goes on after its last
    finished epoch, with the numbers of an uninterrupted one. While it is open the folder is
    locked, so that two searches that need the same run train it once. A run that does not fit
    into memory goes on under another name, with batches in smaller parts (`prokd.within_memory`).

    Args:
        kind: ``teacher`` or ``student``.
        config: The experiment as it is asked for.
        runtime: Where things lie.
        fingerprints: As `data_fingerprints` returns them, if known already.
        give_up: Whether to wait no longer for another process that trains the run; asked every
            half second meanwhile. None = wait as long as it takes.

    Raises:
        GaveUpWaiting: Another process trains the run, and ``give_up`` said so.
        UserError: Bad data or encoder; a precision that the device cannot do; a student whose
            teacher is not there.
        CollapsedRun: The run collapsed before; it would do so again.
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

    def step(self) -> dict[str, float]:
        """Train one epoch, save it, and finish the run after the last one.

        Returns:
            The epoch's metrics; those of the last epoch if the run is done already.

        Raises:
            CollapsedRun: Training collapsed in this epoch; the folder says so from now on.
            UserError: The disk is full; the checkpoint before is kept.
        """
        while not self.done:
            with clear_about_space(self.folder.path):
                if self.stage is None:
                    self.stage = self._build_stage()
                # All is trained if it was killed between its last epoch and DONE.
                fits = self.epoch == self.num_epochs or self._train_epoch()
                if fits and self.epoch == self.num_epochs:
                    self._finish()
            if fits:
                break
            self._go_on_in_smaller_parts()
        return self.history[-1]

    def _train_epoch(self) -> bool:
        """Train and save an epoch; return whether it fitted into memory."""
        assert self.stage is not None, "a stage is there to be trained"
        started = time.monotonic()
        try:
            metrics = epoch_within_memory(self.stage)
        except CollapsedRun as error:
            self._checkpoints.close()
            self.folder.mark_failed(str(error))
            raise
        if metrics is None:
            return False
        self.trained_epochs += 1
        metrics = {"epoch": float(self.epoch + 1), **metrics}
        metrics["seconds"] = time.monotonic() - started
        self.history.append(metrics)
        rows = list(self.history)
        state = {
            "stage": self.stage.state_dict(),
            "history": rows,
            "peak_memory_mb": self._peak_megabytes(),
        }
        self._checkpoints.save(state, self.epoch, lambda: self.folder.write_history(rows))
        return True

    def _go_on_in_smaller_parts(self) -> None:
        """Leave the folder and begin the run that goes through the encoder in smaller parts."""
        tokens = smaller_parts(
            self.kind, self.settings, max_length=self.config.data.max_length, device=self.device
        )
        left = self.folder.path
        with clear_about_space(left):
            self._checkpoints.wait()
            note(self.folder, tokens)
        self.close()
        release_memory()
        self._open()
        logger.warning(
            "%s ran out of memory: it goes on from its first epoch as %s, with "
            "%s.micro_batch_tokens = %s",
            left.name,
            self.folder.path.name,
            self.kind,
            self.settings.micro_batch_tokens,
        )

    def flush(self) -> None:
        """Wait until the last epoch, its checkpoint and its metrics, is on disk.

        Raises:
            UserError: The disk is full; the checkpoint before is kept.
        """
        self._checkpoints.wait()

    def run(self) -> dict[str, Any]:
        """Train all that is missing; return the result of the finished run."""
        while not self.done:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in self.step().items())
            logger.info("%s %s: %s", self.folder.kind, self.signature, shown)
        result = self.folder.result()
        assert result is not None, "a DONE folder holds a result"
        return result

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

    def __enter__(self) -> StageRun:
        """Use the run in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the run."""
        self.close()

    def _build_stage(self) -> Stage:
        if self.runtime.threads is not None:
            torch.set_num_threads(self.runtime.threads)
        self._peak_before = self._peak_megabytes()
        self._peak = PeakMemory(self.device)
        stage = new_stage(self.config, self.corpora, self.device, self.teacher_folder)
        self._resume(stage)
        return stage

    def _peak_megabytes(self) -> float:
        """Return the most memory that the run took, before it was interrupted too."""
        now = 0.0 if self._peak is None else self._peak.megabytes()
        return max(self._peak_before, now)

    def _resume(self, stage: Stage) -> None:
        state = self._checkpoints.load()
        if state is None:
            self.history = []
            return
        stage.load_state_dict(state["stage"])
        self._peak_before = max(self._peak_before, state.get("peak_memory_mb", 0.0))
        self.history = state["history"]
        logger.info("%s goes on after epoch %d", self.folder.path.name, self.epoch)

    def _finish(self) -> None:
        assert self.stage is not None, "only a trained stage is finished"
        artifact.save(
            self.stage.model,
            self.folder.path,
            config=self.config,
            signature=self.signature,
            tag_set=self.corpora.tag_set,
            encoder_fingerprint=self.fingerprints["encoder"],
        )
        objective = self.history[-1][f"dev/{self.config.source}/entity_f1"]
        criteria = {SOURCE_DEV: objective}
        if isinstance(self.stage, StudentStage):
            criteria |= self.stage.criteria()
        self._checkpoints.wait()
        for name, value in criteria.items():
            if not math.isfinite(value):
                reason = f"the criterion {name} of the trained {self.folder.kind} is {value}."
                self.folder.mark_failed(reason)
                raise CollapsedRun(reason)
        self.folder.mark_done(
            {
                "signature": self.signature,
                "objective": objective,
                "criteria": criteria,
                "epochs": self.num_epochs,
                "peak_memory_mb": self._peak_megabytes(),
                "seconds": sum(row["seconds"] for row in self.history),
                "metrics": self.history[-1],
            }
        )


def data_fingerprints(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[str, str]:
    """Check all that an experiment reads and return its hashes, before anything is trained.

    Returns:
        Fingerprints of source train and dev, of target train without labels, of the encoder.

    Raises:
        UserError: Data or an encoder that is missing or does not fit.
    """
    corpora = Corpora(config, runtime)
    load_tokenizer(config.encoder.name)
    corpora.check()
    return corpora.fingerprints()


def export(folder: RunFolder, destination: Path, runtime: RuntimeConfig | None = None) -> Path:
    """Write a finished run as a plain Hugging Face token-classification folder.

    Returns:
        The destination, which ``transformers.pipeline("token-classification")`` loads; see
        `pipeline.load_pipeline` for how.
    """
    return artifact.export(folder.path, destination, runtime)
