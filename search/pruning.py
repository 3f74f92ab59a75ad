"""Pruning: results that fall behind by the search's own criterion are not trained to their end.

The criterion is entity F1 on source dev, known after every epoch; no target label has a part in
it. A trial is judged when all of its seeds have finished an epoch, by the mean over them, against
the finished trials of the same method at the same epoch (`optuna.pruners.MedianPruner`): curves of
two methods say nothing of each other. Which trials are finished by
then depends on how many run at once, so what is pruned may differ from machine to machine. A
pruned run's folder stays as it is: a search without pruning trains it on.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import optuna
from optuna.pruners import BasePruner, MedianPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.choice import method_in
from search.experiments import Experiment
from search.study import SearchStudy

STARTUP = 4
"""Trials of a method that must be finished before any of it is pruned."""


def warmup(epochs: int) -> int:
    """Return the first epoch after which a trial is judged.

    >>> warmup(3), warmup(10)
    (1, 3)
    """
    return max(1, epochs // 3)


class MethodPruner(BasePruner):
    """Compares a trial with those of its own method, by the median.

    Args:
        epochs: Of a whole result, by the name that `search.choice.method_in` returns.
    """

    def __init__(self, epochs: Mapping[str, int]) -> None:
        """Take a pruner for each method."""
        self.pruners = {
            name: MedianPruner(STARTUP, n_warmup_steps=warmup(number))
            for name, number in epochs.items()
        }

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Tell whether a trial falls behind."""
        own = method_in(trial.params)
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        alike = [other for other in finished if method_in(other.params) == own]
        within = optuna.create_study(direction=study.direction)
        within.add_trials(alike)
        return self.pruners[own].prune(within, trial)


class Pruning:
    """Judges the results of some trials after each epoch; see `search.outcomes.Judge`.

    Args:
        study: Is told every value, and knows those of before.
    """

    def __init__(self, study: SearchStudy) -> None:
        """Know no trial yet."""
        self.study = study
        self.trials: dict[int, Sequence[Experiment]] = {}
        self._reasons: dict[int, str] = {}
        self._owner: dict[str, int | None] = {}

    def add(self, number: int, experiments: Sequence[Experiment]) -> None:
        """Take a trial, one experiment a seed."""
        self.trials[number] = experiments
        for experiment in experiments:
            name = experiment.key(experiment.result_stage)
            # A run that several trials share is trained for all of them.
            self._owner[name] = None if name in self._owner else number

    def __call__(self, signature: str, epoch: int, value: float) -> str | None:
        """Return why a run is pruned after this epoch; None if it goes on."""
        number = self._owner.get(signature)
        if number is None or number in self._reasons:
            return None if number is None else self._reasons[number]
        values = [value]
        for experiment in self.trials[number]:
            if experiment.key(experiment.result_stage) != signature:
                history = experiment.result.history()
                if len(history) < epoch:
                    return None
                values.append(
                    history[epoch - 1][
                        f"dev/{experiment.view(experiment.result_stage).source}/entity_f1"
                    ]
                )
        mean = statistics.fmean(values)
        if not self.study.falls_behind(number, epoch, mean):
            return None
        self._reasons[number] = (
            f"pruned after epoch {epoch}: source-dev F1 {mean:.4f} is below the median of the "
            f"finished trials of its method"
        )
        return self._reasons[number]
