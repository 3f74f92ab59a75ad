import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from prokd.common.names import flatten
from prokd.training.run import StageRun
from search.experiments import DataDescriptions, Experiment
from search.plan import describe, duration, need
from search.records.addresses import kept_names
from search.records.datasets import ORACLE, REPORT, SELECTION, TRAINING, UNLABELLED
from search.records.provenance import environment, git_state
from search.records.tracking import Tracker
from search.records.variant_log import VariantLog
from tests.search.conftest import SIZES, mirrored, tiny_config


def _experiment(runtime, *, config=None, **changes):
    config = config or tiny_config()
    data = DataDescriptions(runtime).training(config)
    return Experiment("e", config, data, runtime.runs_dir, **changes)


def _send(experiment, kind, output, **arguments):
    """Send a stage run by a tracker of its own and return its MLflow run."""
    said = []
    tracker = Tracker(output, say=said.append)
    tracker.stage(experiment, kind, **arguments)
    assert not tracker.send_rest()
    assert not said
    return mirrored(tracker, f"stage:{kind}:{experiment.folder(kind).signature}")


def test_an_interrupted_stage_keeps_its_run(runtime, output):
    experiment = _experiment(runtime, tags={"ablation": "table 4"})
    folder = experiment.folder("teacher")
    rows = [{"epoch": float(n), "teacher/loss": 1.0 / n, "seconds": 2.0} for n in (1, 2)]
    folder.path.mkdir(parents=True)
    folder.write_history(rows[:1])
    first = _send(experiment, "teacher", output, ended=True)
    assert first.info.status == "KILLED"
    folder.write_history(rows)
    again = _send(experiment, "teacher", output)
    assert (again.info.run_id, again.info.status) == (first.info.run_id, "RUNNING")
    for name in ("weights.safetensors", "stage.json"):
        (folder.path / name).write_text("x")
    folder.mark_done({"objective": 0.5, "seconds": 4.0, "epochs": 2})
    run = _send(experiment, "teacher", output, ended=True)
    assert (run.info.run_id, run.info.status) == (first.info.run_id, "FINISHED")
    client = MlflowClient(Tracker(output).uri)
    history = client.get_metric_history(run.info.run_id, "teacher/loss")
    assert [m.step for m in history] == [1, 2]
    assert run.data.metrics["objective"] == 0.5
    assert run.data.tags["ablation"] == "table 4"
    assert run.data.params == {k: str(v) for k, v in flatten(tiny_config().model_dump()).items()}
    linked = output / "mlartifacts" / run.info.run_id / "artifacts" / "weights.safetensors"
    assert linked.samefile(folder.path / "weights.safetensors")


def test_another_store_gets_runs_of_its_own(runtime, output, new_store, tmp_path, monkeypatch):
    new_store(tmp_path, "other.db")
    experiment = _experiment(runtime)
    experiment.folder("teacher").path.mkdir(parents=True)
    _send(experiment, "teacher", output, ended=True)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
    monkeypatch.chdir(tmp_path)  # such a store keeps artifacts where it is used
    run = _send(experiment, "teacher", output, ended=True)
    assert run.info.status == "KILLED"
    assert MlflowClient(other).get_run(run.info.run_id).data.tags == run.data.tags


@pytest.mark.parametrize("named", [None, "http://127.0.0.1:9"])
def test_a_store_that_another_search_logs_a_model_to_is_not_taken(
    named, output, tmp_path, monkeypatch
):
    if named:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    with kept_names():
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'other.db'}")
        beside = Tracker(output)
    assert beside.given == Tracker(output).given == named
    mlflow.set_tracking_uri("")


def test_failed_stage(runtime, output):
    experiment = _experiment(runtime)
    experiment.result.mark_failed("it collapsed")
    run = _send(experiment, "student", output, ended=True)
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "it collapsed")


def test_environment():
    found = environment()
    assert {"python", "torch", "ray", "optuna", "mlflow"} <= set(found)


def test_cost_is_known_from_finished_runs_like_these(runtime):
    experiment = _experiment(runtime)
    (before,) = describe([need([experiment], "teacher")], None)[1:]
    assert "unknown" in before
    with StageRun("teacher", experiment.config, runtime) as run:
        result = run.run()
    alike = _experiment(runtime, config=tiny_config(seed=1))
    found = need([experiment, alike], "teacher")
    assert (found.total, found.missing) == (2, 1)
    assert found.seconds == pytest.approx(result["seconds"])  # as many epochs
    training, at_once = duration(found.seconds), duration(found.seconds / 2)
    assert describe([found], 2)[-1] == (
        f"estimated cost: {training} of training, {at_once} with 2 runs at a time"
    )


def _stage(kind, experiment, runtime):
    with StageRun(kind, experiment.config, runtime) as run:
        run.run()
    return run


def test_data_sets_are_inputs_with_what_they_are_read_for(runtime, output):
    experiment, descriptions = _experiment(runtime), DataDescriptions(runtime)
    said = []
    tracker = Tracker(output, "cpu", said.append, descriptions.datasets)

    def inputs(kind, **arguments):
        tracker.stage(experiment, kind, ended=True, **arguments)
        assert not tracker.send_rest()
        run = mirrored(tracker, f"stage:{kind}:{experiment.folder(kind).signature}")
        found = {}
        for item in run.inputs.dataset_inputs:
            (tag,) = item.tags
            assert tag.key == "mlflow.data.context"
            found[item.dataset.name] = (tag.value, item.dataset)
        return found

    for kind in ("teacher", "student"):
        _stage(kind, experiment, runtime)
    teacher, student = inputs("teacher"), inputs("student")
    target = "phrasebook/ar/train, without labels"
    assert {name: context for name, (context, _) in teacher.items()} == {
        "phrasebook/en/train": TRAINING,
        target: UNLABELLED,
        "phrasebook/en/dev": SELECTION,
    }
    assert set(student) == {target, "phrasebook/en/dev"}
    _, found = teacher["phrasebook/en/train"]
    assert found.digest == experiment.data["source_train"]
    assert teacher[target][1].digest == experiment.data["target_train"]
    counts = json.loads(found.profile)
    assert counts["sentences"] == SIZES["train"]
    assert counts["entities"] > 0
    assert "entities" not in json.loads(teacher[target][1].profile)
    path = Path(json.loads(found.source)["uri"])
    assert path.is_absolute()
    assert path.is_file()
    names = [column["name"] for column in json.loads(found.schema)["mlflow_colspec"]]
    assert names == ["tokens", "ner_tags"]
    with StageRun("student", experiment.config, runtime) as run:
        run.report()
        run.oracle()
    scored = inputs("student")
    assert {name for name in scored if name not in student} == {
        "phrasebook/ar/test",
        "phrasebook/en/test",
    }
    assert scored["phrasebook/ar/test"][0] == REPORT
    chosen = inputs("student", oracle=True)
    assert chosen["phrasebook/ar/dev"][0] == ORACLE
    assert inputs("student", oracle=True).keys() == chosen.keys()  # each is there once
    assert said == []


def test_stage_runs_have_names_for_people_and_say_which_variants_share_them(runtime, output):
    one, two = (
        _experiment(
            runtime,
            variant=name,
            tags={"variant": name, "ablation": "components"},
            used_by={"teacher": ["w/o ST", "w/o PK"], "student": [name]},
        )
        for name in ("w/o ST", "w/o PK")
    )
    one.folder("teacher").path.mkdir(parents=True)
    one.result.path.mkdir(parents=True)
    teacher = _send(one, "teacher", output)
    assert teacher.info.run_name == "teacher, seed 0; w/o ST and 1 more"
    assert teacher.data.tags["used_by"] == "w/o ST; w/o PK"
    assert "variant" not in teacher.data.tags
    assert teacher.data.tags["folder"] == str(one.folder("teacher").path)
    student = _send(one, "student", output)
    assert student.info.run_name == "student, seed 0; w/o ST"
    assert student.data.tags["variant"] == "w/o ST"
    for _ in range(2):  # another ablation finds the same run
        student = _send(two, "student", output)
        assert student.data.tags["used_by"] == "w/o ST; w/o PK"
        assert student.data.tags["variant"] == "w/o ST"


def test_a_run_of_a_search_gets_its_variant_when_an_ablation_wants_it(runtime, output):
    trial = replace(_experiment(runtime), name="trial 3 seed 0")
    trial.result.path.mkdir(parents=True)
    run = _send(trial, "student", output)
    assert run.info.run_name == "student, seed 0; trial 3"
    assert "variant" not in run.data.tags
    own = replace(trial, tags={"variant": "full"}, used_by={"student": ["full"]})
    again = _send(own, "student", output)
    assert again.info.run_id == run.info.run_id
    assert (again.data.tags["variant"], again.data.tags["used_by"]) == ("full", "full")


def test_how_to_open_gives_the_command_and_the_page_of_runs(runtime, output):
    experiment = _experiment(runtime)
    experiment.folder("teacher").path.mkdir(parents=True)
    tracker = Tracker(output)
    tracker.stage(experiment, "teacher", ended=True)
    assert not tracker.send_rest()
    run = mirrored(tracker, f"stage:teacher:{experiment.folder('teacher').signature}")
    command, page = tracker.how_to_open()
    assert command.startswith("MLflow: ")
    assert command.endswith(f"-m mlflow ui --backend-store-uri sqlite:///{output / 'mlflow.db'}")
    address = f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs?workflowType="
    assert page == f"runs of prokd/phrasebook/en-ar: {address}machine_learning"


def _git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_commit_and_changes_of_the_code(tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    assert git_state(code) == {}
    _git(tmp_path, "init")
    (code / "a.py").write_text("x = 1\n")
    _git(tmp_path, "add", "code")
    _git(tmp_path, "commit", "-m", "first")
    clean = git_state(code)
    assert len(clean.pop("mlflow.source.git.commit")) == 40
    assert clean == {"git_dirty": "false"}
    diffs = []
    for text in ("x = 2\n", "x = 3\n", "x = 2\n"):
        (code / "a.py").write_text(text)
        found = git_state(code)
        assert found["git_dirty"] == "true"
        diffs.append(found["git_diff"])
    assert diffs[0] == diffs[2] != diffs[1]
    (tmp_path / "untracked").mkdir()  # as an installation in a checkout's .venv
    assert git_state(tmp_path / "untracked") == {}


def test_a_run_names_the_command_that_started_it(runtime, output):
    environment.cache_clear()  # another test may have asked from another folder
    experiment = _experiment(runtime)
    experiment.folder("teacher").path.mkdir(parents=True)
    tags = _send(experiment, "teacher", output).data.tags
    assert tags["command"] == shlex.join(sys.orig_argv)[:4000]
    assert tags["mlflow.source.name"] == str(Path(sys.argv[0]).absolute())


def test_variants_are_described_against_the_reference_wherever_it_stands():
    found = []

    class Heard:
        def changed(self, key, what, record):
            found.append(record())

    dropouts = {"a": 0.1, "b": 0.2, "c": 0.3}
    variants = {n: tiny_config(**{"encoder.dropout": value}) for n, value in dropouts.items()}
    labels = {name: f"the {name}" for name in variants}
    for reference, first in (("the b", "the b"), (None, "the a")):
        found.clear()
        VariantLog(Heard(), "some", "x", variants, labels, reference=reference).open()
        notes = {record.name: record.note for record in found}
        assert f"3 variants, compared with {first}." in notes.pop("some")
        differs = {name for name, note in notes.items() if f"It differs from {first} in:" in note}
        assert differs == set(labels.values()) - {first}
