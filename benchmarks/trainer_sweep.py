"""A sweep from end to end: this project's search beside the one that Ray documents.

As `benchmarks.sweep`, with the strong rival: `Tuner`, `OptunaSearch`, MLflow's callback and
transformers' `Trainer`, as many trials at a time as ours, at the same points.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.processes import run
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.sweep import points_of, searched, space, width
from benchmarks.table import Line, interleaved, ratio_line
from benchmarks.trainer_search import TrainerJob
from prokd.config import ExperimentConfig

TURNS = 1
"""A B once: a sweep is long."""


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the ratio of the sweeps."""
    epochs = {"teacher.epochs": sizes.sweep_epochs, "student.epochs": sizes.sweep_epochs}
    config = setting.config(sizes.sweep_sentences, sizes.sweep_sentences, **epochs)
    folder = setting.folder / "trainer_sweep"
    found: dict[str, Any] = {}

    def ours(turn: int) -> float:
        own = folder / "ours"
        shutil.rmtree(own, ignore_errors=True)
        result, seconds = searched(setting, "trainer_sweep", config, sizes.points, own)
        found.update(result)
        return seconds

    def theirs(turn: int) -> float:
        own = folder / "theirs"
        shutil.rmtree(own, ignore_errors=True)
        job = job_of(setting, config, space(sizes.points), own, width())
        result, seconds = run("trainer_search", own / "job.json", asdict(job))
        assert result["complete"] == sizes.points, "a point of the rival has failed"
        return seconds

    mine, other = interleaved(ours, theirs, TURNS, here=False)
    what = (
        f"{sizes.points}-point sweep, {found['teachers']} teachers, {found['students']} students, "
        f"{sizes.sweep_sentences} sentences, {sizes.sweep_epochs}+{sizes.sweep_epochs} epochs, "
        f"{width()} at a time"
    )
    return [ratio_line("trainer_sweep", what, mine, other, target="≥ 4x")]


def job_of(
    setting: Setting,
    config: ExperimentConfig,
    values: dict[str, list[Any]],
    folder: Path,
    at_once: int,
) -> TrainerJob:
    """Return the strong rival's job: all points of a space, so many at once."""
    return TrainerJob(
        config.model_dump(mode="json"),
        setting.runtime("trainer").model_dump(mode="json"),
        str(folder),
        values,
        list(points_of(values)),
        at_once,
    )
