"""The command, from its options to the report; what is there already is not trained again."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from ablations.run import app
from prokd.errors import UserError
from search.records.datasets import REPORT, SELECTION, UNLABELLED
from tests import preloaded
from tests.search.conftest import TIMED_ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
SPEC = """
name: tiny
title: A tiny ablation
claim: It runs.
preset: mini
base:
  encoder.frozen_layers: 2
  data.source_train_limit: 48
  data.target_train_limit: 48
  data.evaluation_limit: 24
  teacher.epochs: 2
  student.epochs: 1
  student.collapse_agreement: 0
  teacher.collapse_fall: 0
baseline: TSL
seeds: [0]
variants:
  full: {}
  TSL: {without: [CA, ST]}
"""


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return ["--spec", str(path), "--lang", "ar", "--output", "out"]


def _invoke(arguments):
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_dry_run_counts_and_starts_nothing(arguments, tmp_path):
    text = _invoke([*arguments, "--dry-run", "--lang", "es", "--seeds", "2", *TIMED_ELSEWHERE])
    assert "tiny-phrasebook-en-ar-es: 2 variants x 2 language(s) x 2 seed(s) = 8 runs" in text
    assert "teachers: 6 (0 done, 6 to train)" in text
    assert "students: 8 (0 done, 8 to train)" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--spec", "none"],
            "a spec must be one of advpicker, colada, components, concner, ",
        ),
        (["--set", "student.epoch=1"], r"'student\.epoch' does not exist"),
        (["--set", "seed=1"], "must be given by --seeds"),
        (["--preset", "big"], "preset must be one of"),
        (["--reading", "mine"], "reading must be one of"),
        (["--lang", "en"], "source and target must differ"),
        (["--seeds", "0"], "seeds must be a number >= 1"),
        (["--time-budget", "soon"], "time budget must look like"),
        (["--from-best"], "--from-best needs a leaderboard"),
    ],
)
def test_mistakes(arguments, more, message):
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)


def test_as_a_script_a_mistake_is_one_sentence_and_status_2(tmp_path):
    command = [str(ROOT / "ablations" / "run.py"), "--spec", "none"]
    result = preloaded.run(command, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: a spec must be one of")
    assert result.stderr.count("\n") == 1


@pytest.mark.ray
def test_from_nothing_to_the_report_and_again(
    arguments, free_ray, new_store, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    new_store(tmp_path / "out")
    first = _invoke([*arguments, "--report"])
    changed = ["--set", "student.fusion_weight=0.9", "--dry-run", *TIMED_ELSEWHERE]
    second = _invoke([*arguments, *changed])
    third = _invoke(arguments)
    fourth = _invoke([*arguments, "--gpus-per-trial", "0"])  # whatever Ray this process has
    assert "all is trained: no Ray is started" in fourth
    assert fourth.partition("teachers: ")[2] == third.partition("teachers: ")[2]
    assert "teachers: 2 trained, 0 reused" in first
    assert "students: 2 trained, 0 reused" in first
    assert "students: 2 (1 done, 1 to train)" in second  # TSL has no pseudo-labels to fuse
    assert "students: 0 trained, 2 reused" in third
    table = first[first.index("target test, entity-level") : first.index("report: ")]
    assert table in third
    for end in (".md", ".csv", ".tex", ".html"):
        assert f"report: {tmp_path / 'out' / 'reports' / 'tiny-phrasebook-en-ar'}{end}\n" in first
    number = MlflowClient(f"sqlite:///{tmp_path / 'out' / 'mlflow.db'}").get_experiment_by_name(
        "prokd/phrasebook/en-ar"
    )
    address = f"http://127.0.0.1:5000/#/experiments/{number.experiment_id}/runs?workflowType="
    assert f"runs of prokd/phrasebook/en-ar: {address}machine_learning&viewStateShareKey=" in third
    assert "results: 2 done" in third
    report = (tmp_path / "out" / "reports" / "tiny-phrasebook-en-ar.md").read_text()
    assert "# A tiny ablation" in report
    assert "| TSL | ar | 1 |" in report
    assert "preset mini, reading stable" in report
    costs = report.partition("## What the runs took")[2].partition("## ")[0]
    rows = [
        line.split(" | ") for line in costs.splitlines() if line.startswith(("| full", "| TSL"))
    ]
    assert [int(row[1]) for row in rows] == [3, 3]  # of a teacher and a student
    assert all(int(row[2]) >= 0 and int(row[3].strip(" |")) > 50 for row in rows)
    _check_mlflow(tmp_path / "out")


def _check_mlflow(output):
    client = MlflowClient(f"sqlite:///{output / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("prokd/phrasebook/en-ar")
    runs = client.search_runs([experiment.experiment_id])
    (whole,) = (run for run in runs if run.data.tags.get("kind") == "ablation")
    logged = {file.path for file in client.list_artifacts(whole.info.run_id)}
    tables = {f"tables{end}" for end in (".md", ".csv", "-means.csv", ".tex")}
    assert tables | {"report.html", "figures"} <= logged
    students = [run for run in runs if run.data.tags.get("kind") == "student"]
    assert {run.data.tags["variant"] for run in students} == {"full", "TSL"}
    assert {run.data.tags["seed"] for run in students} == {"0"}
    assert {run.info.run_name for run in students} == {
        "student, seed 0; full",
        "student, seed 0; TSL",
    }
    assert {run.data.tags["used_by"] for run in students} == {"full", "TSL"}
    for run in students:
        contexts = {item.tags[0].value for item in run.inputs.dataset_inputs}
        assert contexts == {UNLABELLED, SELECTION, REPORT}
    variants = [run for run in runs if run.data.tags.get("kind") == "variant"]
    assert len(variants) == 2
    assert {run.data.tags["mean_of"] for run in variants} == {"full", "TSL"}
    # Grouped by the tag, a mean is not averaged with its parts, nor a teacher with students.
    assert {run.data.tags["kind"] for run in runs if "variant" in run.data.tags} == {"student"}
    for run in variants:
        assert run.data.metrics["mean/test/ar/entity_f1"] >= 0
        assert not run.data.metrics.keys() & students[0].data.metrics.keys()
    parents = {run.data.tags["mlflow.parentRunId"] for run in students}
    assert parents == {run.info.run_id for run in variants}
    _check_views(client, experiment, {"variants of": variants, "seeds of": students})
    (whole,) = (run for run in runs if run.data.tags.get("kind") == "ablation")
    note = whole.data.tags["mlflow.note.content"]
    assert "| variant | F1 on ar test | difference | source-dev F1 | seconds |" in note
    for run in variants:
        label, score = run.data.tags["mean_of"], run.data.metrics["mean/test/ar/entity_f1"]
        assert f"\n| {label} | {score:.4f} |" in note
        own = run.data.tags["mlflow.note.content"]
        assert f"F1 on ar test {score:.4f}" in own
        assert ("It differs from full in:" in own) == (label != "full")
    assert str(output / "reports" / "tiny-phrasebook-en-ar.md") in note


def _check_views(client, experiment, wanted):
    """Each view lists its runs, which have all of its columns."""
    found = [text for tag, text in experiment.tags.items() if tag.startswith("mlflow.sharedView")]
    assert len(found) == len(wanted)  # the command ran several times
    for view in map(json.loads, found):
        state = json.loads(view["state"])
        runs = client.search_runs([experiment.experiment_id], state["searchFilter"])
        (expected,) = (runs for start, runs in wanted.items() if view["name"].startswith(start))
        assert {run.info.run_id for run in runs} == {run.info.run_id for run in expected}
        names = {name for run in runs for name in (*run.data.metrics, *run.data.tags)}
        columns = {column.partition("`")[2].rstrip("`") for column in state["selectedColumns"]}
        assert columns - names <= {"std/test/ar/entity_f1"}  # of one seed there is none
