"""A long study costs no more a trial than a short one, on disk."""

import pytest
from optuna.distributions import CategoricalDistribution

from search.study import SearchStudy

SIDE = 24


def _cost(folder, trials):
    """Return the bytes of a study of so many trials, all told."""
    values = tuple(round(i / SIDE, 3) for i in range(SIDE))
    space = {
        "student.prototype_temperature": CategoricalDistribution(values),
        "student.fusion_weight": CategoricalDistribution(values),
    }
    path = folder / f"{trials}.journal"
    with SearchStudy(path, "x", space, grid=True) as study:
        for trial in study.ask(trials):
            study.annotate(trial.number, {"signature": ["0" * 12]})
            study.tell(trial.number, 0.5)
        assert study.num_settled == trials
    return path.stat().st_size


def test_the_journal_grows_in_step_with_the_trials(tmp_path):
    short, long = _cost(tmp_path, 50), _cost(tmp_path, 100)
    assert long == pytest.approx(2 * short, rel=0.05)
