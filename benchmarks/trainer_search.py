"""The strong rival's sweep, as Ray documents it: ``python -m benchmarks.trainer_search JOB.json``.

A `Tuner` with `OptunaSearch`, a function that trains a teacher and then its student for every
point, and MLflow's callback with a SQLite store. What may be shared by plain means is shared: the
corpora are read and split into subwords once and lie in Ray's object store, and actors are used
again for one trial after the other. The student of every point is its checkpoint.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search.optuna import OptunaSearch

from benchmarks.trainer_data import Data
from prokd.config import RuntimeConfig, with_overrides
from prokd.methods import read_config
from prokd.training.corpora import Corpora


@dataclass(frozen=True)
class TrainerJob:
    """What is searched, and how.

    Args:
        config: The experiment.
        runtime: Where data lie.
        output: Folder of the search.
        space: Values of each setting.
        points: To be tried, all of them.
        width: Trials at a time.
    """

    config: dict[str, Any]
    runtime: dict[str, Any]
    output: str
    space: dict[str, list[Any]]
    points: list[dict[str, Any]]
    width: int = 2


def trial(point: dict[str, Any], job: TrainerJob, data: Data) -> None:
    """Train a teacher and its student at one point; report the scores with the student."""
    import torch
    from transformers.utils import logging

    from benchmarks.trainer_student import train

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    config = with_overrides(read_config(job.config), point)
    with tempfile.TemporaryDirectory() as folder:
        student, scores = train(config, data, Path(folder))
        student.save_model(folder)
        tune.report(scores, checkpoint=tune.Checkpoint.from_directory(folder))


def main(path: Path) -> None:
    """Run the search of a job and write its result."""
    job = TrainerJob(**json.loads(path.read_text(encoding="utf-8")))
    started = time.perf_counter()
    ray.init("local", num_cpus=job.width, include_dashboard=False, log_to_driver=False)
    config, runtime = read_config(job.config), RuntimeConfig.model_validate(job.runtime)
    data = Data.read(config, Corpora(config, runtime))
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trial, job=job, data=data), {"cpu": 1}),
        param_space={name: tune.choice(values) for name, values in job.space.items()},
        tune_config=tune.TuneConfig(
            metric="source_dev",
            mode="max",
            num_samples=len(job.points),
            search_alg=OptunaSearch(points_to_evaluate=job.points),
            max_concurrent_trials=job.width,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="trainer",
            storage_path=job.output,
            verbose=0,
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{job.output}/mlflow.db", experiment_name="trainer"
                )
            ],
        ),
    )
    found = tuner.fit()
    best = found.get_best_result()
    result = {
        "seconds": time.perf_counter() - started,
        "complete": len(found) - found.num_errors,
        "points": sorted(json.dumps(x.config, sort_keys=True) for x in found),
        "source_dev": best.metrics["source_dev"],
        "target_f1": best.metrics["target_test_entity_f1"],
        "exported": best.checkpoint.path,
    }
    path.with_suffix(".result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
