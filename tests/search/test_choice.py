"""A study of several methods: which one comes first, what belongs to it, how it goes on."""

import itertools
import shutil
from collections import Counter

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from prokd.methods import build_config
from search.choice import METHOD, alternatives, is_whole, joined, point_of, settings_of
from search.method_sampler import ROUNDS
from search.pruning import STARTUP, MethodPruner
from search.samplers import key
from search.space_files import load_space
from search.spaces import drawn, in_symbols, ordered, points, size
from search.study import SearchStudy

NAMES = ("prokd", "tsl", "msd", "baseline")
DEFAULTS = {name: load_space("default", build_config("mini", method=name)) for name in NAMES}
SPACE = joined(DEFAULTS)
LISTS = joined(
    {
        "tsl": {"student.epochs": CategoricalDistribution((2, 3, 4))},
        "msd": {
            "heads.weights": CategoricalDistribution(("learned", "uniform")),
            "student.epochs": CategoricalDistribution((2, 3)),
            "encoder.dropout": CategoricalDistribution((0.1,)),
        },
        "baseline": {},
    }
)
MIXED = joined(
    {
        "tsl": {"encoder.dropout": FloatDistribution(0.0, 0.5)},
        "msd": {"encoder.dropout": FloatDistribution(0.0, 0.5)},
        "hard_labels": {"student.confidence": CategoricalDistribution((0.0, 0.5))},
        "baseline": {},
    }
)


def _open(folder, space=SPACE, **arguments):
    arguments = {"grid": False, "startup": 3} | arguments
    return SearchStudy(folder / "studies" / "s.journal", "s", space, **arguments)


def _methods(trials):
    return [trial.params[METHOD] for trial in trials]


def _value(params):
    """Return a result by which one method is better, and low dropout."""
    best = {"tsl": 0.6, "prokd": 0.5, "hard_labels": 0.9, "msd": 0.4, "baseline": 0.3}
    dropout = settings_of(params).get("encoder.dropout", 0.0)
    return best[params[METHOD]] - 0.1 * dropout


def test_a_space_of_one_method_is_its_own():
    space = DEFAULTS["tsl"]
    assert joined({"tsl": space}) is space
    assert alternatives(space) == {"": space}
    assert point_of({"encoder.dropout": 0.1}) == {"encoder.dropout": 0.1}


def test_sizes_points_and_stand_ins_of_several():
    assert size(SPACE) is None
    assert size(LISTS) == 3 + 4 + 1
    found = points(LISTS)
    assert len({key(point) for point in found}) == 8
    assert all(is_whole(point, LISTS) for point in found)
    assert {METHOD: "baseline"} in found
    turns = [point[METHOD] for point in drawn(SPACE, 6)]
    assert turns == ["prokd", "tsl", "msd", "baseline", "prokd", "tsl"]
    assert not is_whole({METHOD: "msd", "msd:student.epochs": 2}, LISTS)
    assert not is_whole({}, LISTS)


def test_a_point_is_shown_with_its_method_first():
    params = {
        METHOD: "prokd",
        "prokd:teacher.learning_rate": 0.01,
        "prokd:student.fusion_weight": 1,
    }
    assert in_symbols(point_of(params)) == "method=prokd β=1 teacher.learning_rate=0.01"
    assert ordered(point_of(params))[0] == METHOD


def test_one_method_is_asked_for_the_points_that_it_always_was(tmp_path):
    space = DEFAULTS["tsl"]
    sampler = TPESampler(multivariate=True, n_startup_trials=3, seed=0, constant_liar=True)
    plain = optuna.create_study(direction="maximize", sampler=sampler)
    with _open(tmp_path, space) as study:
        for _ in range(8):
            (trial,) = study.ask(1)
            other = plain.ask(dict(space))
            assert trial.params == other.params
            value = trial.params["teacher.head_learning_rate_factor"]
            study.tell(trial.number, value)
            plain.tell(other, value)


def test_the_first_trials_go_round_and_each_has_its_own_settings_alone(tmp_path):
    with _open(tmp_path) as study:
        trials = [trial for _ in range(10) for trial in study.ask(2)]
        assert _methods(trials)[: ROUNDS * len(NAMES)] == [*NAMES, *NAMES]
        for trial in trials:
            own = trial.params[METHOD]
            assert set(settings_of(trial.params)) == set(DEFAULTS[own])
            assert all(name == METHOD or name.startswith(f"{own}:") for name in trial.params)


def test_tpe_prefers_the_better_method_and_forgets_none(tmp_path):
    with _open(tmp_path) as study:
        for _ in range(60):
            (trial,) = study.ask(1)
            study.tell(trial.number, _value(trial.params))
        counts = Counter(_methods(study.trials()))
    assert counts.most_common(1)[0][0] == "tsl"
    assert counts["tsl"] > 25
    assert min(counts[name] for name in NAMES) >= ROUNDS


def test_what_is_being_trained_is_taken_for_worse_in_its_own_method_alone(tmp_path):
    with _open(tmp_path) as study:
        for _ in range(12):
            (trial,) = study.ask(1)
            study.tell(trial.number, _value(trial.params))
        (going,) = study.ask(1)
        proposed = "".join(
            text for name, text in going.system_attrs.items() if name.startswith("tpe:relative")
        )
        own = going.params[METHOD]
        assert own in proposed
        assert not any(f"{other}:" in proposed for other in set(NAMES) - {own})


def test_a_study_that_goes_on_asks_for_the_same_points_in_every_copy(tmp_path):
    with _open(tmp_path / "a") as study:
        for _ in range(15):
            (trial,) = study.ask(1)
            study.tell(trial.number, _value(trial.params))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    asked = []
    for name in ("a", "b"):
        with _open(tmp_path / name) as study:
            assert study.num_settled == 15
            asked.append([trial.params for trial in study.ask(3)])
    assert asked[0] == asked[1]
    assert not {key(params) for params in asked[0]} & {key(t.params) for t in study.trials()[:15]}


@pytest.mark.parametrize("space", [SPACE, LISTS, MIXED])
@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_trial_killed_while_it_was_drawn_goes_on_with_what_it_has(space, parts, tmp_path):
    with _open(tmp_path, space) as study:
        study.tell(study.ask(1)[0].number, 0.5)
        half = study.study.ask()
        second = list(alternatives(space))[1]
        names = [METHOD, *(name for name in space if name.startswith(f"{second}:"))][:parts]
        for name in names:
            half._suggest(name, space[name])
        kept = half.params
    with _open(tmp_path, space) as study:
        (going,) = study.reconcile()
        assert is_whole(going.params, space)
        assert going.params.items() >= kept.items()
        assert going.params[METHOD] == second
        assert study.reconcile() == [going]


def test_of_lists_every_point_comes_once_and_then_none(tmp_path):
    seen = []
    for _ in range(3):
        with _open(tmp_path, LISTS) as study:
            for trial in study.ask(2):
                study.tell(trial.number, 0.1 * len(seen))
                seen.append(key(trial.params))
    with _open(tmp_path, LISTS) as study:
        seen += [key(trial.params) for trial in study.ask(100)]
        assert study.ask(1) == []
    assert sorted(seen) == sorted(key(point) for point in points(LISTS))


def test_a_method_without_a_new_point_is_no_choice_and_tpe_chooses_among_the_others(tmp_path):
    with _open(tmp_path, MIXED) as study:
        for _ in range(40):
            (trial,) = study.ask(1)
            study.tell(trial.number, _value(trial.params))
        assert study.num_settled == 40
        counts = Counter(_methods(study.trials()))
    assert counts["hard_labels"] == 2  # the best, and exhausted
    assert counts["baseline"] == 1
    assert counts["tsl"] > 2 * counts["msd"]


def test_failures_come_again_with_their_method(tmp_path):
    with _open(tmp_path) as study:
        collapsed, lost, paused = study.ask(3)
        study.fail(collapsed.number, "collapsed", retry=False)
        study.fail(lost.number, "worker lost", retry=True)
    with _open(tmp_path) as study:
        assert [t.number for t in study.reconcile()] == [paused.number]
        (again,) = study.ask(1)
        assert again.params == lost.params
        (other,) = study.ask(1)
        assert other.params[METHOD] == "baseline"  # whose turn it is
        assert study.num_settled == 1


def test_a_trial_is_pruned_by_those_of_its_own_method_alone(tmp_path):
    space = joined(
        {
            "tsl": {"encoder.dropout": FloatDistribution(0.0, 0.5)},
            "msd": {"student.epochs": IntDistribution(2, 9)},
        }
    )
    pruner = MethodPruner({"tsl": 3, "msd": 9})
    with _open(tmp_path, space, pruner=pruner, startup=100) as study:
        values = {"tsl": 0.8, "msd": 0.2}
        for trial in itertools.chain.from_iterable(study.ask(1) for _ in range(2 * STARTUP)):
            own = trial.params[METHOD]
            for epoch in (1, 2, 3):
                assert not study.falls_behind(trial.number, epoch, values[own])
            study.tell(trial.number, values[own])
        first, second = study.ask(2)
        assert _methods([first, second]) == ["tsl", "msd"]
        assert study.falls_behind(first.number, 1, 0.5)
        assert not study.falls_behind(second.number, 3, 0.3)  # best of msd, below all of tsl
        assert study.falls_behind(second.number, 4, 0.1) is False  # no other got so far
        (third,) = [t for t in study.ask(2) if t.params[METHOD] == "msd"]
        assert not study.falls_behind(third.number, 2, 0.1)  # msd is judged from epoch 3 on
        assert study.falls_behind(third.number, 3, 0.1)
        assert len(study.trials(TrialState.RUNNING)) == 4
