"""A stage run as a worker trains it: one step is one epoch.

All state lies in the run's folder: whoever takes a run up again, after a lost worker or a lost
driver, finds the folder's checkpoint and goes on from there.
"""

from __future__ import annotations

import gc
import json
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prokd.common.files import write_text
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.errors import CollapsedRun, GaveUpWaiting, UserError
from prokd.methods import graph_of, method_packages, read_config
from prokd.runs.folder import TRACEBACK
from prokd.runs.identity import stage_signature
from search.workers.nodes import check, check_same

if TYPE_CHECKING:
    from prokd.training.run import StageRun

TRAINING, DONE, PAUSED, COLLAPSED, REFUSED = "training", "done", "paused", "collapsed", "refused"
PRUNED, ERROR = "pruned", "error"
"""Values of a result's ``state``; a run is pruned by the driver, and in error where its process
fails, not by its worker."""
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
    stage: str,
    config: ExperimentConfig,
    runtime: RuntimeConfig,
    *,
    data: Mapping[str, str],
    oracle: bool = False,
    deadline: float | None = None,
    stop: Path | None = None,
    judged: bool = False,
    nodes: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Describe a stage run, as the config of a Ray trial too.

    Args:
        stage: One of the experiment's method.
        config: The experiment.
        runtime: Where things lie, as seen by the workers.
        data: Fingerprints of what the experiment reads.
        oracle: Whether a finished result is also scored on labelled target dev.
        deadline: Seconds since 1970 after which no further epoch is started.
        stop: A file that the driver makes when no further epoch shall be started.
        judged: Whether a judge looks at the run after each epoch, which is on disk by then.
        nodes: Arguments of `nodes.check`, which a node that joined later has to pass.
    """
    value = {
        "stage": stage,
        "config": config.model_dump(mode="json"),
        "runtime": runtime.model_dump(mode="json"),
        "data": dict(data),
        "oracle": oracle,
        "deadline": deadline,
        "stop": str(stop) if stop else None,
        "judged": judged,
        "nodes": nodes,
        "package": _package(config),
    }
    # One text: Tune looks into nested values for search spaces of its own and copies them around.
    key = stage_signature(config, stage, data)
    return {"key": key, "judged": judged, "job": json.dumps(value)}


class StageWorker:
    """Trains one stage run after the other; what a run needs is done by then."""

    def __init__(self) -> None:
        """Wait for a job."""
        self._run: StageRun | None = None
        self._job: dict[str, Any] | None = None
        self._key = ""

    def warm_up(self, gpus: float = 0.0) -> None:
        """Load what trains.

        Args:
            gpus: That this process has; of a share, its share of the memory is the limit.
        """
        stage_run_class()
        if gpus:
            from prokd.stages.memory import limit_gpu_memory

            limit_gpu_memory(gpus)

    def begin(self, config: dict[str, Any]) -> None:
        """Take a job, as `job` describes it; the run is opened by its first step."""
        self.release()
        self._key, self._job = config["key"], json.loads(config["job"])

    def release(self) -> None:
        """Forget the job; give the run's folder and the memory free."""
        self._job = None
        if self._run is not None:
            from prokd.stages.memory import release_memory

            self._run.close()
            self._run = None
            release_memory()

    @property
    def epoch(self) -> int:
        """Number of finished epochs of the run at hand."""
        return self._run.epoch if self._run else 0

    def step(self, key: str | None = None) -> dict[str, Any] | None:
        """Train one epoch, or find that there is nothing (more) to train.

        Args:
            key: Of the job that is meant; None = the one at hand.

        Returns:
            ``state``, ``reason``, ``epoch``, ``trained`` (epochs in this step), ``busy`` and
            ``processor`` (seconds, of time and of processors) and, where it goes on,
            ``source_dev``; None if the job is over.
        """
        if self._job is None or key not in (None, self._key):
            return None
        started, before = time.monotonic(), time.process_time()
        try:
            result = self._advance(self._job)
        except CollapsedRun as error:
            result = self._end(COLLAPSED, str(error))
        except GaveUpWaiting:
            result = self._end(PAUSED, self._why_over() or STOPPED)
        except UserError as error:
            result = self._end(REFUSED, str(error))
        except Exception as error:
            from prokd.stages.memory import first_line, ran_out_of_memory

            if not ran_out_of_memory(error):
                self._keep_traceback()
                raise
            result = self._end(REFUSED, f"out of memory: {first_line(error)}")
        took = {"busy": time.monotonic() - started, "processor": time.process_time() - before}
        return result | took

    def _advance(self, job: dict[str, Any]) -> dict[str, Any]:
        run = self._run or self._open(job)
        trained = 0
        if not run.done:
            if (reason := self._why_over()) is not None:
                return self._end(PAUSED, reason)
            before = run.trained_epochs
            metrics = run.step()
            trained = run.trained_epochs - before
        if not run.done:
            if job["judged"]:
                run.flush()  # a judge reads what others have on disk, and may end this run here
            going = {"state": TRAINING, "reason": "", "epoch": run.epoch, "trained": trained}
            return going | {"source_dev": metrics[run.objective]}
        run.report()  # to its file alone: no number of it returns to whoever selects
        if job["oracle"] and run.name == graph_of(run.config).result:
            run.oracle()
        return self._end(DONE, "", trained)

    def _why_over(self) -> str | None:
        """Return why no further epoch may start; None if one may."""
        if self._job is None:
            return STOPPED
        deadline, stop = self._job["deadline"], self._job["stop"]
        if deadline is not None and time.time() >= deadline:
            return "the time budget is spent"
        return STOPPED if stop is not None and Path(stop).exists() else None

    def _open(self, job: dict[str, Any]) -> StageRun:
        config = read_config(job["config"])
        if job["nodes"] is not None:
            check(**job["nodes"])
            check_same(f"package of {config.method}", job["package"], _package(config))
        self._run = stage_run_class()(
            job["stage"],
            config,
            RuntimeConfig.model_validate(job["runtime"]),
            fingerprints=job["data"],
            give_up=lambda: self._why_over() is not None,
        )
        return self._run

    def _keep_traceback(self) -> None:
        """Write where a mistake in a stage's code came up: what is told of it is one line."""
        if self._run is not None:
            with suppress(OSError):
                write_text(self._run.folder.path / TRACEBACK, traceback.format_exc())

    def _end(self, state: str, reason: str, trained: int = 0) -> dict[str, Any]:
        epoch = self.epoch
        self.release()
        return {"state": state, "reason": reason, "epoch": epoch, "trained": trained}


def absolute(runtime: RuntimeConfig) -> RuntimeConfig:
    """Return the runtime with paths that hold in every process, whatever its working folder."""
    return runtime.model_copy(
        update={
            "runs_dir": runtime.runs_dir.resolve(),
            "cache_dir": runtime.cache_dir.resolve(),
            "data_dirs": tuple(Path(folder).resolve() for folder in runtime.data_dirs),
            "texts": {code: Path(folder).resolve() for code, folder in runtime.texts.items()},
            "dictionaries": tuple(Path(file).resolve() for file in runtime.dictionaries),
        }
    )


def _package(config: ExperimentConfig) -> str:
    """Return name and version of the package that brings an experiment's method."""
    return method_packages().get(config.method, "prokd")
