"""A run's folder, open and locked: its name, what lies in it, who trains it, its scores."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

from filelock import FileLock, Timeout

from prokd.common.files import write_json
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.device import device_of
from prokd.encoder.precision import settled
from prokd.errors import CollapsedRun, GaveUpWaiting
from prokd.methods import graph_of
from prokd.runs.checkpoints import Checkpoints, clear_about_space
from prokd.runs.folder import ESTIMATE, RunFolder
from prokd.runs.identity import Parts, in_parts, signature, stage_identity
from prokd.runs.within_memory import remember_asked, run_folder, within_memory
from prokd.stages.energy import EnergyMeter
from prokd.stages.memory import PeakMemory, clear_about_memory, return_free_memory
from prokd.stages.stage import Stage
from prokd.training.corpora import Corpora

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
"""Pause between two looks at a run that another process trains."""


class OpenRun:
    """The run of a stage in its folder, which is locked until `close`.

    See `training.StageRun`, which trains it.
    """

    def __init__(
        self,
        name: str,
        config: ExperimentConfig,
        runtime: RuntimeConfig,
        *,
        fingerprints: dict[str, str] | None = None,
        give_up: Callable[[], bool] | None = None,
    ) -> None:
        """Open the run's folder and lock it."""
        config.check_languages()
        self.name, self.runtime, self.device = name, runtime, device_of(runtime)
        self.asked = settled(config, self.device)
        self.spec = graph_of(config).stage(name)
        self.fingerprints = fingerprints or Corpora(config, runtime).fingerprints()
        self.corpora = Corpora(self.spec.view(config), runtime)
        self.trained_epochs = 0
        self._give_up = give_up or bool
        self._open()

    def _open(self) -> None:
        """Lock the folder of the run that is asked for, or of the one that it goes on as."""
        while True:
            self._become(self._within_memory())
            with clear_about_space(self.folder.path):
                self.folder.path.mkdir(parents=True, exist_ok=True)
                self._lock = FileLock(self.folder.path / ".lock")
                self._wait_for_lock()
            if self._within_memory() == self._parts:
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

    def _within_memory(self) -> Parts:
        return within_memory(self.asked, self.fingerprints, self.runtime.runs_dir)

    def _become(self, parts: Parts) -> None:
        """Become the run that goes on in parts; nothing of it is looked at yet."""
        runs_dir, data = self.runtime.runs_dir, self.fingerprints
        self._parts, self.config = parts, in_parts(self.asked, self.name, parts)
        self.identity = stage_identity(self.asked, self.name, data, parts)
        self.folder = RunFolder(runs_dir, self.spec.kind, signature(self.identity))
        self.needed = {
            name: run_folder(runs_dir, self.asked, name, data, parts) for name in self.spec.needs
        }
        self.settings = self.spec.settings(self.config)
        self.num_epochs = self.settings.epochs
        self.stage: Stage | None = None
        self._peak: PeakMemory | None = None
        self._peak_before = 0.0
        self._energy: EnergyMeter | None = None
        self._joules_before: float | None = 0.0

    def _look_into_folder(self) -> None:
        if (damage := self.folder.discard_if_damaged()) is not None:
            logger.warning("%s", damage)
        if (reason := self.folder.failure()) is not None:
            raise CollapsedRun(reason)
        self.history = self.folder.history()
        remember_asked(
            self.folder, self.name, self.asked, self.fingerprints, self.runtime.runs_dir
        )
        if self.done:
            self.folder.drop_checkpoints()  # whoever finished it may have been killed before
        else:
            self.folder.write_identity(self.identity, self.config.model_dump())

    @property
    def signature(self) -> str:
        """The run's name."""
        return self.folder.signature

    @property
    def objective(self) -> str:
        """The metric of an epoch that says how good the run is: entity F1 on source dev."""
        return f"dev/{self.corpora.config.source}/entity_f1"

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
        is not scored; a target without one gets an estimate, which sees no label either.

        Returns:
            ``test/<target>/<measure>`` and ``test/<source>/<measure>``, see `metrics.flat_report`,
            or ``estimate/<target>/<measure>``, see `Corpora.estimate`.
        """
        target, source = self.corpora.config.target, self.corpora.config.source
        key = self.corpora.report_fingerprint()
        if self.folder.reported(target) != key:
            with clear_about_space(self.folder.path), self._within_device("reporting on"):
                model = self._trained_model()
                metrics = self.corpora.report(model, self.folder.counts(target))
                reasons = self.corpora.not_scored()
                self.folder.write_report(key, metrics, reasons, target=target)
            return metrics
        known = (self.folder.report() or {})["metrics"]
        own = (f"test/{target}/", f"test/{source}/", f"{ESTIMATE}/{target}/")
        return {name: value for name, value in known.items() if name.startswith(own)}

    def oracle(self) -> float:
        """Score the finished run on labelled target dev: only where an oracle was asked for.

        Zero-resource work has no such labels; whatever is chosen by this number must say so.

        Returns:
            Entity F1 on target dev, in [0, 1]; computed once per labelled corpus.
        """
        known = self.folder.oracle()
        key = self.corpora.oracle_fingerprint()
        if known is None or known["fingerprint"] != key:
            with self._within_device("scoring"):
                scores = self.corpora.scores(self._trained_model(), self.config.target, "dev")
            known = {"fingerprint": key, "target_dev_entity_f1": scores["entity_f1"]}
            with clear_about_space(self.folder.path):
                write_json(self.folder.path / "oracle.json", known)
        return float(known["target_dev_entity_f1"])

    def _peak_megabytes(self) -> float:
        """Return the most memory that the run took, before it was interrupted too."""
        now = 0.0 if self._peak is None else self._peak.megabytes()
        return max(self._peak_before, now)

    def _joules(self) -> float | None:
        """Return the energy that the run took, before it was interrupted too; None if unknown."""
        now = None if self._energy is None else self._energy.joules()
        before = self._joules_before
        return None if now is None or before is None else before + now

    def _within_device(self, what: str) -> AbstractContextManager[None]:
        return clear_about_memory(f"{what} the {self.name}", self.device)

    def _trained_model(self) -> TokenClassifier:
        """Load the model of the finished run; the stage that trained it is in memory no longer."""
        self.stage = None
        return_free_memory()
        return artifact.load(self.folder.path, self.config.encoder, self.runtime)

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
