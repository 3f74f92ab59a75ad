"""Samplers for a study that is asked and told: no point twice, and none missed in a grid."""

from __future__ import annotations

import random
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from prokd.runs.identity import canonical_json
from search.choice import Point, Space
from search.spaces import choices, points


def key(point: Point) -> str:
    """Return a text that is equal for equal points."""
    return canonical_json(dict(point))


def _in_order(values: Sequence[Any]) -> list[Any]:
    is_numeric = all(isinstance(value, int | float) for value in values)
    return sorted(values) if is_numeric else list(values)


class Listed:
    """The points of a space of lists."""

    def __init__(self, space: Space) -> None:
        self.points = points(space)
        self._orders = {path: _in_order(values) for path, values in choices(space).items()}
        self._keys = [key(point) for point in self.points]
        # Place of each value among those of its setting, int64, (points, settings).
        self._places = np.array([self._place(point) for point in self.points])

    def has_new(self, seen: Collection[str]) -> bool:
        """Tell whether a point is there that was not seen."""
        return any(known not in seen for known in self._keys)

    def new(
        self, proposal: Point | None, seen: Collection[str], seed: str, fixed: Point | None = None
    ) -> dict[str, Any]:
        """Return the nearest point to a proposal, or any without one, that was not seen.

        Where some have the values that are fixed already, it is one of those.
        """
        is_new = np.array([known not in seen for known in self._keys])
        agrees = is_new & [point.items() >= (fixed or {}).items() for point in self.points]
        is_new = agrees if agrees.any() else is_new
        if not is_new.any():
            is_new[:] = True
        elif proposal is not None:
            # Asking again would cost as much each time, and say the same ever more often.
            steps = np.abs(self._places - self._place(proposal)).sum(axis=1)
            is_new &= steps == steps[is_new].min()
        return dict(self.points[random.Random(seed).choice(np.flatnonzero(is_new))])

    def _place(self, point: Point) -> list[int]:
        return [order.index(point[path]) for path, order in self._orders.items()]


class DistinctSampler(BaseSampler):
    """Points of another sampler, but never one that the study has already.

    Args:
        inner: Proposes values by `sample_relative`.
        space: The settings and their values.
        seed: Of the points drawn when the inner sampler proposes nothing new.
    """

    def __init__(self, inner: BaseSampler, space: Space, seed: int) -> None:
        """Wrap a sampler."""
        self.inner, self.space, self.seed = inner, space, seed
        self._listed = Listed(space)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space: points are drawn at once, not value by value."""
        return dict(self.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a new point: the inner sampler's, else the nearest one that is new."""
        seen = seen_points(study)
        proposal = self.inner.sample_relative(study, trial, search_space)
        has_proposal = set(proposal) == set(search_space)
        if has_proposal and key(proposal) not in seen:
            return proposal
        seed = f"{self.seed}-{trial.number}"
        return self._listed.new(proposal if has_proposal else None, seen, seed)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample one value apart; only for settings outside the space."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


def seen_points(study: Study, but: int | None = None) -> set[str]:
    """Return the keys of all points that have a trial, but that of one number."""
    trials = study.get_trials(deepcopy=False)
    return {key(t.params) for t in trials if t.params and t.number != but}


def tpe(startup: int, seed: int, *, group: bool = False) -> TPESampler:
    """Return TPE; with groups, of settings that not all trials have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            multivariate=True,
            group=group,
            n_startup_trials=startup,
            seed=seed,
            constant_liar=True,
        )


class AskedGridSampler(GridSampler):
    """GridSampler for ask and tell: the driver counts the points, so nothing is stopped."""

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Do nothing: outside of `Study.optimize` stopping is an error."""
