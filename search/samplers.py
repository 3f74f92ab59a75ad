"""Samplers for a study that is asked and told: no point twice, and none missed in a grid."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from prokd.runs.identity import canonical_json
from search.spaces import Point, Space, choices, points


def key(point: Point) -> str:
    """Return a text that is equal for equal points."""
    return canonical_json(dict(point))


def _in_order(values: Sequence[Any]) -> list[Any]:
    is_numeric = all(isinstance(value, int | float) for value in values)
    return sorted(values) if is_numeric else list(values)


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
        self._points = points(space)
        self._orders = {path: _in_order(values) for path, values in choices(space).items()}
        self._keys = [key(point) for point in self._points]
        # Place of each value among those of its setting, int64, (points, settings).
        self._places = np.array([self._place(point) for point in self._points])

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space: points are drawn at once, not value by value."""
        return dict(self.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a new point: the inner sampler's, else the nearest one that is new."""
        seen = {key(t.params) for t in study.get_trials(deepcopy=False) if t.params}
        proposal = self.inner.sample_relative(study, trial, search_space)
        has_proposal = set(proposal) == set(search_space)
        if has_proposal and key(proposal) not in seen:
            return proposal
        is_new = np.array([known not in seen for known in self._keys])
        if not is_new.any():
            is_new[:] = True
        elif has_proposal:
            # Asking again would cost as much each time, and say the same ever more often.
            steps = np.abs(self._places - self._place(proposal)).sum(axis=1)
            is_new &= steps == steps[is_new].min()
        chosen = random.Random(f"{self.seed}-{trial.number}").choice(np.flatnonzero(is_new))
        return dict(self._points[chosen])

    def _place(self, point: Point) -> list[int]:
        return [order.index(point[path]) for path, order in self._orders.items()]

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample one value apart; only for settings outside the space."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


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
