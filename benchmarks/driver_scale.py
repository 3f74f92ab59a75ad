"""What a long search costs its driver: memory, time and storage for each trial.

``python -m benchmarks.driver_scale --trials 100,200,400`` searches a made-up grid on a local Ray
with the real driver, study, MLflow store and pool of workers; only the stages are fakes, which
write the files of a finished run and train nothing. Each length runs in a process and a folder of
its own.
All that is claimed is how a column grows from row to row.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution

from prokd.common.files import write_json
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.methods import build_config, graph_of, read_config
from prokd.runs.folder import SOURCE_DEV, RunFolder

SIZES = {"train": 16, "dev": 8, "test": 8}


class FakeWorker:
    """Takes jobs as `StageWorker` does; a run is over as soon as it begins.

    Its objective is a smooth function of what is searched.
    """

    def __init__(self) -> None:
        """Wait for a job."""
        self._key: str = ""
        self._job: dict[str, Any] | None = None

    def warm_up(self) -> None:
        """Load nothing."""

    def begin(self, config: dict[str, Any]) -> None:
        """Take a job."""
        self._key, self._job = config["key"], json.loads(config["job"])

    def release(self) -> None:
        """Forget the job."""
        self._job = None

    def step(self, key: str | None = None) -> dict[str, Any] | None:
        """Write the files of a finished run."""
        if self._job is None or key not in (None, self._key):
            return None
        config = read_config(self._job["config"])
        graph = graph_of(config)
        spec = graph.stage(self._job["stage"])
        folder = RunFolder(Path(self._job["runtime"]["runs_dir"]), spec.kind, self._key)
        row = {"epoch": 1.0, f"dev/{config.source}/entity_f1": objective(config), "seconds": 0.0}
        folder.write_history([row])
        for file in ("weights.safetensors", "stage.json"):
            (folder.path / file).write_text("{}")
        if spec.name == graph.result:
            report = {"fingerprint": self._job["report"], "metrics": {"test/ar/entity_f1": 0.5}}
            write_json(folder.path / "report.json", report)
        value = row[f"dev/{config.source}/entity_f1"]
        found = {"objective": value, "criteria": {SOURCE_DEV: value}, "epochs": 1, "seconds": 0.0}
        folder.mark_done(found)
        self.release()
        took = {"busy": 0.0, "processor": 0.0}
        return {"state": "done", "reason": "", "epoch": 1, "trained": 1, **took}


def objective(config: ExperimentConfig) -> float:
    """Return a number that depends on what is searched."""
    student = config.student
    return 1.0 - (student.prototype_temperature - 0.7) ** 2 - (student.fusion_weight - 0.5) ** 2


def write_corpus(folder: Path) -> Path:
    """Write a few sentences of the phrasebook."""
    from prokd.data.mini import generate

    for language in ("en", "ar"):
        for split, size in SIZES.items():
            lines: list[str] = []
            for words, tags in generate(language, split, num_sentences=size):
                lines += [f"{word} {tag}" for word, tag in zip(words, tags, strict=True)] + [""]
            path = folder / language / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines), encoding="utf-8")
    return folder


def search(trials: int, output: Path) -> dict[str, float]:
    """Run a search of so many trials and return what it cost."""
    import search.execution
    import search.workers.pool
    from search.driver import Search
    from search.experiments import DataDescriptions
    from search.launch import opened
    from search.spec import SearchSpec
    from search.workers.cluster import Resources
    from search.workers.connection import LOCAL

    side = math.ceil(math.sqrt(trials))
    space = {
        "student.prototype_temperature": CategoricalDistribution(_values(0.1, 1.0, side)),
        "student.fusion_weight": CategoricalDistribution(_values(0.0, 1.0, side)),
    }
    config = build_config("mini", overrides={"target": "ar"})
    spec = SearchSpec(config, space, (0,), True, trials)
    corpus = write_corpus(output / "corpus")
    runtime = RuntimeConfig(data_dirs=(corpus,), runs_dir=output / "runs", device="cpu")
    descriptions = DataDescriptions(runtime)
    report, real_job = descriptions.report(config), search.execution.job

    def job(*arguments: Any, **named: Any) -> dict[str, Any]:
        made = real_job(*arguments, **named)
        return {**made, "job": json.dumps({**json.loads(made["job"]), "report": report})}

    search.execution.job = job  # type: ignore[assignment]
    search.workers.pool.StageWorker = FakeWorker  # type: ignore[misc,assignment]
    with opened(
        runtime, output, address=LOCAL, resources=Resources(cpus=1), descriptions=descriptions
    ) as engine:
        before, begun = _memory(), time.monotonic()
        summary = Search(spec, engine, output, export_best=0).run()
        assert not engine.tracker.send_rest(), "MLflow takes all"
        seconds = time.monotonic() - begun
    assert not summary.left, "every trial is told"
    studies = output / "studies"
    return {
        "trials": trials,
        "ms_per_trial": 1000 * seconds / trials,
        "driver_mb": _memory(),
        "driver_growth_kb_per_trial": 1000 * (_memory() - before) / trials,
        "journal_kb_per_trial": _size(studies, "*.journal") / 1000 / trials,
        "mlflow_kb_per_trial": _size(output, "mlflow.db") / 1000 / trials,
    }


def _values(low: float, high: float, number: int) -> list[float]:
    return [round(low + (high - low) * i / max(1, number - 1), 4) for i in range(number)]


def _memory() -> float:
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def main() -> None:
    """Run each length in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", default="100,200,400")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        found = search(arguments.one, arguments.output)
        (arguments.output / "cost.json").write_text(json.dumps(found))
        return
    for index, number in enumerate(arguments.trials.split(",")):
        row = measure(int(number))
        if index == 0:
            print("| " + " | ".join(row) + " |", flush=True)
            print("|" + "---|" * len(row), flush=True)
        shown = [f"{value:.0f}" if value >= 100 else f"{value:.2f}" for value in row.values()]
        print("| " + " | ".join(shown) + " |", flush=True)


def measure(trials: int) -> dict[str, float]:
    """Return what a search of so many trials costs, run in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="prokd-scale-") as name:
        command = [sys.executable, "-m", "benchmarks.driver_scale", "--one", str(trials)]
        root = Path(__file__).resolve().parents[1]
        subprocess.run([*command, "--output", name], check=True, cwd=root, capture_output=True)
        found: dict[str, float] = json.loads((Path(name) / "cost.json").read_text())
        return found


if __name__ == "__main__":
    main()
