"""The best students as plain Hugging Face folders, as MLflow models, and as the champion."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from prokd.config import RuntimeConfig
from search.results import Standing
from search.tracking import Tracker


def export_best(
    standings: Sequence[Standing], folder: Path, runtime: RuntimeConfig, tracker: Tracker
) -> list[Path]:
    """Export the best seed of each standing; log each as a model and register the first.

    Args:
        standings: The best trials, best first.
        folder: Gets ``rank<i>-<signature>`` for each; exports of other ranks are removed.
        runtime: Where things lie.
        tracker: Logs and registers the models.

    Returns:
        The exported folders. Students whose run folder was removed are left out.
    """
    kept = []
    for standing in standings:
        experiment = standing.best_row.experiment
        if not experiment.student.done:
            continue
        place = folder / f"rank{standing.rank}-{experiment.student.signature}"
        if not (place / "config.json").exists():
            from prokd.training import export

            export(experiment.student, place, runtime)
        kept.append(place)
        config = experiment.config
        name = f"prokd-{config.data.dataset}-{config.source}-{config.target}"
        uri = tracker.log_model(experiment, place, name)
        if standing.rank == 1:
            tracker.register(experiment, uri, name)
    for stale in folder.glob("rank*"):
        if stale.is_dir() and stale not in kept:
            shutil.rmtree(stale)
    return kept
