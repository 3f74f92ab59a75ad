"""Whether all is trained already: what is left then, tables and exports and logs, needs no Ray."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from optuna.trial import TrialState

from prokd.config import ExperimentConfig
from prokd.config.precision import CPU, GPU
from prokd.config.settings import AutocastType
from prokd.runs.folder import ORACLE
from search.experiments import DataDescriptions, Experiment
from search.inventory import is_unreported, is_unscored
from search.precision import expected_precision
from search.samplers import key
from search.spaces import size
from search.study import read_trials
from search.workers.cluster import Cluster, NeedsRay
from search.workers.connection import is_here

if TYPE_CHECKING:
    from search.spec import SearchSpec

Result = TypeVar("Result")


def without_ray_first(
    run: Callable[[AutocastType | None], Result], precision: AutocastType | None
) -> Result:
    """Call ``run`` with a precision, and with None, to use a Ray, if that turns out to be needed.

    Args:
        run: Does the work; for an engine at rest it is given the precision of its trials.
        precision: As `known_precision` returns it; None = there is something to train.
    """
    if precision is not None:
        try:
            return run(precision)
        except NeedsRay:  # a finished run is damaged, say
            pass
    return run(None)


def known_precision(
    configs: Iterable[ExperimentConfig], address: str | None, gpus_per_trial: float | None
) -> AutocastType | None:
    """Return what ``encoder.precision = auto`` stands for; None if only a Ray could tell.

    Args:
        configs: What is trained; where none of them says ``auto`` the answer has no effect.
        address: As it was asked for.
        gpus_per_trial: As it was asked for.
    """
    if gpus_per_trial == 0 or all(config.encoder.precision != "auto" for config in configs):
        return "fp32"
    if float(os.environ.get("PROKD_MAX_GPUS", 0)) > 0 or not is_here(address):
        return None
    return expected_precision(gpus_per_trial)


def cluster_at_rest(precision: AutocastType) -> Cluster:
    """Return a cluster on which nothing can be trained."""
    device = CPU if precision == "fp32" else GPU
    return Cluster("", 1.0, 0.0, 1, device=device, precision=precision, is_at_rest=True)


def is_finished(experiment: Experiment, descriptions: DataDescriptions, oracle: bool) -> bool:
    """Tell whether an experiment has ended, and all that it is scored on is scored.

    Args:
        experiment: Any configuration.
        descriptions: Fingerprints of the data.
        oracle: Whether the result has to be scored on labelled target dev.
    """
    for name in filter(None, (experiment.result_stage, experiment.transfer_stage)):
        if experiment.folder(name).done and is_unreported(experiment, name, descriptions):
            return False
    if not experiment.result.done:
        folders = map(experiment.folder, experiment.graph.names)
        return any(folder.failure() is not None for folder in folders)
    return not (oracle and is_unscored(experiment, experiment.result_stage, descriptions))


def is_settled(
    spec: SearchSpec, descriptions: DataDescriptions, output: Path, *, compare: bool
) -> bool:
    """Tell whether a search has no trial left, and all of its runs are scored.

    Args:
        spec: What is searched; its precision is known.
        descriptions: Fingerprints of the data.
        output: Folder of the studies.
        compare: Whether the oracle has to have looked at every result.
    """
    name = spec.study_name(descriptions)
    try:
        trials = read_trials(output / "studies" / f"{name}.journal", name)
    except ValueError:  # a journal that is damaged is told of when the study is opened
        return False
    if any(trial.state == TrialState.RUNNING for trial in trials):
        return False
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    if len({key(trial.params) for trial in ended}) < min(spec.trials, size(spec.space) or 1 << 60):
        return False
    read, runs_dir = descriptions.training, descriptions.runtime.runs_dir.resolve()
    oracle = compare or spec.select == ORACLE
    return all(
        is_finished(experiment, descriptions, oracle)
        for trial in ended
        if trial.state == TrialState.COMPLETE
        for experiment in spec.experiments("", trial.params, read, runs_dir)
        if experiment.result.done  # else its folder was removed, and its value is kept
    )


def search_at_rest(
    specs: Sequence[SearchSpec],
    descriptions: DataDescriptions,
    output: Path,
    *,
    address: str | None,
    gpus_per_trial: float | None,
    compare: bool,
) -> AutocastType | None:
    """Return the precision for `without_ray_first`; None if a search has something to train.

    Args:
        specs: What is searched.
        descriptions: Fingerprints of the data.
        output: Folder of the studies.
        address: As it was asked for.
        gpus_per_trial: As it was asked for.
        compare: As `is_settled` takes it.
    """
    configs = [config for spec in specs for config in spec.bases.values()]
    precision = known_precision(configs, address, gpus_per_trial)
    if precision is None:
        return None
    known = [spec.settled(precision) for spec in specs]
    is_all = all(is_settled(spec, descriptions, output, compare=compare) for spec in known)
    return precision if is_all else None
