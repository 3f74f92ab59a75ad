"""Fixed configurations instead of a search: named variants times seeds, on the same engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prokd.config import ExperimentConfig, with_overrides, with_precision
from prokd.effect import flatten
from search.engine import Engine
from search.plan import Experiment
from search.results import Row, means, row
from search.tuner import Outcome


def experiments_of(
    runs_dir: Path,
    variants: Mapping[str, ExperimentConfig],
    seeds: Sequence[int],
    data: Mapping[str, Mapping[str, str]],
) -> list[Experiment]:
    """Return the experiments of named configurations, one for each seed.

    Args:
        runs_dir: Folder of all runs.
        variants: Configurations by name; their seeds are replaced.
        seeds: Of each variant.
        data: Fingerprints of what each variant reads, by its name.
    """
    return [
        Experiment(
            name=f"{name} seed {seed}",
            config=with_overrides(config, {"seed": seed}),
            data=data[name],
            runs_dir=runs_dir,
            variant=name,
        )
        for name, config in variants.items()
        for seed in seeds
    ]


def run_variants(
    engine: Engine,
    title: str,
    variants: Mapping[str, ExperimentConfig],
    seeds: Sequence[int],
    *,
    ids: Path,
    labels: Mapping[str, str] | None = None,
) -> list[Row]:
    """Train what is missing of named variants and return one row for each variant and seed.

    In MLflow a run named ``title`` stands above one run for each variant, which stands above the
    stage runs. Variants of several languages or data sets get such a run in each experiment.

    Args:
        engine: Trains; `search.launch.opened` gives one.
        title: What the variants belong to, e.g. "ablation components".
        variants: Configurations by name, of any languages and data sets.
        seeds: Of each variant.
        ids: JSON file that remembers the MLflow runs, so that running again continues them.
        labels: The MLflow tag ``variant`` of each name, where it is not the name itself: one
            variant has a name for each of several languages.

    Returns:
        Rows in the order of variants, then seeds; those that failed or were paused have no
        objective.
    """
    tracker, progress = engine.tracker, engine.progress
    automatic = engine.cluster.precision
    variants = {name: with_precision(config, automatic) for name, config in variants.items()}
    labels = labels or {name: name for name in variants}
    data = {name: engine.descriptions.training(config) for name, config in variants.items()}
    parents: dict[str, str] = {}
    runs: dict[str, str] = {}
    for name, config in variants.items():
        where = f"{config.data.dataset}/{config.source}-{config.target}"
        if where not in parents:
            parents[where] = tracker.open_run(
                ids, f"{title} {where}", config, name=title, params={}, tags={"kind": "ablation"}
            )
        runs[name] = tracker.open_run(
            ids,
            f"{title} {where} {name}",
            config,
            name=labels[name],
            params=flatten(config.model_dump(mode="json", exclude={"seed"})),
            parent=parents[where],
            tags={"kind": "variant", "variant": labels[name]},
        )
    experiments = [
        replace(
            experiment,
            parent_run=runs[experiment.variant],
            tags={"variant": labels[experiment.variant]},
        )
        for experiment in experiments_of(engine.runtime.runs_dir, variants, seeds, data)
    ]

    def finished(experiment: Experiment, outcome: Outcome) -> None:
        found = row(experiment, outcome)
        progress.result(experiment.name, found.objective, outcome.reason)

    progress.begin(title, len(experiments))
    try:
        outcomes = engine.run(experiments, finished)
    finally:
        progress.end()
    rows = [row(e, outcome) for e, outcome in zip(experiments, outcomes, strict=True)]
    for name, run_id in runs.items():
        own = [found for found in rows if found.experiment.variant == name]
        is_whole = all(found.objective is not None for found in own)
        metrics = means(own) if is_whole else {}
        tracker.close_run(run_id, metrics, status="FINISHED" if is_whole else "FAILED")
    for run_id in parents.values():
        tracker.close_run(run_id)
    return rows
