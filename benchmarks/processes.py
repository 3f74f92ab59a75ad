"""Jobs in processes of their own: started, waited for, their results read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def start(module: str, job: Path, values: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Write a job and start its process.

    Args:
        module: Of this package, run with the job's path.
        job: File to write; the result will lie beside it.
        values: The job.
    """
    job.parent.mkdir(parents=True, exist_ok=True)
    job.write_text(json.dumps(values), encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with job.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", str(job)],
            env=environment,
            cwd=job.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def result(process: subprocess.Popen[str], job: Path) -> dict[str, Any]:
    """Wait for a process and read its result.

    Raises:
        RuntimeError: It ended without one; the message is the end of its log.
    """
    process.wait()
    file = job.with_suffix(".result.json")
    if not file.exists():
        raise RuntimeError(job.with_suffix(".log").read_text(encoding="utf-8")[-3000:])
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values


def run(module: str, job: Path, values: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Run a job; return its result and the seconds from its start to its end."""
    started = time.perf_counter()
    found = result(start(module, job, values), job)
    return found, time.perf_counter() - started
