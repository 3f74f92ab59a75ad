"""The memory of four trials at once: of our search, and of the strong rival's.

Both searches run as processes of their own. While they do, the proportional set sizes (shared
pages divided among those who share them) of all their processes are added up, driver and Ray's own
included; the figure is the highest sum. Beside it stands the highest sum of the processes that
train alone.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.processes import start
from benchmarks.search_process import SearchJob
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line, ratio_line
from benchmarks.trainer_sweep import job_of

AT_ONCE = 4
SPACE: dict[str, list[Any]] = {"teacher.alignment.temperature": [0.5, 0.6, 0.7, 0.9]}
"""Four teachers and four students, on both sides."""
PAUSE = 0.5
"""Seconds between two looks."""


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the ratios of both sums."""
    epochs = {"teacher.epochs": sizes.sweep_epochs, "student.epochs": sizes.sweep_epochs}
    config = setting.config(sizes.sentences, sizes.sweep_sentences, **epochs)
    folder = setting.folder / "trainer_memory"
    shutil.rmtree(folder, ignore_errors=True)
    runtime = setting.runtime("trainer_memory")
    ours = SearchJob(
        config.model_dump(mode="json"),
        runtime.model_copy(update={"runs_dir": folder / "runs"}).model_dump(mode="json"),
        str(folder / "ours"),
        SPACE,
        AT_ONCE,
        width=AT_ONCE,
        export_best=0,
    )
    theirs = job_of(setting, config, SPACE, folder / "theirs", AT_ONCE)
    mine = peaks("search_process", folder / "ours" / "job.json", asdict(ours))
    other = peaks("trainer_search", folder / "theirs" / "job.json", asdict(theirs))
    what = f"{AT_ONCE} trials at once, {sizes.sentences} sentences, "
    return [
        ratio_line("trainer_memory", what + name, [a], [b], target=target, unit="MB")
        for name, target, a, b in zip(
            ("all processes", "those that train"), ("≥ 2x", ""), mine, other, strict=True
        )
    ]


def peaks(module: str, job: Path, values: dict[str, Any]) -> tuple[float, float]:
    """Run a job; return the highest sums, in MB, of all its processes and of those that train."""
    process = start(module, job, values)
    highest = [0.0, 0.0]
    while process.poll() is None:
        sizes = list(_proportional_mb(process))
        sums = sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)
        highest = [max(a, b) for a, b in zip(highest, sums, strict=True)]
        time.sleep(PAUSE)
    if not job.with_suffix(".result.json").exists():
        raise RuntimeError(job.with_suffix(".log").read_text(encoding="utf-8")[-3000:])
    return highest[0], highest[1]


def _proportional_mb(process: subprocess.Popen[str]) -> Iterator[tuple[float, bool]]:
    """Yield the memory of a process and of all that it began, and whether one trains."""
    try:
        family = [found := psutil.Process(process.pid), *found.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            name = " ".join(one.cmdline())
            yield one.memory_full_info().pss / 2**20, _trains(name)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _trains(name: str) -> bool:
    """Tell whether a process is one of Ray's actors, by its name."""
    return name.startswith("ray::") and not name.startswith("ray::IDLE")
