"""Spaces by name and from files: what they hold, mistakes in them, how they are searched."""

from io import StringIO

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from rich.console import Console
from typer.testing import CliRunner

from prokd.errors import UserError
from prokd.methods import build_config
from prokd.methods.prokd.readings import READINGS
from search.execution import Outcome
from search.experiments import Experiment
from search.leaderboard import leaderboard, table
from search.results import Row
from search.run import app, how_many, searched
from search.space_files import load_space, named_spaces
from search.spaces import size
from search.study import SearchStudy
from tests.search.conftest import TIMED_ELSEWHERE

runner = CliRunner()
SPACE = load_space("paper", build_config())
TEXT = """
teacher.alignment.weight: {low: 1e-1, high: 10, log: true}
student.epochs: {low: 2, high: 5}
student.fusion_weight: [0.7, 8e-1]
teacher.learning_rate: {times: [0.5, 2], log: true}
student.class_prior: [true, false]
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("preset", ["paper", "fast", "mini"])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", named_spaces(build_config()))
def test_a_named_space_fits_every_preset_and_reading(name, preset, reading):
    base = build_config(preset, reading)
    space = searched(name, [base], {base.method: []})
    assert space
    if name == "paper":
        assert space == SPACE


def test_lists_ranges_and_multiples(write):
    base = build_config("mini")
    assert load_space(write(TEXT), base) == {
        "teacher.alignment.weight": FloatDistribution(0.1, 10, log=True),
        "student.epochs": IntDistribution(2, 5),
        "student.fusion_weight": CategoricalDistribution([0.7, 0.8]),
        "teacher.learning_rate": FloatDistribution(5e-4, 2e-3, log=True),
        "student.class_prior": CategoricalDistribution([True, False]),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("student.beta: [1]", r"must name settings of prokd, but got 'student\.beta'"),
        ("student.epochs: [1, 1]", "a list of different values"),
        ("student.epochs: []", "a list of different values"),
        ("student.epochs: 3", "must have a list of values, {low"),
        ("student.epochs: {low: 1.5, high: 3}", "must have whole ends, but got 1.5 and 3"),
        ("student.epochs: {low: 3, high: 3}", r"`low < high` must hold, but got \(low=3, high=3"),
        ("student.confidence: {low: 0, high: 1, log: true}", "`0 < low < high` must hold"),
        ("student.confidence: {low: 0}", "a range must have low and high, or times"),
        ("student.confidence: {low: 0, high: .5, step: 1}", "step"),
        ("student.distance: {low: 0, high: 1}", "must have a list of values, but got a range"),
        ("student.fusion_weight: [0.5, 1.5]", r"mine\.yaml: student\.fusion_weight: .* got 1\.5"),
        ("student.fusion_weight: {low: 0.5, high: 1.5}", r"student\.fusion_weight: .* got 1\.5"),
        ("seed: [1, 2]", "seed must be given by --seeds"),
        ("target: [nl, de]", "target must be given by --lang"),
        ("teacher.epochs: [1, 3]", "the alignment would never begin"),
        ("student.first_epoch: [0, 1]\nstudent.schedule: [constant]", "first_epoch must have"),
        ("student.epochs: [1, 2]\nstudent.epochs: [3]", r"mine\.yaml:2 must be YAML, but the key"),
        ("{}", "must vary a setting"),
        ("[1]", "must hold a mapping"),
        ("1: [2]", r"must hold a mapping .*, but got the name 1\."),
    ],
)  # fmt: skip
def test_mistakes(text, message, write):
    with pytest.raises(UserError, match=message):
        searched(write(text), [build_config("mini")], {"prokd": []})


def test_no_such_space():
    with pytest.raises(UserError, match="a space must be one of default, paper or the path"):
        load_space("other", build_config("mini"))


def test_how_many_points(write):
    arguments = {"name": "paper", "preset": "paper", "trials": None, "grid": False}
    assert how_many(SPACE, **arguments) == (True, 300)
    assert how_many(SPACE, **arguments | {"preset": "mini"}) == (False, 4)
    assert how_many(SPACE, **arguments | {"trials": 7}) == (False, 7)
    space = load_space(write(TEXT), build_config("mini"))
    assert how_many(space, **arguments | {"name": "mine"}) == (False, 60)
    with pytest.raises(UserError, match=r"mine has a range for teacher\.alignment\.weight, "):
        how_many(space, **arguments | {"name": "mine", "grid": True})
    with pytest.raises(UserError, match="at most the 300 points of the space paper, but got 5000"):
        how_many(SPACE, **arguments | {"trials": 5000})


def test_a_range_is_searched_by_tpe_and_goes_on(write, tmp_path):
    space = load_space(write(TEXT), build_config("mini"))
    assert size(space) is None
    seen = []
    for _ in range(2):
        with SearchStudy(tmp_path / "s.journal", "s", space, grid=False, startup=3) as study:
            for trial in study.ask(4):
                assert set(trial.params) == set(space)
                assert 2 <= trial.params["student.epochs"] <= 5
                assert 0.1 <= trial.params["teacher.alignment.weight"] <= 10
                study.tell(trial.number, trial.params["student.fusion_weight"])
                seen.append(trial.params["teacher.alignment.weight"])
    assert len(set(seen)) == 8
    with SearchStudy(tmp_path / "s.journal", "s", space, grid=False, startup=3) as study:
        (asked,) = study.ask(1)
    with SearchStudy(tmp_path / "s.journal", "s", space, grid=False, startup=3) as study:
        (going,) = study.reconcile()
        assert going.params == asked.params
        assert len(study.trials(TrialState.COMPLETE)) == 8


def test_the_dry_run_names_what_is_searched(write, corpus, tmp_path):
    words = ["--preset", "mini", "--data-dir", str(corpus), "--output", str(tmp_path / "out")]
    words += ["--space", write(TEXT), "--trials", "6", "--dry-run", *TIMED_ELSEWHERE]
    result = runner.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "teacher.alignment.weight: 0.1 to 10 (log)" in result.output
    assert "student.fusion_weight (β): 0.7, 0.8" in result.output
    assert "students: 6 (0 done, 6 to train)" in result.output


def test_a_setting_without_a_symbol_is_shown_by_its_path(tmp_path):
    config = build_config("mini")
    rows = [Row(Experiment("e", config, {}, tmp_path), Outcome("done"), 0.5)]
    point = {"teacher.learning_rate": 0.000312345678, "student.fusion_weight": 0.7}
    drawn = table(leaderboard([(3, point, 0.5, rows)]), "ar")
    headers = [column.header for column in drawn.columns]
    assert headers[1:3] == ["β", "teacher.learning_rate"]
    assert [next(iter(column.cells)) for column in drawn.columns][1:3] == ["0.7", "0.0003123"]


def test_many_settings_share_one_column_that_is_never_cut(tmp_path):
    config = build_config("mini")
    rows = [Row(Experiment("e", config, {}, tmp_path), Outcome("done"), 0.5)]
    point = {path: 0.123456 for path in list(load_space("default", config))}
    console = Console(width=100, record=True, file=StringIO())
    console.print(table(leaderboard([(3, point, 0.5, rows)]), "ar"))
    text = console.export_text()
    assert "…" not in text
    assert "source-dev F1" in text
    assert "student.head_learning_rate_factor=0.1235" in "".join(text.split())
