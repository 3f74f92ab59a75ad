"""A search of this project as a process of its own: ``python -m benchmarks.search_process JOB``.

The job names the experiment, the points, and how many trials run at a time; the result (JSON,
beside the job) says how long the search took and how much of that time its workers trained.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from optuna.distributions import CategoricalDistribution
from rich.console import Console

from prokd.config import RuntimeConfig, with_overrides
from prokd.methods import read_config
from search.driver import Search, SearchSummary
from search.engine import Engine
from search.launch import opened
from search.progress import Progress
from search.spec import SearchSpec
from search.workers.cluster import Resources
from search.workers.connection import LOCAL


@dataclass(frozen=True)
class SearchJob:
    """What is searched, and how.

    Args:
        config: The experiment.
        runtime: Where data and runs lie.
        output: Folder of the search.
        space: Values of each setting.
        trials: Number of points.
        grid: Whether they are all of the space.
        width: Trials at a time.
        prune: As ``--prune``.
        warm_up: Whether a search of one point on another seed goes first, which is not timed.
        export_best: Students to export.
    """

    config: dict[str, Any]
    runtime: dict[str, Any]
    output: str
    space: dict[str, list[Any]]
    trials: int
    grid: bool = True
    width: int = 2
    prune: bool = False
    warm_up: bool = False
    export_best: int = 1


def main(path: Path) -> None:
    """Run the search of a job and write its result."""
    job = SearchJob(**json.loads(path.read_text(encoding="utf-8")))
    config = read_config(job.config)
    runtime = RuntimeConfig.model_validate(job.runtime)
    output = Path(job.output)
    space = {name: CategoricalDistribution(values) for name, values in job.space.items()}
    spec = SearchSpec(config, space, (config.seed,), job.grid, job.trials, prune=job.prune)
    progress = Progress(Console(quiet=True))
    ray.init(address=LOCAL, num_cpus=job.width, include_dashboard=False, log_to_driver=False)
    with opened(
        runtime, output, address=LOCAL, resources=Resources(cpus=1), progress=progress
    ) as engine:
        if job.warm_up:
            other = with_overrides(config, {"seed": config.seed + 1})
            Search(replace(spec, base=other, seeds=(other.seed,), trials=1), engine, output).run()
        busy, started = engine.pool.busy, time.perf_counter()
        search = Search(spec, engine, output, export_best=job.export_best)
        summary = search.run()
        engine.tracker.send_rest()  # MLflow is told by a thread, which may be behind
        result = {
            "seconds": time.perf_counter() - started,
            "busy": engine.pool.busy - busy,
            **_counts(engine, summary),
        }
    path.with_suffix(".result.json").write_text(json.dumps(result), encoding="utf-8")


def _counts(engine: Engine, summary: SearchSummary) -> dict[str, Any]:
    best = summary.standings[0] if summary.standings else None
    return {
        "teachers": len(engine.reuse.trained["teacher"]),
        "students": len(engine.reuse.trained["student"]),
        "epochs": engine.reuse.epochs,
        "complete": len(summary.standings),
        "pruned": len(summary.pruned),
        "failed": len(summary.failed),
        "source_dev": best.objective if best else None,
        "target_f1": best.target_f1[0] if best and best.target_f1 else None,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
