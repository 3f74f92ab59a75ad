"""A sweep from end to end: this project's search beside a process for every point.

Ours is a whole search: Ray, Optuna, MLflow, the distinct teachers, the students, the reports, the
export of the best. The rival starts a new process for every point, as many at a time, which trains
a teacher and a student. The seconds of both are those from the first start to the last end.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.processes import run
from benchmarks.search_process import SearchJob
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line, interleaved, ratio_line
from prokd.config import ExperimentConfig, with_overrides

TURNS = 1
"""A B once: a sweep is long."""


def space(points: int) -> dict[str, list[Any]]:
    """Return so many points of the paper's grid: 4 (one teacher) or 24 (three teachers)."""
    if points == 4:
        return {"student.prototype_temperature": [0.5, 0.9], "student.fusion_weight": [0.7, 0.9]}
    if points != 24:
        raise ValueError(f"a sweep must have 4 or 24 points, but got {points}.")
    return {
        "prototypes.update_rate": [0.001, 0.0005],
        "teacher.alignment.temperature": [0.5, 0.7, 0.9],
        "student.prototype_temperature": [0.5, 0.9],
        "student.fusion_weight": [0.7, 0.9],
    }


def points_of(values: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every point of a space."""
    for choice in itertools.product(*values.values()):
        yield dict(zip(values, choice, strict=True))


def width() -> int:
    """Return how many trials run at a time: as many as there are cores, four at most."""
    return min(4, os.cpu_count() or 1)


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the ratio of the sweeps."""
    epochs = {"teacher.epochs": sizes.sweep_epochs, "student.epochs": sizes.sweep_epochs}
    config = setting.config(sizes.sweep_sentences, sizes.sweep_sentences, **epochs)
    found: dict[str, Any] = {}

    def ours(turn: int) -> float:
        found.update(_ours(setting, config, sizes.points, turn))
        return float(found["wall"])

    mine, other = interleaved(
        ours, lambda turn: _theirs(setting, config, sizes.points), TURNS, here=False
    )
    what = (
        f"{sizes.points}-point sweep, {found['teachers']} teachers, {found['students']} students, "
        f"{sizes.sweep_sentences} sentences, {sizes.sweep_epochs}+{sizes.sweep_epochs} epochs, "
        f"{width()} at a time"
    )
    return [ratio_line("sweep", what, mine, other, target="≥ 8x")]


def _ours(setting: Setting, config: ExperimentConfig, points: int, turn: int) -> dict[str, Any]:
    folder = setting.folder / "sweep" / f"ours-{turn}"
    shutil.rmtree(folder, ignore_errors=True)
    found, seconds = searched(setting, "sweep", config, points, folder)
    return found | {"wall": seconds}


def searched(
    setting: Setting,
    part: str,
    config: ExperimentConfig,
    points: int,
    folder: Path,
    **options: Any,
) -> tuple[dict[str, Any], float]:
    """Search a space in a process of its own; return what it wrote and its seconds.

    Args:
        setting: Data and encoder.
        part: Of the benchmark.
        config: The experiment.
        points: Of the space, see `space`.
        folder: Of the search and its runs.
        options: Further fields of the job.
    """
    runtime = setting.runtime(part).model_copy(update={"runs_dir": folder / "runs"})
    job = SearchJob(
        config.model_dump(mode="json"),
        runtime.model_dump(mode="json"),
        str(folder),
        space(points),
        points,
        width=width(),
        **options,
    )
    return run("search_process", folder / "job.json", asdict(job))


def _theirs(setting: Setting, config: ExperimentConfig, points: int) -> None:
    folder, runtime = setting.folder / "sweep" / "theirs", setting.runtime("sweep")

    def one(number: int, point: dict[str, Any]) -> None:
        values = {
            "config": with_overrides(config, point).model_dump(mode="json"),
            "runtime": runtime.model_dump(mode="json"),
        }
        run("rival", folder / f"point-{number}.json", values)

    with ThreadPoolExecutor(width()) as pool:
        list(pool.map(one, itertools.count(), points_of(space(points))))
