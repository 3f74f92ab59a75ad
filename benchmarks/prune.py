"""What ``--prune`` saves and what it costs, on one grid searched with and without it.

Both searches have the same teachers: those of the first are copied, so that only students are
compared.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.sweep import searched
from benchmarks.table import Line
from prokd.config import ExperimentConfig
from prokd.runs.folder import RunFolder


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return how much of the students' training is saved, and the F1 of both choices."""
    folder = setting.folder / "prune"
    shutil.rmtree(folder, ignore_errors=True)
    epochs = {"teacher.epochs": sizes.epochs, "student.epochs": sizes.pruned_epochs}
    config = setting.config(sizes.pruned_sentences, sizes.evaluated, **epochs)
    without = _search(setting, config, sizes.pruned_points, folder / "without", prune=False)
    for teacher in (folder / "without" / "runs").glob("teacher-*"):
        shutil.copytree(teacher, folder / "with" / "runs" / teacher.name)
    pruned = _search(setting, config, sizes.pruned_points, folder / "with", prune=True)
    lines = [
        _saved("students' epochs", pruned["epochs"], without["epochs"], "", pruned),
        _saved("students' seconds", pruned["seconds"], without["seconds"], " s", pruned),
    ]
    for name, what in (("source_dev", "source dev"), ("target_f1", "target test")):
        mine, other = float(pruned[name]), float(without[name])
        text = f"{mine - other:+.4f}"
        lines.append(
            Line(
                "prune",
                f"{what} F1 of the chosen student",
                f"{mine:.4f} pruned",
                f"{other:.4f} whole",
                text,
                "",
                1,
                mine - other,
            )
        )
    return lines


def _saved(what: str, mine: float, other: float, unit: str, found: dict[str, Any]) -> Line:
    share = 1 - mine / other
    return Line(
        "prune",
        f"{what} ({found['pruned']} of {found['pruned'] + found['complete']} trials pruned)",
        f"{mine:.0f}{unit} pruned",
        f"{other:.0f}{unit} whole",
        f"{100 * share:.0f} % saved",
        "",
        1,
        share,
    )


def _search(
    setting: Setting, config: ExperimentConfig, points: int, folder: Path, *, prune: bool
) -> dict[str, Any]:
    found, _ = searched(setting, "prune", config, points, folder, prune=prune, export_best=0)
    histories = [
        RunFolder(folder / "runs", "student", path.name.removeprefix("student-")).history()
        for path in (folder / "runs").glob("student-*")
    ]
    found["epochs"] = sum(len(rows) for rows in histories)
    found["seconds"] = sum(row["seconds"] for rows in histories for row in rows)
    return found
