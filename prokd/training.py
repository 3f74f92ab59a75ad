"""One stage run from end to end: open its folder, train what is missing, finish, report."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from prokd import artifact
from prokd.checkpoints import Checkpoints, clear_about_space
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.corpora import Corpora
from prokd.encoder import build_classifier, load_tokenizer
from prokd.errors import CollapsedRun
from prokd.evaluation import device_of
from prokd.identity import signature, student_identity, teacher_identity
from prokd.memory import PeakMemory, epoch_within_memory
from prokd.runs import SOURCE_DEV, Kind, RunFolder, write_json
from prokd.seeding import seed_everything
from prokd.soft_labels import teacher_probabilities
from prokd.stage import Stage
from prokd.student import StudentStage
from prokd.teacher import TeacherStage

logger = logging.getLogger(__name__)


class StageRun:
    """A teacher's or student's run in its folder; drives a `Stage` one epoch at a time.

    A finished run opens without training anything; an interrupted one goes on after its last
    finished epoch, with the numbers of an uninterrupted one. While it is open the folder is
    locked, so that two searches that need the same run train it once.

    Args:
        kind: ``teacher`` or ``student``.
        config: The experiment.
        runtime: Where things lie.
        fingerprints: As `data_fingerprints` returns them, if known already.

    Raises:
        UserError: Bad data or encoder; a student whose teacher is not there.
        CollapsedRun: The run collapsed before; it would do so again.
    """

    def __init__(
        self,
        kind: Kind,
        config: ExperimentConfig,
        runtime: RuntimeConfig,
        *,
        fingerprints: dict[str, str] | None = None,
    ) -> None:
        """Open the run's folder and lock it."""
        self.config, self.runtime = config, runtime
        self.corpora = Corpora(config, runtime)
        data = fingerprints or self.corpora.fingerprints()
        build_identity = teacher_identity if kind == "teacher" else student_identity
        self.identity = build_identity(config, data)
        self.folder = RunFolder(runtime.runs_dir, kind, signature(self.identity))
        self.fingerprints = data
        self.teacher_folder: RunFolder | None = None
        if kind == "student":
            self.teacher_folder = RunFolder(
                runtime.runs_dir, "teacher", self.identity["teacher_signature"]
            )
        self.settings = config.student if kind == "student" else config.teacher
        self.num_epochs = self.settings.epochs
        self.stage: Stage | None = None
        self.trained_epochs = 0
        self._peak: PeakMemory | None = None
        self._peak_before = 0.0
        with clear_about_space(self.folder.path):
            self.folder.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder.path / ".lock")
            self._lock.acquire()
            self._checkpoints = Checkpoints(self.folder)
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    def _open(self) -> None:
        if (reason := self.folder.failure()) is not None:
            raise CollapsedRun(reason)
        self.history = self.folder.history()
        if self.done:
            self.folder.drop_checkpoints()  # whoever finished it may have been killed before
        else:
            write_json(self.folder.path / "identity.json", self.identity)
            write_json(self.folder.path / "config.json", self.config.model_dump())

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
        if self.done:
            return self.history[-1]
        with clear_about_space(self.folder.path):
            if self.stage is None:
                self.stage = self._build_stage()
            if self.epoch < self.num_epochs:  # else it was killed between its last epoch and DONE
                self._train_epoch()
            if self.epoch == self.num_epochs:
                self._finish()
        return self.history[-1]

    def _train_epoch(self) -> None:
        assert self.stage is not None, "a stage is there to be trained"
        started = time.monotonic()
        try:
            longest = self.config.data.max_length
            self.stage, metrics = epoch_within_memory(
                self.stage, self._rebuild_stage, self.folder.kind, self.settings, longest
            )
        except CollapsedRun as error:
            self._checkpoints.close()
            self.folder.mark_failed(str(error))
            raise
        self.trained_epochs += 1
        metrics = {"epoch": float(self.epoch + 1), **metrics}
        metrics["seconds"] = time.monotonic() - started
        self.history.append(metrics)
        rows = list(self.history)
        state = {
            "stage": self.stage.state_dict(),
            "history": rows,
            "micro_batch_tokens": self.stage.model.micro_batch_tokens,
            "peak_memory_mb": self._peak_megabytes(),
        }
        self._checkpoints.save(state, self.epoch, lambda: self.folder.write_history(rows))

    def run(self) -> dict[str, Any]:
        """Train all that is missing; return the result of the finished run."""
        while not self.done:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in self.step().items())
            logger.info("%s %s: %s", self.folder.kind, self.signature, shown)
        result = self.folder.result()
        assert result is not None, "a DONE folder holds a result"
        return result

    def report(self) -> dict[str, float]:
        """Score the finished run on target test; computed once per labelled test corpus.

        This is the only place that reads target labels, after everything is trained and chosen.

        Returns:
            ``test/<target>/<measure>`` and ``test/<source>/<measure>``, see `metrics.flat_report`.
        """
        known = self.folder.report()
        key = self.corpora.report_fingerprint()
        if known is None or known["fingerprint"] != key:
            model = artifact.load(self.folder.path, self.config.encoder, self.runtime)
            with clear_about_space(self.folder.path):
                metrics = self.corpora.report(model, self.folder.path / "counts.npz")
                known = {"fingerprint": key, "metrics": metrics}
                write_json(self.folder.path / "report.json", known)
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

    def _rebuild_stage(self) -> Stage:
        self.stage = None
        self._checkpoints.wait()  # it is what the stage goes on from
        return self._build_stage()

    def _build_stage(self) -> Stage:
        config, corpora = self.config, self.corpora
        device = device_of(self.runtime)
        if self.runtime.threads is not None:
            torch.set_num_threads(self.runtime.threads)
        self._peak_before = self._peak_megabytes()
        self._peak = PeakMemory(device)
        seed_everything(config.seed, 0)
        model = build_classifier(
            config.encoder,
            len(corpora.tag_set),
            max_length=config.data.max_length,
            seed=config.seed,
        ).to(device)
        stage: Stage
        if self.teacher_folder is None:
            uses_target = config.teacher.alignment.weight > 0
            stage = TeacherStage(
                model=model,
                config=config,
                source_train=corpora.prepared(model, corpora.source_train),
                source_dev=corpora.prepared_split(model, corpora.source_dev),
                target_train=corpora.prepared(model, corpora.target_train)
                if uses_target
                else None,
                pad_token_id=corpora.pad_token_id,
            )
        else:
            known = teacher_probabilities(self.teacher_folder, config, self.runtime, corpora)
            if config.student.start == "teacher":
                artifact.load_into(model, self.teacher_folder.path, config.encoder)
            stage = StudentStage(
                model=model,
                config=config,
                target_train=corpora.prepared(model, corpora.target_train),
                source_dev=corpora.prepared_split(model, corpora.source_dev),
                teacher_probabilities=known,
                pad_token_id=corpora.pad_token_id,
            )
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
        # What was found to fit before stays; a smaller part that is asked for now counts too.
        limits = (state.get("micro_batch_tokens"), stage.model.micro_batch_tokens)
        stage.model.micro_batch_tokens = min((n for n in limits if n is not None), default=None)
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
