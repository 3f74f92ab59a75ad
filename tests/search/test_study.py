import itertools
import json
import os
import subprocess
import sys
import textwrap

import optuna
import pytest
from optuna.trial import TrialState

from prokd.errors import UserError
from prokd.methods import build_config
from search.space_files import PAPER, load_space
from search.spaces import points, without
from search.study import SearchStudy, key

SPACE = load_space(PAPER, build_config())
STUDENT_SPACE = without(SPACE, [path for path in SPACE if not path.startswith("student.")])


def _open(tmp_path, space=STUDENT_SPACE, **arguments):
    arguments = {"grid": False, "startup": 3} | arguments
    return SearchStudy(tmp_path / "studies" / "s.journal", "s", space, **arguments)


def test_grid_visits_every_point_once_and_ends(tmp_path):
    with _open(tmp_path, grid=True) as study:
        while asked := study.ask(4):
            for trial in asked:
                study.tell(trial.number, 0.5)
        assert {key(t.params) for t in study.trials()} == {key(p) for p in points(STUDENT_SPACE)}
        assert len(study.trials(TrialState.COMPLETE)) == 15
        assert study.num_settled == 15
        assert study.ask(1) == []


def test_grid_asked_at_once(tmp_path):
    with _open(tmp_path, SPACE, grid=True) as study:
        assert len({key(t.params) for t in study.ask(1000)}) == 300


def test_tpe_never_repeats_a_point_across_starts(tmp_path):
    seen = []
    for _ in range(4):
        with _open(tmp_path) as study:
            for trial in study.ask(3):
                study.tell(trial.number, trial.params["student.fusion_weight"])
                seen.append(key(trial.params))
    assert len(set(seen)) == len(seen) == 12
    with _open(tmp_path) as study:
        assert len(study.ask(10)) == 3


def test_tpe_uses_what_it_was_told(tmp_path):
    def value(params):
        return -sum(abs(v - 0.7) for name, v in params.items() if name != "prototypes.update_rate")

    with _open(tmp_path, SPACE, startup=10) as study:
        for _ in range(20):
            for trial in study.ask(2):
                study.tell(trial.number, value(trial.params))
        told = [t.value for t in study.trials()]
    assert sum(told[-10:]) > sum(told[:10])


def test_a_trial_costs_as_much_of_the_journal_late_as_early(tmp_path):
    sizes = []
    with _open(tmp_path, SPACE, startup=10) as study:
        for _ in range(6):
            for _ in range(25):
                (trial,) = study.ask(1)
                study.tell(trial.number, trial.params["student.fusion_weight"])
            sizes.append(study.path.stat().st_size)
    growth = [late - early for early, late in itertools.pairwise(sizes)]
    assert growth[-1] < 1.1 * growth[0]


def test_tpe_keeps_away_from_what_collapsed(tmp_path):
    name, bad = "prototypes.update_rate", 0.005
    with _open(tmp_path, SPACE, startup=20) as study:
        for number in range(40):
            (trial,) = study.ask(1)
            if trial.params[name] == bad:
                study.fail(number, "collapsed", retry=False)
            else:
                study.tell(number, 0.5)
        collapsed = study.trials(TrialState.PRUNED)
        modelled = [t.params[name] for t in study.trials()[20:]]
        assert len(study.reasons()) == len(collapsed) > 2
        assert study.num_settled == 40
        assert study.best().number not in study.reasons()
    assert modelled.count(bad) < len(modelled) / 8  # by chance a quarter


@pytest.mark.parametrize("grid", [True, False])
def test_running_trials_of_a_dead_driver_go_on(tmp_path, grid):
    with _open(tmp_path, grid=grid) as study:
        first, second = study.ask(2)
        study.tell(first.number, 0.1)
    with _open(tmp_path, grid=grid) as study:
        assert [t.number for t in study.reconcile()] == [second.number]
        study.tell(second.number, 0.2)
        assert study.num_settled == 2
        assert study.best().number == second.number


@pytest.mark.parametrize("grid", [True, False])
def test_failures_collapsed_stay_and_others_come_again(tmp_path, grid):
    with _open(tmp_path, grid=grid) as study:
        collapsed, lost = study.ask(2)
        study.fail(collapsed.number, "collapsed", retry=False)
        study.fail(lost.number, "worker lost", retry=True)
        assert study.num_settled == 1
    for _ in range(2):  # putting in order twice enqueues once
        with _open(tmp_path, grid=grid) as study:
            assert study.reconcile() == []
            assert len(study.trials(TrialState.WAITING)) == 1
    with _open(tmp_path, grid=grid) as study:
        (again,) = study.ask(1)
        assert again.params == lost.params
        study.tell(again.number, 0.3)
        while asked := study.ask(4):
            for trial in asked:
                study.tell(trial.number, 0.1)
        complete = [key(t.params) for t in study.trials(TrialState.COMPLETE)]
        assert len(complete) == len(set(complete)) == 14
        assert study.trials()[collapsed.number].user_attrs["reason"] == "collapsed"


@pytest.mark.parametrize("grid", [True, False])
def test_trial_killed_while_its_point_was_drawn_goes_on(tmp_path, grid):
    with _open(tmp_path, grid=grid) as study:
        study.study.ask({})
    with _open(tmp_path, grid=grid) as study:
        (trial,) = study.reconcile()
        assert set(trial.params) == set(STUDENT_SPACE)
        numbers = [t.number for t in [trial, *study.ask(100)]]
        assert len(numbers) == 15
        for number in numbers:
            study.tell(number, 0.0)
        assert study.num_settled == 15


@pytest.mark.parametrize("end", [b'{"op_code": 4, "wor', b"\0" * 50, b"\0\0\n\0\0\n", b"}\n"])
def test_a_damaged_end_is_left_out_without_writing_to_the_journal(end, tmp_path):
    with _open(tmp_path) as study:
        study.ask(1)
        path = study.path
    whole, inode = path.read_bytes(), path.stat().st_ino
    with path.open("ab") as file:
        file.write(end)
    with _open(tmp_path) as study:
        assert path.read_bytes().startswith(whole)
        assert all(json.loads(line) for line in path.read_bytes()[len(whole) :].splitlines())
        assert path.stat().st_ino != inode  # a mended copy, put in place when it was whole
        assert path.with_name("s.journal.damaged").read_bytes() == end
        assert len(study.ask(1)) == 1
    with _open(tmp_path) as study:
        assert len(study.trials()) == 2


def test_damage_in_the_middle_of_a_journal_is_told(tmp_path):
    with _open(tmp_path) as study:
        study.ask(1)
        path = study.path
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * 30 + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(UserError, match=r"s\.journal:2: each line of a study's journal must be"):
        _open(tmp_path)
    assert path.read_bytes() == b"".join(lines)


def test_one_driver_at_a_time(tmp_path):
    script = f"""
        from pathlib import Path
        from search.study import SearchStudy
        from tests.search.test_study import STUDENT_SPACE
        SearchStudy(Path({str(tmp_path)!r}) / "studies/s.journal", "s", STUDENT_SPACE, grid=True)
    """
    with _open(tmp_path):
        other = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
    assert other.returncode == 1
    assert "UserError: the study s must have one driver" in other.stderr
    with _open(tmp_path), pytest.raises(UserError, match="one driver"):
        _open(tmp_path)


def test_attributes_and_plain_optuna_reads_the_journal(tmp_path):
    with _open(tmp_path) as study:
        (trial,) = study.ask(1)
        study.annotate(trial.number, {"signature": ["abc"]})
        study.tell(trial.number, 0.25)
        path = study.path
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    loaded = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    assert loaded.best_trial.user_attrs == {"signature": ["abc"]}
    assert loaded.best_value == 0.25
