"""One stage run from end to end: open its folder, train what is missing, finish."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import torch

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.encoder.files import load_tokenizer
from prokd.errors import CollapsedRun, UserError
from prokd.method import ENCODER
from prokd.methods import graph_of, method_of
from prokd.runs.checkpoints import clear_about_space
from prokd.runs.folder import SOURCE_DEV
from prokd.runs.within_memory import note
from prokd.stages.energy import EnergyMeter
from prokd.stages.memory import PeakMemory, epoch_within_memory, release_memory, smaller_parts
from prokd.stages.pace import shown_time
from prokd.stages.stage import Stage
from prokd.training.context import StageContext, new_stage
from prokd.training.corpora import Corpora
from prokd.training.held_out import on_held_out
from prokd.training.open_run import OpenRun

logger = logging.getLogger(__name__)


class StageRun(OpenRun):
    """The run of a stage in its folder; drives a `Stage` one epoch at a time.

    A finished run opens without training anything; an interrupted one goes on after its last
    finished epoch, with the numbers of an uninterrupted one. While it is open the folder is
    locked, so that two searches that need the same run train it once. A run that does not fit
    into memory goes on under another name, with batches in smaller parts
    (`prokd.runs.within_memory`).

    Args:
        name: Of the stage, one of its method's.
        config: The experiment as it is asked for.
        runtime: Where things lie.
        fingerprints: As `data_fingerprints` returns them, if known already.
        give_up: Whether to wait no longer for another process that trains the run; asked every
            half second meanwhile. None = wait as long as it takes.

    Raises:
        GaveUpWaiting: Another process trains the run, and ``give_up`` said so.
        UserError: Bad data or encoder; a precision that the device cannot do; a stage that is
            needed and not there.
        CollapsedRun: The run collapsed before; it would do so again.
    """

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
                    with self._within_device("building"):
                        self.stage = self._build_stage()
                # All is trained if it was killed between its last epoch and DONE.
                fits = self.epoch == self.num_epochs or self._train_epoch()
                if fits and self.epoch == self.num_epochs:
                    with self._within_device("scoring"):
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
            "energy_joules": self._joules(),
        }
        self._checkpoints.save(state, self.epoch, lambda: self.folder.write_history(rows))
        return True

    def _go_on_in_smaller_parts(self) -> None:
        """Leave the folder and begin the run that goes through the encoder in smaller parts."""
        tokens = smaller_parts(
            self.spec, self.settings, max_length=self.config.data.max_length, device=self.device
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
            self.spec.section,
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
            metrics = self.step()
            shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            logger.info("%s %s: %s", self.folder.kind, self.signature, shown)
            if (epochs := self.num_epochs - self.epoch) > 0:
                left = shown_time(epochs * metrics["seconds"])
                logger.info(
                    "%s: %d of %d epochs left, about %s", self.name, epochs, self.num_epochs, left
                )
        result = self.folder.result()
        assert result is not None, "a DONE folder holds a result"
        return result

    def _build_stage(self) -> Stage:
        if self.runtime.threads is not None:
            torch.set_num_threads(self.runtime.threads)
        self._peak_before = self._peak_megabytes()
        self._peak = PeakMemory(self.device)
        self._joules_before = 0.0 if self._energy is None else self._joules()
        self._energy = EnergyMeter(self.device)
        stage = self._new_stage(self.corpora)
        self._resume(stage)
        return stage

    def _new_stage(self, corpora: Corpora) -> Stage:
        seen = self.spec.view(self.config)
        context = StageContext(self.spec, seen, corpora, self.device, self.needed)
        return new_stage(context, self.spec)

    def _criteria(self) -> dict[str, float]:
        """Return what the trained stage can be chosen by without labels.

        A result is judged on held-out text, where there is some, by a stage made anew for that
        text, which takes the place of the trained one.
        """
        assert self.stage is not None, "only a trained stage is judged"
        is_result = self.name == graph_of(self.config).result
        wants = is_result and method_of(self.config).criteria
        held_out = on_held_out(self.corpora) if wants else None
        if held_out is not None:
            weights = {name: value.cpu() for name, value in self.stage.model.state_dict().items()}
            self.stage = None  # a GPU need not hold two
            release_memory()
            self.stage = self._new_stage(held_out)
            self.stage.model.load_state_dict(weights)
        found = self.stage.criteria()
        for name in method_of(self.config).criteria if is_result and found else ():
            if name not in found:
                raise UserError(
                    f"the stage {self.name} must give each criterion of its method, but gives "
                    f"no {name} ({', '.join(found)})."
                )
        return found

    def _resume(self, stage: Stage) -> None:
        state = self._checkpoints.load()
        self.history = [] if state is None else state["history"]
        if self.folder.history() != self.history:  # killed between a checkpoint and its metrics
            self.folder.write_history(self.history)
        if state is None:
            return
        stage.load_state_dict(state["stage"])
        self._peak_before = max(self._peak_before, state.get("peak_memory_mb", 0.0))
        self._joules_before = state.get("energy_joules")
        logger.info("%s goes on after epoch %d", self.folder.path.name, self.epoch)

    def _finish(self) -> None:
        assert self.stage is not None, "only a trained stage is finished"
        artifact.save(
            self.stage.model,
            self.folder.path,
            config=self.spec.view(self.config),
            signature=self.signature,
            tag_set=self.corpora.tag_set,
            encoder_fingerprint=self.fingerprints[ENCODER],
        )
        objective = self.history[-1][self.objective]
        criteria = {SOURCE_DEV: objective, **self._criteria()}
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
                "energy_joules": self._joules(),
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
