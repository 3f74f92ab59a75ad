"""A method from a package of somebody else's: no line of ours knows it."""

import csv
import re
import sys

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from prokd.errors import UserError
from prokd.methods import build_config, method_named, methods, read_config
from prokd.methods.check import check_method
from prokd.methods.found import found_methods
from prokd.runs.folder import RunFolder
from prokd.training.run import data_fingerprints
from search.run import app as search
from tests import tiny
from tests.methods import outside
from tests.methods.training import trained
from tests.search.conftest import TIMED_ELSEWHERE, write_corpus

SPEC = """
name: sure
title: Only what the teacher is sure of
claim: It helps to leave out what the teacher is not sure of.
method: hard_labels
seeds: [0]
variants:
  full: {}
  w/o SURE: {without: [SURE]}
  baseline: {method: baseline}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    return outside.install(folder, "hard_labels", outside.printed_example(), "HARD_LABELS")


@pytest.fixture
def known(package, monkeypatch):
    monkeypatch.syspath_prepend(str(package))
    found_methods.cache_clear()
    yield
    found_methods.cache_clear()
    sys.modules.pop("hard_labels", None)


def test_the_printed_example_is_short():
    assert len(outside.printed_example().splitlines()) < 80


def test_it_is_found_by_its_entry_point(known):
    assert list(methods()) == [
        "prokd",
        "tsl",
        "msd",
        "unitrans",
        "concner",
        "advpicker",
        "colada",
        "composed",
        "baseline",
        "hard_labels",
    ]
    config = build_config("mini", method="hard_labels", overrides={"student.confidence": 0.7})
    assert config.student.confidence == 0.7
    assert config.student.epochs == 3
    assert read_config(config.model_dump(mode="json")) == config
    with pytest.raises(UserError, match="did you mean hard_labels"):
        method_named("hard_label")


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Install the printed example with a mistake in it; return what is said of it."""

    def install(changes, value="HARD_LABELS"):
        code = outside.printed_example().replace('"hard_labels:build', '"broken:build')
        for before, after in changes.items():
            assert before in code
            code = code.replace(before, after)
        monkeypatch.syspath_prepend(str(outside.install(tmp_path, "broken", code, value)))
        found_methods.cache_clear()
        return found_methods().refused

    yield install
    found_methods.cache_clear()
    sys.modules.pop("broken", None)


OK = "HARD_LABELS"
MISTAKES = {
    "nothing": ("", "", "NOTHING", "cannot be loaded: AttributeError: module 'broken' has no"),
    "no method": ("", "", "StudentConfig", "must be a prokd.method.Method, but is <class"),
    "no module": (
        "import Field",
        "import Fild",
        OK,
        r"ImportError: .*broken\.py:\d+\)",
    ),
    "taken": ('name="hard_labels"', 'name="tsl"', OK, "the name tsl is taken by prokd"),
    "cycle": ("(TEACHER, STUDENT)", "(STUDENT, TEACHER)", OK, "before it, but got 'te"),
    "parent": (
        'needs=("teacher",)',
        'needs=("teachr",)',
        OK,
        "its graph: the stage student must need stages before it, but got 'teachr'; did you mean",
    ),
    "twice": ("(TEACHER, STUDENT)", "(TEACHER, TEACHER)", OK, "teacher is there twice"),
    "none": ("Graph((TEACHER, STUDENT))", "Graph(())", OK, "must have a stage"),
    "no graph": (
        "Graph((TEACHER, STUDENT))",
        "[TEACHER]",
        OK,
        "must be a prokd.method",
    ),
    "graph": ("Graph((TEACHER", "Graph((config.x, TEACHER", OK, r"broken\.py:\d+"),
    "literal": ('Literal["hard_labels"] =', 'Literal["other"] =', OK, "its settings: "),
    "default": ("= StudentConfig()", "", OK, "its settings: student"),
    "section": ('"student",\n', '"pupil",\n', OK, "must have a section pupil"),
    "reads": ("SOURCE_DEV, TARGET_TRAIN,", "'target_trian',", OK, "mean target_train"),
    "effective": ("return shared", "return {1} or shared", OK, "must be a dictionary"),
    "raises": ("return shared", "return 1 / 0 or shared", OK, "ZeroDivisionError: "),
    "transfer": ('transfer="teacher"', 'transfer="teachr"', OK, "did you mean teacher"),
    "space": (
        '"student.epochs": [',
        '"student.epoch": [',
        OK,
        "its space default must",
    ),
    "spaces": ('{"default": {', '{"small": {', OK, "must have one called default"),
    "component": ('{"student.confidence": 0', '{"x": 0', OK, "its component SURE must"),
    "preset": (
        'stage_presets("teacher", "student")',
        '{"min": {}}',
        OK,
        "its presets must be of paper, fast, mini, but got 'min'; did you mean mini",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_method_that_is_not_whole_is_told_where_somebody_wants_it(name, broken):
    before, after, value, sentence = MISTAKES[name]
    ((asked, _),) = broken({before: after} if before else {}, value).items()
    if name == "taken":
        assert method_named(asked).title == "TSL"  # it is ours
        assert re.search(sentence, found_methods().refused[asked])
        return
    with pytest.raises(UserError, match=sentence) as error:
        method_named(asked)
    assert f"broken = broken:{value} of the group prokd.methods, by broken 1.0" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="Not among them: the entry point broken"):
        method_named("something else")
    assert method_named("tsl") is methods()["tsl"]  # in nobody else's way


def test_all_methods_are_searched_without_one_that_is_not_whole(broken, tmp_path):
    broken({"needs=": "need="})
    arguments = ["--method", "all", "--preset", "mini", "--lang", "nl", "--dry-run"]
    result = CliRunner().invoke(search, [*arguments, "--output", str(tmp_path), *TIMED_ELSEWHERE])
    assert result.exit_code == 0, result.output
    (told,) = [line for line in result.stdout.splitlines() if "broken" in line]
    assert told.startswith("left out: the entry point broken = broken:HARD_LABELS")
    assert "unexpected keyword argument 'need' (" in told


def test_our_own_methods_are_whole():
    for method in methods().values():
        check_method(method)


AT_WORK = {
    "undeclared corpus": (
        "(SOURCE_DEV, TARGET_TRAIN, ENCODER)",
        "(SOURCE_DEV, ENCODER)",
        "the stage student must say what it reads, but its reads (source_dev, encoder) do not "
        "name target_train.",
    ),
    "undeclared dev": (
        "(SOURCE_DEV, TARGET_TRAIN, ENCODER)",
        "(TARGET_TRAIN, ENCODER)",
        "do not name source_dev.",
    ),
    "undeclared need": (
        'needs=("teacher",)',
        "needs=()",
        "the stage student must need what it builds on, but its needs (none) do not name teacher.",
    ),
    "no stage": (
        "return DistillationStage(",
        "DistillationStage(",
        "must be built by broken:build_student, but that returns None.",
    ),
    "no function": (
        "def build_student",
        "def build_studnet",
        "the build of the stage student must be module:function, but broken:build_student cannot "
        "be imported: module 'broken' has no attribute 'build_student'.",
    ),
    "no criterion": (
        "criteria=CRITERIA",
        'criteria=(*CRITERIA, "luck")',
        "the stage student must give each criterion of its method, but gives ",
    ),
}


@pytest.mark.parametrize("name", AT_WORK)
def test_a_mistake_in_a_stage_is_told_when_it_is_at_work(name, broken, tiny_encoder, kept_runtime):
    before, after, sentence = AT_WORK[name]
    assert not broken({before: after})
    given = tiny.settings(tiny_encoder) | tiny.FEWER
    known = {path: value for path, value in given.items() if "collapse" not in path}
    config = build_config("paper", method="hard_labels", overrides=known)

    def to_the_end():
        data_fingerprints(config, kept_runtime)
        assert name != "no function"  # which is told before anything is trained
        trained(config, kept_runtime)

    with pytest.raises(UserError) as error:
        to_the_end()
    assert sentence in str(error.value)


@pytest.mark.ray
def test_it_is_searched_resumed_pruned_ablated_exported_and_logged(
    package, tmp_path, ray_with, new_store
):
    ray_with(package)
    corpus, out = write_corpus(tmp_path / "corpus"), tmp_path / "out"
    new_store(out)
    cache = tmp_path / "cache"
    places = ("--data-dir", corpus, "--output", out, "--cache-dir", cache)
    search = ("--method", "hard_labels", *places, "--trials", 2, "--prune")
    first = outside.run("search.run", package, *search)
    assert "hard_labels phrasebook en-ar: study hard_labels-phrasebook-en-ar-tpe-" in first
    assert "teachers: 1 trained, 0 reused\nstudents: 2 trained, 0 reused" in first
    (board,) = out.glob("exports/*/leaderboard.csv")
    rows = list(csv.DictReader(board.open(encoding="utf-8")))
    assert {row["student.confidence"] for row in rows} <= {"0.0", "0.5", "0.9"}
    assert len({row["teacher"] for row in rows}) == 1
    assert all(0 <= float(row["transfer_target_test_entity_f1_mean"]) <= 1 for row in rows)
    assert list(out.glob("exports/*/rank1-*/model.safetensors"))
    again = outside.run("search.run", package, *search)
    assert "teachers: 0 trained, 1 reused\nstudents: 0 trained, 2 reused" in again
    spec = tmp_path / "sure.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    outside.run("ablations.run", package, "--spec", spec, *places)
    (report,) = out.glob("reports/*.md")
    assert "w/o SURE" in report.read_text(encoding="utf-8")
    # What the baseline trains is the teacher of the others: one run of the search.
    teachers = [p for p in (out / "runs").glob("teacher-*") if (p / "DONE").exists()]
    assert [path.name.partition("-")[2] for path in teachers] == [rows[0]["teacher"]]
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    names = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(names, "tags.method = 'hard_labels' and tags.stage = 'student'")
    assert {run.info.status for run in runs} == {"FINISHED"}
    folder = RunFolder(out / "runs", "student", rows[0]["results"])
    assert folder.signature in {run.data.tags["signature"] for run in runs}
