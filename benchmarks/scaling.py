"""How time and memory grow: 1x, 2x, 4x, 8x the sentences; 1, 2, 4 trials at once.

Every measurement is a fresh process that trains a teacher and a student for two epochs each. Its
peak is the highest resident memory, shared pages (the memory-mapped corpora, libraries) included;
for trials at once the memory is proportional: shared pages are divided among those who share them.
An epoch is the last one, in processor seconds; trials at once are timed by the clock on the wall.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import result, run, start
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line

EPOCHS = {"teacher.epochs": 2, "student.epochs": 2}
DEV_SENTENCES = 200
Job = Callable[[Path, int, int], dict[str, Any]]
"""From the folder, the number of sentences and the seed of a trial to what its process reads."""


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return a line for each size and number of trials; write ``scaling.csv`` and a plot."""
    folder = setting.folder / "scaling"
    shutil.rmtree(folder, ignore_errors=True)
    job = partial(_job, setting, min(DEV_SENTENCES, sizes.evaluated))
    by_size = [
        _alone(job, folder, sizes.scaling_base * factor, factor) for factor in sizes.factors
    ]
    num_sentences = sizes.scaling_base * sizes.factors[len(sizes.factors) // 2]
    by_number = [_at_once(job, folder, num_sentences, n) for n in sizes.at_once]
    _write(setting.output, by_size, by_number)
    draw(setting.output / "scaling.png", by_size, by_number)
    return [*_size_lines(by_size), *_number_lines(by_number)]


def _job(
    setting: Setting, evaluated: int, folder: Path, sentences: int, seed: int
) -> dict[str, Any]:
    config = setting.config(sentences, evaluated, seed=seed, **EPOCHS)
    runtime = setting.runtime("scaling").model_copy(update={"runs_dir": folder / "runs"})
    return {
        "config": config.model_dump(mode="json"),
        "runtime": runtime.model_dump(mode="json"),
    }


def _alone(job: Job, folder: Path, sentences: int, factor: int) -> dict[str, float]:
    own = folder / f"sentences-{sentences}"
    found, _ = run("stage_process", own / "job.json", job(own, sentences, 0))
    return found | {"sentences": sentences, "factor": factor}


def _at_once(job: Job, folder: Path, sentences: int, number: int) -> dict[str, float]:
    """Run trials that share the cache of corpora, each with a seed of its own."""
    own = folder / f"at-once-{number}"
    files = [own / f"job-{seed}.json" for seed in range(number)]
    running = [
        start("stage_process", file, job(own, sentences, seed)) for seed, file in enumerate(files)
    ]
    found = [result(process, file) for process, file in zip(running, files, strict=True)]
    seconds = [x["teacher_seconds"] + x["student_seconds"] for x in found]
    return {
        "number": number,
        "sentences": sentences,
        "seconds": max(seconds),
        "each_mb": sum(x["proportional_mb"] for x in found) / number,
        "all_mb": sum(x["proportional_mb"] for x in found),
    }


def _size_lines(rows: Sequence[dict[str, float]]) -> list[Line]:
    lines = []
    first = rows[0]
    for row in rows:
        for kind in ("teacher", "student"):
            growth = row[f"{kind}_epoch"] / first[f"{kind}_epoch"]
            memory = row[f"{kind}_peak_mb"] - first[f"{kind}_peak_mb"]
            lines.append(
                Line(
                    "scaling",
                    f"{kind}, {row['sentences']:.0f} sentences ({row['factor']:.0f}x)",
                    f"{row[f'{kind}_epoch']:.2f} s an epoch",
                    f"peak {row[f'{kind}_peak_mb']:.0f} MB",
                    f"time {growth:.2f}x, memory {memory:+.0f} MB",
                    f"time about {row['factor']:.0f}x",
                    1,
                    growth,
                )
            )
    return lines


def _number_lines(rows: Sequence[dict[str, float]]) -> list[Line]:
    return [
        Line(
            "scaling",
            f"{row['number']:.0f} trials at once, {row['sentences']:.0f} sentences",
            f"{row['seconds']:.1f} s the longest",
            f"{row['all_mb']:.0f} MB in all",
            f"time {row['seconds'] / rows[0]['seconds']:.2f}x, {row['each_mb']:.0f} MB each",
            "",
            1,
            row["each_mb"],
        )
        for row in rows
    ]


def _write(output: Path, by_size: Sequence[Any], by_number: Sequence[Any]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name, rows in (("sentences", by_size), ("trials", by_number)):
        with (output / f"scaling-{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def draw(path: Path, by_size: Sequence[dict[str, float]], by_number: Sequence[Any]) -> None:
    """Draw time and memory over sentences and over trials at once."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    time_axes, memory_axes, number_axes = figure.subplots(1, 3)
    sentences = [row["sentences"] for row in by_size]
    for kind, colour in (("teacher", "tab:blue"), ("student", "tab:orange")):
        seconds = [row[f"{kind}_epoch"] for row in by_size]
        linear = [seconds[0] * n / sentences[0] for n in sentences]
        time_axes.plot(sentences, seconds, "o-", color=colour, label=kind)
        time_axes.plot(sentences, linear, ":", color=colour, label=f"{kind}, if proportional")
        memory = [row[f"{kind}_peak_mb"] for row in by_size]
        memory_axes.plot(sentences, memory, "o-", color=colour, label=kind)
    time_axes.set(xlabel="sentences a language", ylabel="seconds an epoch", title="time")
    memory_axes.set(xlabel="sentences a language", ylabel="peak MB", title="memory of a trial")
    numbers = [row["number"] for row in by_number]
    number_axes.plot(numbers, [row["all_mb"] for row in by_number], "o-", label="all, MB")
    number_axes.plot(numbers, [row["each_mb"] for row in by_number], "o-", label="each, MB")
    number_axes.set(xlabel="trials at once", ylabel="MB", title="memory of trials at once")
    number_axes.set_xticks(numbers)
    for axes in (time_axes, memory_axes, number_axes):
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
