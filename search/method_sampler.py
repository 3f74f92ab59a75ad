"""TPE over the settings of one method, or over several methods and the settings of each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.choice import METHOD, Space, alternatives, method_in
from search.samplers import DistinctSampler, Listed, key, seen_points, tpe
from search.spaces import extremes, ranges

ROUNDS = 2
"""How often each of several methods is drawn at least before TPE chooses among them."""


def sampler_for(space: Space, *, startup: int, seed: int) -> BaseSampler:
    """Return TPE for a space of one method or of several.

    Args:
        space: What is drawn.
        startup: Number of points that are drawn at random before it models.
        seed: Of all random numbers; a study that goes on takes another one.
    """
    if METHOD in space:
        return MethodsSampler(space, startup, seed)
    inner = tpe(startup, seed)
    # Of a range no point comes twice.
    return inner if ranges(space) else DistinctSampler(inner, space, seed)


class MethodsSampler(BaseSampler):
    """Points of several methods: which one, then the settings of that one alone.

    The first trials go round the methods. Then TPE chooses the method by the results of all
    trials, and its settings by those of the trials that have them (the groups of Optuna's
    ``group=True``: the choice is one, the settings of each method are another). A method of lists
    whose points have all been asked for is no choice any more, and none of its points comes twice.

    Args:
        space: Of several methods.
        startup: Number of trials that are drawn at random; twice the number of methods at least.
        seed: Of all random numbers.
    """

    def __init__(self, space: Space, startup: int, seed: int) -> None:
        """Know no trial yet."""
        self.space, self.seed = space, seed
        self.alternatives = alternatives(space)
        self.startup = max(startup, ROUNDS * len(self.alternatives))
        self.tpe = tpe(self.startup, seed, group=True)
        self._listed = {
            name: Listed(own) for name, own in self.alternatives.items() if not ranges(own)
        }
        # What has one value alone, the method in its own space among it.
        self._only = {
            name: {path: extremes(values)[0] for path, values in own.items() if values.single()}
            for name, own in self.alternatives.items()
        }

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space: of it a trial draws the part of one method."""
        return dict(self.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a method and what is modelled of its settings; the rest is drawn apart.

        A trial whose driver ended while it was drawn keeps what it has.
        """
        known = self.tpe.infer_relative_search_space(study, trial)
        name = str(trial.params.get(METHOD) or self._method(study, trial, known))
        own = {path: known[path] for path in self.alternatives[name] if path in known}
        own.pop(METHOD, None)
        # Asked for apart: TPE notes what it proposes, and takes it for what is being trained.
        proposal = self.tpe.sample_relative(study, trial, own) | self._only[name] | trial.params
        listed = self._listed.get(name)
        if listed is None:
            return proposal
        seen = seen_points(study, but=trial.number)
        is_point = set(proposal) == set(self.alternatives[name])
        if is_point and key(proposal) not in seen:
            return proposal
        seed = f"{self.seed}-{trial.number}"
        return listed.new(proposal if is_point else None, seen, seed, trial.params)

    def _method(self, study: Study, trial: FrozenTrial, known: Space) -> str:
        """Choose the method of a new trial: in turns at first, and where TPE has none to offer."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        drawn = [t for t in others if METHOD in t.params and t.state != TrialState.FAIL]
        seen = {key(t.params) for t in others if t.params}
        is_open = {
            name: name not in self._listed or self._listed[name].has_new(seen)
            for name in self.alternatives
        }
        left = [name for name in self.alternatives if is_open[name]] or list(self.alternatives)
        counts = Counter(method_in(t.params) for t in drawn)
        finished = sum(t.state.is_finished() for t in drawn)
        if finished < self.startup or METHOD not in known:
            return min(left, key=lambda name: counts[name])  # the first of equals
        if len(left) < len(self.alternatives):
            return self._among(left, study, drawn)
        choice = self.tpe.sample_relative(study, trial, {METHOD: known[METHOD]})
        return str(choice[METHOD])

    def _among(self, left: Sequence[str], study: Study, drawn: Sequence[FrozenTrial]) -> str:
        """Let TPE choose among some of the methods, by the trials of these alone."""
        choice = CategoricalDistribution(left)
        sampler = tpe(0, random.Random(f"{self.seed}-{len(drawn)}").getrandbits(31))
        within = optuna.create_study(direction=study.direction, sampler=sampler)
        for trial in drawn:
            if method_in(trial.params) in left:
                has_value = trial.state == TrialState.COMPLETE
                within.add_trial(
                    optuna.trial.create_trial(
                        # What is being trained is taken for worse, as everywhere.
                        state=TrialState.COMPLETE if has_value else TrialState.PRUNED,
                        value=trial.value if has_value else None,
                        params={METHOD: method_in(trial.params)},
                        distributions={METHOD: choice},
                    )
                )
        return str(within.ask({METHOD: choice}).params[METHOD])

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample one value apart: at random at first, and of settings that no result has."""
        return self.tpe.sample_independent(study, trial, param_name, param_distribution)
