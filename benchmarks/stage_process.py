"""A teacher and its student as a process: ``python -m benchmarks.stage_process JOB.json``."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from prokd.config import RuntimeConfig
from prokd.methods import read_config
from prokd.training.run import StageRun

STAGES = ("teacher", "student")


def peak_mb() -> float:
    """Return the highest resident memory of this process so far, shared pages included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def proportional_mb() -> float:
    """Return this process's memory now, shared pages divided among those who share them."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    (line,) = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def main(job: Path) -> None:
    """Train both stages; write their processor seconds and the memory that they took."""
    values = json.loads(job.read_text(encoding="utf-8"))
    config = read_config(values["config"])
    runtime = RuntimeConfig.model_validate(values["runtime"])
    result = {"start_mb": peak_mb()}
    for stage in STAGES:
        started = time.perf_counter()
        with StageRun(stage, config, runtime) as run:
            while not run.done:  # the last epoch counts: the first one prepares and aligns nothing
                before = time.process_time()
                run.step()
                result[f"{stage}_epoch"] = time.process_time() - before
            result["proportional_mb"] = proportional_mb()
        result[f"{stage}_seconds"] = time.perf_counter() - started
        result[f"{stage}_peak_mb"] = peak_mb()
    job.with_suffix(".result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
