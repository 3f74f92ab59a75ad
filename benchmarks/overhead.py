"""What Ray, Optuna and MLflow cost: a search's time less the time in which its workers trained.

One trial at a time, on a worker that is warm, so that nothing hides behind anything else: the
search asks Optuna for each point (TPE), hands out the stages, logs every epoch and every stage,
and ends with the leaderboard. The time in stages is taken in the worker: reading data, building
the model, training, scores, checkpoints.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict

from benchmarks.processes import run
from benchmarks.search_process import SearchJob
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.sweep import space
from benchmarks.table import Line


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the share of the time in stages, and the seconds a trial."""
    folder = setting.folder / "overhead"
    shutil.rmtree(folder, ignore_errors=True)
    epochs = {"teacher.epochs": sizes.epochs, "student.epochs": sizes.epochs}
    config = setting.config(sizes.sentences, sizes.evaluated, **epochs)
    job = SearchJob(
        config.model_dump(mode="json"),
        setting.runtime("overhead").model_dump(mode="json"),
        str(folder),
        space(24),
        sizes.overhead_points,
        grid=False,
        width=1,
        warm_up=True,
        export_best=0,
    )
    found, _ = run("search_process", folder / "job.json", asdict(job))
    extra, trials = found["seconds"] - found["busy"], found["complete"] + found["failed"]
    stages = found["teachers"] + found["students"] - 2  # those of the warm-up
    what = f"Ray + Optuna + MLflow, {trials} trials, {stages} stages, warm worker"
    seconds = (f"{found['seconds']:.1f} s in all", f"{found['busy']:.1f} s in stages")
    share = extra / found["busy"]
    return [
        Line("overhead", what, *seconds, f"{100 * share:.1f} %", "≤ 10 %", 1, share),
        Line(
            "overhead",
            "the same, seconds a trial",
            f"{extra:.2f} s extra",
            "",
            f"{extra / trials:.2f} s",
            "< 0.5 s",
            1,
            extra / trials,
        ),
    ]
