"""A method from a package of somebody else's: no line of ours knows it."""

import csv
import sys

import pytest
from mlflow.tracking import MlflowClient

from prokd.errors import UserError
from prokd.methods import build_config, method_named, methods, read_config
from prokd.runs.folder import RunFolder
from tests.methods import outside
from tests.search.conftest import write_corpus

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
    methods.cache_clear()
    yield
    methods.cache_clear()
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


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("NOTHING", "cannot be loaded"),
        ("StudentConfig", "must be a prokd.method.Method"),
    ],
)
def test_an_entry_point_that_is_no_method_is_told(value, sentence, tmp_path, monkeypatch):
    code = outside.printed_example().replace("hard_labels:build", "broken:build")
    monkeypatch.syspath_prepend(str(outside.install(tmp_path, "broken", code, value)))
    methods.cache_clear()
    with pytest.raises(UserError, match=sentence):
        methods()
    methods.cache_clear()
    sys.modules.pop("broken", None)


def test_a_name_that_is_taken_is_told(tmp_path, monkeypatch):
    code = outside.printed_example().replace('name="hard_labels"', 'name="tsl"')
    monkeypatch.syspath_prepend(str(outside.install(tmp_path, "second", code, "HARD_LABELS")))
    methods.cache_clear()
    with pytest.raises(UserError, match="the name tsl must be new"):
        methods()
    methods.cache_clear()
    sys.modules.pop("second", None)


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
