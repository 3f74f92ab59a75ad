"""The Optuna study: persistent, asked for points and told their values; never restored by Ray.

A study lives in ``<output>/studies/<name>.journal`` and has one driver at a time. What an earlier
driver left behind is taken up again: a point that was asked for and never told is still running
and goes on; a point that failed for a reason outside of training is put back into the queue. A
point whose training collapsed is settled: Optuna knows its trial as pruned, which TPE takes to be
worse than every complete one, while it would pass over a failed one.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.pruners import BasePruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from prokd.errors import UserError
from search.choice import Space, is_whole
from search.journal import mend
from search.method_sampler import sampler_for
from search.samplers import AskedGridSampler, key
from search.spaces import choices, draw, points, ranges

optuna.logging.set_verbosity(optuna.logging.ERROR)

REASON = "reason"
"""User attribute of a trial without a value: why it has none."""
PRUNED_AFTER = "pruned_after"
"""User attribute of a trial that was pruned: its last epoch. A collapsed one has none."""


class SearchStudy:
    """One study and its driver; a context manager that frees the study at its end.

    Args:
        path: The journal file.
        name: Of the study.
        space: What is varied.
        grid: Whether all points are visited in a fixed order, instead of sampled by TPE.
        startup: Number of points that TPE draws at random before it models.
        pruner: Says which trials fall behind, if there is pruning.
        measure: What its values are, for whoever shows them.

    Raises:
        UserError: Another process drives the study.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        space: Space,
        *,
        grid: bool,
        startup: int = 10,
        pruner: BasePruner | None = None,
        measure: str = "",
    ) -> None:
        """Open or create the study."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.name, self.space, self.grid = path, name, space, grid
        self.pruner = pruner
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise UserError(
                f"the study {name} must have one driver, "
                f"but another process is running it ({path})."
            ) from None
        mend(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._storage = JournalStorage(JournalFileBackend(str(path)))
            self.study = optuna.create_study(
                storage=self._storage, study_name=name, direction="maximize", load_if_exists=True
            )
            if measure and self.study.metric_names is None:
                self.study.set_metric_names([measure])
            if grid:
                self.study.sampler = AskedGridSampler(choices(space), seed=0)
            else:
                # A study that goes on must not draw the same random numbers once more.
                seed = len(self.trials())
                self.study.sampler = sampler_for(space, startup=startup, seed=seed)

    def __enter__(self) -> SearchStudy:
        """Use the study in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the study for another driver."""
        self._lock.release()

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials, in order; of the given states if any are given."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def reconcile(self) -> list[FrozenTrial]:
        """Put the study in order after whatever ended its last driver.

        Returns:
            The trials that were asked for and not told: they go on.
        """
        for trial in self.trials(TrialState.RUNNING):
            if not is_whole(trial.params, self.space):  # killed while the point was drawn
                draw(optuna.trial.Trial(self.study, self._id(trial.number)), self.space)
        known = {key(_params(trial)) for trial in self.trials() if trial.state != TrialState.FAIL}
        for trial in self.trials(TrialState.FAIL):
            if key(trial.params) not in known:
                known.add(key(trial.params))
                self.study.enqueue_trial(dict(trial.params))
        return self.trials(TrialState.RUNNING)

    @property
    def num_settled(self) -> int:
        """Number of points that need no more work: told a value, or collapsed in training."""
        return len({key(trial.params) for trial in self.ended()})

    def ask(self, number: int) -> list[FrozenTrial]:
        """Ask for new points; fewer come if the space has no more."""
        if not ranges(self.space):
            number = min(number, len(self.trials(TrialState.WAITING)) + len(self._missing()))
        asked = []
        for _ in range(number):
            trial = self.study.ask()
            draw(trial, self.space)
            asked.append(self._storage.get_trial(self._id(trial.number)))
        return asked

    def ended(self) -> list[FrozenTrial]:
        """Return the trials that need no more work; see `num_settled`."""
        return self.trials(TrialState.COMPLETE, TrialState.PRUNED)

    def annotate(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Write user attributes of a trial that is still running."""
        trial = self.study.get_trials(deepcopy=False)[number]
        for name, value in attributes.items():
            if trial.user_attrs.get(name) != value:
                self._storage.set_trial_user_attr(self._id(number), name, value)

    def tell(self, number: int, value: float) -> None:
        """Tell the objective of a trial."""
        self.study.tell(number, value)

    def fail(self, number: int, reason: str, *, retry: bool) -> None:
        """Tell that a trial has no value, and why.

        Args:
            number: Of the trial.
            reason: In words.
            retry: Whether the next start shall try the same point again; else the point is
                settled, and TPE learns to keep away from it.
        """
        self.annotate(number, {REASON: reason})
        self.study.tell(number, state=TrialState.FAIL if retry else TrialState.PRUNED)

    def falls_behind(self, number: int, epoch: int, value: float) -> bool:
        """Note the value that a running trial has after an epoch; tell whether it falls behind."""
        assert self.pruner is not None, "only a study with a pruner is asked"
        trial_id = self._id(number)
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)
        return self.pruner.prune(self.study, self._storage.get_trial(trial_id))

    def prune(self, number: int, reason: str) -> None:
        """Tell that a trial was stopped since it fell behind; its values of before are kept."""
        trial = self.study.get_trials(deepcopy=False)[number]
        self.annotate(number, {PRUNED_AFTER: trial.last_step, REASON: reason})
        self.study.tell(number, state=TrialState.PRUNED)

    def pruned(self) -> list[FrozenTrial]:
        """Return the trials that were stopped since they fell behind."""
        stopped = self.trials(TrialState.PRUNED)
        return [trial for trial in stopped if PRUNED_AFTER in trial.user_attrs]

    def reasons(self) -> dict[int, str]:
        """Return why trials have no value, by number; those that were pruned are left out."""
        without = self.trials(TrialState.FAIL, TrialState.PRUNED)
        return {
            trial.number: str(trial.user_attrs[REASON])
            for trial in without
            if PRUNED_AFTER not in trial.user_attrs
        }

    def best(self) -> FrozenTrial | None:
        """Return the trial with the highest objective (the earliest of equals); None if none."""
        complete = self.trials(TrialState.COMPLETE)
        return max(complete, key=lambda t: (t.value or 0.0, -t.number), default=None)

    def _id(self, number: int) -> int:
        """Return by which number the storage knows a trial."""
        study = self._storage.get_study_id_from_name(self.name)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _missing(self) -> list[dict[str, Any]]:
        seen = {key(_params(trial)) for trial in self.trials()}
        return [point for point in points(self.space) if key(point) not in seen]


def dashboard_command(path: Path) -> str | None:
    """Return the command that shows a study, running or not, in a browser; None without Optuna's.

    Args:
        path: The journal file.
    """
    program = Path(sys.executable).with_name("optuna-dashboard")
    return shlex.join([str(program), str(path)]) if program.exists() else None


def read_trials(path: Path, name: str) -> list[FrozenTrial]:
    """Return a study's trials without driving it; none if there is no study."""
    if not path.exists():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.load_study(study_name=name, storage=storage)
    return study.get_trials(deepcopy=False)


def read_points(path: Path, name: str) -> list[dict[str, Any]]:
    """Return the points of a study's trials, see `read_trials`."""
    return [dict(trial.params) for trial in read_trials(path, name) if trial.params]


def _params(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial's point; that of a trial in the queue is not among its params yet."""
    fixed = trial.system_attrs.get("fixed_params")
    return dict(trial.params or fixed or {})
