"""What an ablation does: its plan in words, its runs, the best points of searches as its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ablations.plan import AblationPlan, best_point
from prokd.config import ExperimentConfig, with_overrides
from search.experiments import DataDescriptions, Experiment
from search.plan import Measured
from search.results import Row

if TYPE_CHECKING:
    from prokd.config.settings import AutocastType
    from search.engine import Engine


def with_best_points(
    bases: Sequence[ExperimentConfig],
    fixed: Sequence[str],
    descriptions: DataDescriptions,
    output: Path,
) -> tuple[list[ExperimentConfig], list[str]]:
    """Put the best points of searches into configurations; say which."""
    from search.spaces import in_symbols

    found, notes = [], []
    for base in bases:
        point, path = best_point(base, descriptions, output / "exports")
        free = {name: value for name, value in point.items() if name not in fixed}
        found.append(with_overrides(base, free))
        notes.append(f"{base.target}: {in_symbols(free)}, the best of {path.parent.name}")
    return found, notes


def show_plan(plan: AblationPlan, descriptions: DataDescriptions, timed: Measured) -> None:
    """Print what a plan needs, what of it is done, and what the rest will cost."""
    from search.plan import describe, needs_of
    from search.precision import dry_run_line

    experiments = _experiments(plan, descriptions)
    variants, languages = len(plan.spec.variants), len(plan.bases)
    typer.echo(dry_run_line(list(plan.configs().values())))
    typer.echo(
        f"{plan.stem}: {variants} variants x {languages} language(s) x {len(plan.seeds)} seed(s)"
        f" = {len(experiments)} runs"
    )
    for line in describe(needs_of(experiments, timed), None):
        typer.echo(f"  {line}")


def precision_at_rest(
    plan: AblationPlan, descriptions: DataDescriptions, precision: AutocastType | None
) -> AutocastType | None:
    """Return the precision if all runs of a plan are known to have ended with it; else None."""
    from search.rest import is_finished

    if precision is None:
        return None
    experiments = _experiments(replace(plan, precision=precision), descriptions)
    is_all = all(is_finished(experiment, descriptions, False) for experiment in experiments)
    return precision if is_all else None


def train(
    engine: Engine, plan: AblationPlan, written: Callable[[list[Row]], Mapping[str, Path]]
) -> list[Row]:
    """Train what a plan lacks; return one row for each language, variant and seed.

    Args:
        engine: Open on a cluster.
        plan: What is compared.
        written: Writes reports of the rows; returns what MLflow gets of them.
    """
    from ablations.report import report_stem
    from prokd.runs.cleaning import nothing_removed
    from search.variants import run_variants

    folder = engine.tracker.output / "reports"
    # One call for all languages, so that no slot waits at the end of each.
    places = {_label(plan, *place): place for place in plan.configs()}
    configs = dict(zip(places, plan.configs().values(), strict=True))

    def by_variant(rows: list[Row]) -> list[Row]:
        """Return the rows with their variants' own names, without a language."""
        found = [(row, places[row.experiment.variant][0]) for row in rows]
        return [replace(r, experiment=replace(r.experiment, variant=v)) for r, v in found]

    name = f"{plan.stem}-{plan.signature}"
    with nothing_removed(engine.tracker.output, name):
        rows = run_variants(
            engine,
            f"ablation {plan.spec.name}",
            configs,
            plan.seeds,
            name=name,
            reference=plan.spec.reference,
            labels={label: variant for label, (variant, _) in places.items()},
            report=folder / f"{report_stem(folder, plan.stem, plan.signature)}.md",
            written=lambda rows: written(by_variant(rows)),
        )
    return by_variant(rows)


def check_results(rows: Sequence[Row]) -> None:
    """Make sure that a run has a result.

    Raises:
        CollapsedRun: Not one has.
    """
    from search.launch import nothing_finished
    from search.workers.trainables import DONE, PAUSED

    failed = [row.outcome.reason for row in rows if row.outcome.state not in (DONE, PAUSED)]
    if failed and all(row.objective is None for row in rows):
        raise nothing_finished("runs", failed)


def _label(plan: AblationPlan, variant: str, language: str) -> str:
    return variant if len(plan.bases) == 1 else f"{variant}, {language}"


def _experiments(plan: AblationPlan, descriptions: DataDescriptions) -> list[Experiment]:
    from search.variants import experiments_of

    configs = {f"{variant}, {language}": c for (variant, language), c in plan.configs().items()}
    data = {name: descriptions.training(config) for name, config in configs.items()}
    return experiments_of(descriptions.runtime.runs_dir.resolve(), configs, plan.seeds, data)
