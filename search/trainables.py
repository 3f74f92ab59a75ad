"""Ray's verbs over a stage run: one step is one epoch. All state lies in the run's folder.

Ray's own checkpoint is a marker: whoever starts a trial again, Ray after a lost worker or a person
after a lost driver, finds the folder's checkpoint and goes on from there.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Trainable

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.errors import CollapsedRun, GaveUpWaiting, UserError
from prokd.runs.folder import Kind
from search.nodes import check

if TYPE_CHECKING:
    from prokd.training.run import StageRun

TRAINING, DONE, PAUSED, COLLAPSED, REFUSED = "training", "done", "paused", "collapsed", "refused"
PRUNED = "pruned"
"""Values of a result's ``state``; a run is pruned by the driver, not by its worker."""
STOPPED = "the search was stopped"


@cache
def stage_run_class() -> type[StageRun]:
    """Import what trains: once in a process, for some seconds.

    It stays as long as the process does, so Python's collector of cycles need not look at it: at
    the end of every stage that would take longer than all that the stage has left behind.
    """
    from prokd.training.run import StageRun

    gc.freeze()
    return StageRun


def job(
    config: ExperimentConfig,
    runtime: RuntimeConfig,
    *,
    signature: str,
    data: dict[str, str],
    oracle: bool = False,
    deadline: float | None = None,
    stop: Path | None = None,
    judged: bool = False,
    nodes: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Describe a stage run as the config of a Ray trial.

    Args:
        config: The experiment.
        runtime: Where things lie, as seen by the workers.
        signature: Of the run as it is asked for; names the trial.
        data: Fingerprints of what the experiment reads.
        oracle: Whether a finished student is also scored on labelled target dev.
        deadline: Seconds since 1970 after which no further epoch is started.
        stop: A file that the driver makes when no further epoch shall be started.
        judged: Whether a judge looks at the run after each epoch, which is on disk by then.
        nodes: Arguments of `search.nodes.check`, which a node that joined later has to pass.
    """
    value = {
        "config": config.model_dump(mode="json"),
        "runtime": runtime.model_dump(mode="json"),
        "data": data,
        "oracle": oracle,
        "deadline": deadline,
        "stop": str(stop) if stop else None,
        "judged": judged,
        "nodes": nodes,
    }
    # One text: Ray looks into nested values for search spaces of its own and copies them around.
    return {"signature": signature, "job": json.dumps(value)}


def warm_up_job(number: int) -> dict[str, Any]:
    """Describe a job that only loads what trains, so that the next one finds it there."""
    return {"signature": f"warm-up-{number}", "job": "{}", "kind": "", "batch": ""}


class StageTrainable(Trainable):
    """A teacher's or student's run as a Ray trial; a student's teacher is done by then.

    One process takes jobs of both kinds, one after the other. A result says in ``state`` whether
    the run goes on; what becomes of the process then is the scheduler's business.
    """

    kind: Kind
    _run: StageRun | None
    _job: dict[str, Any]

    def setup(self, config: dict[str, Any]) -> None:
        """Take a job; the run is opened by its first step."""
        self.kind = config["kind"]
        self._run = None
        self._job = json.loads(config["job"])

    def step(self) -> dict[str, Any]:
        """Train one epoch, or find that there is nothing (more) to train."""
        if not self._job:
            stage_run_class()
            return self._end(DONE, "") | {"busy": 0.0}
        started = time.monotonic()
        try:
            result = self._advance()
        except CollapsedRun as error:
            result = self._end(COLLAPSED, str(error))
        except GaveUpWaiting:
            result = self._end(PAUSED, self._why_over() or STOPPED)
        except UserError as error:
            result = self._end(REFUSED, str(error))
        except (MemoryError, RuntimeError) as error:  # torch's errors of memory are RuntimeErrors
            from prokd.stages.memory import ran_out_of_memory

            if not ran_out_of_memory(error):
                raise
            result = self._end(REFUSED, f"out of memory: {str(error).splitlines()[0]}")
        return result | {"busy": time.monotonic() - started}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Return a marker: the folder of the run holds the state."""
        return {"epoch": self._run.epoch if self._run else 0}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Do nothing: the first step goes on from the folder's checkpoint."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next job in the same process."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Give the folder and the memory free."""
        if self._run is not None:
            from prokd.stages.memory import release_memory

            self._run.close()
            self._run = None
            release_memory()

    def _advance(self) -> dict[str, Any]:
        run = self._run or self._open()
        trained = 0
        if not run.done:
            if (reason := self._why_over()) is not None:
                return self._end(PAUSED, reason)
            before = run.trained_epochs
            metrics = run.step()
            trained = run.trained_epochs - before
        if not run.done:
            if self._job["judged"]:
                run.flush()  # a judge reads what others have on disk, and may end this run here
            value = metrics[f"dev/{run.config.source}/entity_f1"]
            going = {"state": TRAINING, "reason": "", "epoch": run.epoch, "trained": trained}
            return going | {"source_dev": value}
        run.report()  # to its file alone: no number of it returns to whoever selects
        if self.kind == "student" and self._job["oracle"]:
            run.oracle()
        return self._end(DONE, "", trained)

    def _why_over(self) -> str | None:
        """Return why no further epoch may start; None if one may."""
        deadline, stop = self._job["deadline"], self._job["stop"]
        if deadline is not None and time.time() >= deadline:
            return "the time budget is spent"
        return STOPPED if stop is not None and Path(stop).exists() else None

    def _open(self) -> StageRun:
        if self._job["nodes"] is not None:
            check(**self._job["nodes"])
        self._run = stage_run_class()(
            self.kind,
            ExperimentConfig.model_validate(self._job["config"]),
            RuntimeConfig.model_validate(self._job["runtime"]),
            fingerprints=self._job["data"],
            give_up=lambda: self._why_over() is not None,
        )
        return self._run

    def _end(self, state: str, reason: str, trained: int = 0) -> dict[str, Any]:
        epoch = self._run.epoch if self._run else 0
        self.cleanup()
        return {"state": state, "reason": reason, "epoch": epoch, "trained": trained}


def absolute(runtime: RuntimeConfig) -> RuntimeConfig:
    """Return the runtime with paths that hold in every process, whatever its working folder."""
    return runtime.model_copy(
        update={
            "runs_dir": runtime.runs_dir.resolve(),
            "cache_dir": runtime.cache_dir.resolve(),
            "data_dirs": tuple(Path(folder).resolve() for folder in runtime.data_dirs),
        }
    )
