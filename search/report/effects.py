"""What the settings of a study do: importances, pairs, and the means that heat maps show.

A study over several methods is conditional: its trials are taken method by method, each group as a
plain Optuna study whose parameters are called as tables call settings.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.choice import METHOD, method_in, settings_of
from search.spaces import label, ordered, short

FEWEST = 4
"""Complete trials from which on importances are computed: fewer say nothing."""
MOST_PAIRS = 3
"""Pairs of settings that are shown, those of the most important settings."""


@dataclass(frozen=True)
class Group:
    """The trials of a study that have the same settings: those of one method.

    Args:
        method: Its name; empty where the study knows one only.
        study: Its complete trials, numbered anew, as a plain study in memory.
        importances: Share of the variance of the objective by setting, the largest first; they
            sum up to 1.
        why_not: Why there are no importances; empty if there are.
    """

    method: str
    study: optuna.Study
    importances: Mapping[str, float] = field(default_factory=dict)
    why_not: str = ""

    @property
    def trials(self) -> list[FrozenTrial]:
        """Its complete trials."""
        return self.study.get_trials(deepcopy=False)

    @property
    def settings(self) -> list[str]:
        """Settings that vary among its trials, the most important first."""
        values: dict[str, set[str]] = {}
        for trial in self.trials:
            for name, value in trial.params.items():
                values.setdefault(name, set()).add(repr(value))
        varied = [name for name, own in values.items() if len(own) > 1]
        return sorted(varied, key=lambda name: -self.importances.get(name, 0.0))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of its most important settings."""
        return list(combinations(self.settings[:3], 2))[:MOST_PAIRS]

    def is_list(self, name: str) -> bool:
        """Tell whether a setting has a list of values instead of a range."""
        return isinstance(self.trials[0].distributions[name], CategoricalDistribution)


def groups(trials: Sequence[FrozenTrial]) -> list[Group]:
    """Return the complete trials of a study by method, with the importance of each setting."""
    found: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            found.setdefault(method_in(trial.params), []).append(trial)
    return [_group(method, own) for method, own in sorted(found.items())]


def _group(method: str, trials: Sequence[FrozenTrial]) -> Group:
    study = optuna.create_study(direction="maximize")
    names = called([path for trial in trials for path in settings_of(trial.params)])
    for trial in trials:
        study.add_trial(
            create_trial(
                value=trial.value,
                params={names[k]: v for k, v in settings_of(trial.params).items()},
                distributions=_distributions(trial, names),
            )
        )
    importances, why_not = importances_of(study)
    return Group(method, study, importances, why_not)


def called(paths: Sequence[str]) -> dict[str, str]:
    """Return what settings are called in figures: their symbol and path, else the path."""
    return {
        path: path if label(path) == path else f"{label(path)} ({path})"
        for path in ordered(dict.fromkeys(paths))
    }


def _distributions(trial: FrozenTrial, names: Mapping[str, str]) -> dict[str, BaseDistribution]:
    own = {k: v for k, v in trial.distributions.items() if k != METHOD}
    return {names[path]: values for path, values in settings_of(own).items()}


def importances_of(study: optuna.Study) -> tuple[dict[str, float], str]:
    """Return the importances by Optuna's fANOVA, or in words why there are none."""
    trials = study.get_trials(deepcopy=False)
    if len(trials) < FEWEST:
        return {}, f"too few trials for importances ({len(trials)} complete, {FEWEST} needed)"
    if len({trial.value for trial in trials}) < 2:
        return {}, "all complete trials have the same value"
    if not any(len({repr(t.params.get(n)) for t in trials}) > 1 for n in trials[0].params):
        return {}, "no setting varies"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        except (RuntimeError, ValueError) as error:
            return {}, str(error)
    return dict(found), ""


@dataclass(frozen=True)
class HeatMap:
    """Mean objective of trials by the values of two settings.

    Args:
        rows: Values of the first setting, in order.
        columns: Values of the second one.
        means: Of each cell; None where no trial has both values.
        counts: Number of trials of each cell.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    means: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]


def heat_map(trials: Sequence[FrozenTrial], first: str, second: str) -> HeatMap:
    """Return the means over trials of a pair of settings that have lists of values."""
    rows, columns = (_in_order([t.params[name] for t in trials]) for name in (first, second))
    cells: dict[tuple[str, str], list[float]] = {}
    for trial in trials:
        place = short(trial.params[first]), short(trial.params[second])
        cells.setdefault(place, []).append(float(trial.value or 0.0))
    found = [[cells.get((row, column), []) for column in columns] for row in rows]
    return HeatMap(
        rows,
        columns,
        tuple(tuple(statistics.fmean(c) if c else None for c in line) for line in found),
        tuple(tuple(map(len, line)) for line in found),
    )


def _in_order(values: Sequence[Any]) -> tuple[str, ...]:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    others = sorted({short(v) for v in values if v not in numbers})
    return tuple(dict.fromkeys([*map(short, sorted(numbers)), *others]))
