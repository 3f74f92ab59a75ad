"""Fixed configurations instead of a search: named variants times seeds, on the same engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prokd.config import ExperimentConfig, with_overrides, with_precision
from search.engine import Engine
from search.estimate import epochs_left
from search.experiments import Experiment
from search.outcomes import Outcome
from search.records.record import experiment_name
from search.records.variant_log import VariantLog
from search.results import Row, row


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
    name: str,
    reference: str | None = None,
    labels: Mapping[str, str] | None = None,
    report: Path | None = None,
    written: Callable[[list[Row]], Mapping[str, Path]] | None = None,
) -> list[Row]:
    """Train what is missing of named variants and return one row for each variant and seed.

    In MLflow a run named ``title`` stands above one run for each variant, which stands above the
    stage runs. Variants of several languages or data sets get such a run in each experiment. The
    tag ``variant`` is the results' alone, so that grouping by it gives means over seeds; the run
    of a variant has the tag ``mean_of`` and metrics of other names.

    Args:
        engine: Trains; `search.launch.opened` gives one.
        title: What the variants belong to, e.g. "ablation components".
        variants: Configurations by name, of any languages and data sets.
        seeds: Of each variant.
        name: Of the whole: running again under the same name goes on in the same MLflow runs.
        reference: Label of the variant that the others are compared with; None = the first.
        labels: What MLflow calls each name, where it is not the name itself: one
            variant has a name for each of several languages.
        report: Where the tables will be written, for MLflow to name.
        written: Writes reports of the rows; returns their files and folders, by the names that
            they get as artifacts of MLflow.

    Returns:
        Rows in the order of variants, then seeds; those that failed or were paused have no
        objective.
    """
    progress, automatic = engine.progress, engine.cluster.precision
    variants = {name: with_precision(config, automatic) for name, config in variants.items()}
    labels = labels or {name: name for name in variants}
    data = {name: engine.descriptions.training(config) for name, config in variants.items()}
    log = VariantLog(
        engine.tracker, title, name, variants, labels, reference=reference, report=report
    )
    log.open()
    experiments = _logged(experiments_of(engine.runtime.runs_dir, variants, seeds, data), log)

    def finished(experiment: Experiment, outcome: Outcome) -> None:
        found = row(experiment, outcome)
        progress.result(experiment.name, found.objective, outcome.reason)

    progress.begin(title, len(experiments), width=engine.cluster.width)
    progress.expect(epochs_left(experiments))
    try:
        outcomes = engine.run(experiments, finished)
    finally:
        progress.end()
    rows = [row(e, outcome) for e, outcome in zip(experiments, outcomes, strict=True)]
    log.close(rows, written(rows) if written is not None else {})
    return rows


def _logged(experiments: Sequence[Experiment], log: VariantLog) -> list[Experiment]:
    """Say of experiments where their runs stand in MLflow, and which variants share them."""
    used_by = _used_by(experiments, log.labels)
    return [
        replace(
            experiment,
            parent_run=log.key(experiment.variant),
            tags={"variant": log.labels[experiment.variant], "ablation": log.name},
            used_by={
                stage: used_by[_place(experiment, stage)] for stage in experiment.graph.names
            },
        )
        for experiment in experiments
    ]


def _place(experiment: Experiment, stage: str) -> tuple[str, str]:
    """Return what tells an MLflow run of a stage from others."""
    return experiment.key(stage), experiment_name(experiment.config)


def _used_by(
    experiments: Sequence[Experiment], labels: Mapping[str, str]
) -> dict[tuple[str, str], list[str]]:
    """Return the variants that have a stage run in common, in their order, by `_place`."""
    found: dict[tuple[str, str], list[str]] = {}
    for experiment in experiments:
        for name in experiment.graph.names:
            own = found.setdefault(_place(experiment, name), [])
            if labels[experiment.variant] not in own:
                own.append(labels[experiment.variant])
    return found
