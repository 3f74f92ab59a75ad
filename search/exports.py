"""The best results as plain Hugging Face folders, as MLflow models, and as the champion.

What an oracle chose is called so: its folders and its registered model end in ``-oracle``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prokd.config import RuntimeConfig
from prokd.config.settings import JOINT
from prokd.encoder.export_folder import remove_export
from prokd.method import TARGET_TRAIN
from prokd.runs.folder import ORACLE, SOURCE_DEV
from prokd.training.chosen import Chosen
from search.experiments import Experiment, languages_of
from search.leaderboard import Standing
from search.records.tracking import Tracker


def export_best(
    standings: Sequence[Standing],
    folder: Path,
    runtime: RuntimeConfig,
    tracker: Tracker,
    select: str = SOURCE_DEV,
    trials: int | None = None,
) -> list[Path]:
    """Export the best seed of each standing; log each as a model and register the first.

    Args:
        standings: The best trials, best first.
        folder: Gets ``rank<i>-<signature>`` for each; exports of other ranks are removed,
            nothing else is.
        runtime: Where things lie.
        tracker: Logs and registers the models.
        select: The criterion that ranks.
        trials: Number of all that have a standing; None = these.

    Returns:
        The exported folders. Results whose run folder was removed, and those that find no entity
        of source dev, are left out.
    """
    kept = []
    suffix = f"-{ORACLE}" if select == ORACLE else ""
    for standing in standings:
        best = standing.best_row
        experiment = best.experiment
        if not experiment.result.done or finds_nothing(standing):
            continue
        place = folder / f"rank{standing.rank}-{experiment.result.signature}{suffix}"
        chosen = _chosen(standing, folder.name, select, trials or len(standings))
        _write(experiment, place, runtime, chosen)
        kept.append(place)
        config = experiment.config
        languages = languages_of(config).replace(JOINT, "_")  # MLflow takes no dot here
        name = f"prokd-{config.data.dataset}-{languages}{suffix}"
        champion = (best.objective or 0.0, _measure(experiment, select))
        tracker.publish(experiment, place, name, champion if standing.rank == 1 else None)
    for stale in folder.glob("rank*-*"):
        if stale not in kept:
            remove_export(stale)
    return kept


def _write(experiment: Experiment, place: Path, runtime: RuntimeConfig, chosen: Chosen) -> None:
    """Export a result, or renew the card of its export: trials and scores may have come since."""
    from prokd.training.exports import export, has_card, renew_card

    config = experiment.effective
    if has_card(place):
        renew_card(place, experiment.result, runtime, config, chosen)
    else:
        export(experiment.result, place, runtime, config=config, chosen=chosen)


def _chosen(standing: Standing, study: str, select: str, trials: int) -> Chosen:
    return Chosen(
        study=study,
        rank=standing.rank,
        trials=trials,
        criterion=select,
        value=standing.objective,
        seeds=[row.experiment.config.seed for row in standing.rows],
        target_f1=[row.target_f1 for row in standing.rows],
    )


def finds_nothing(standing: Standing) -> bool:
    """Tell whether the best result of a standing finds no entity of source dev."""
    return not standing.best_row.criteria.get(SOURCE_DEV, 0.0) > 0


def _measure(experiment: Experiment, select: str) -> dict[str, str]:
    """Return a criterion and the fingerprint of the sentences that it was scored on."""
    if select == ORACLE:
        known = experiment.result.oracle() or {}
        return {"select": select, "target_dev": str(known.get("fingerprint"))}
    corpus = SOURCE_DEV if select == SOURCE_DEV else TARGET_TRAIN
    return {"select": select, corpus: experiment.data[corpus]}
