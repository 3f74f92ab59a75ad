from mlflow.tracking import MlflowClient

from prokd.effect import flatten
from prokd.runs import write_json
from search.plan import DataDescriptions, Experiment, describe, need
from search.provenance import environment
from search.tracking import Tracker
from tests.search.conftest import tiny_config


def _experiment(runtime, **changes):
    config = tiny_config()
    data = DataDescriptions(runtime).training(config)
    return Experiment("e", config, data, runtime.runs_dir, **changes)


def test_an_interrupted_stage_keeps_its_run(runtime, output):
    experiment = _experiment(runtime, variant="full minus CA", tags={"ablation": "table 4"})
    folder = experiment.teacher
    rows = [{"epoch": float(n), "teacher/loss": 1.0 / n, "seconds": 2.0} for n in (1, 2)]
    folder.path.mkdir(parents=True)
    folder.write_history(rows[:1])
    first = Tracker(output).stage(experiment, "teacher", ended=True)
    client = MlflowClient(Tracker(output).uri)
    assert client.get_run(first).info.status == "KILLED"
    tracker = Tracker(output)
    folder.write_history(rows)
    assert tracker.stage(experiment, "teacher") == first
    assert client.get_run(first).info.status == "RUNNING"
    for name in ("weights.safetensors", "stage.json"):
        (folder.path / name).write_text("x")
    folder.mark_done({"objective": 0.5, "seconds": 4.0, "epochs": 2})
    assert tracker.stage(experiment, "teacher", ended=True) == first
    run = client.get_run(first)
    assert run.info.status == "FINISHED"
    assert [m.step for m in client.get_metric_history(first, "teacher/loss")] == [1, 2]
    assert run.data.metrics["objective"] == 0.5
    assert run.data.tags["variant"] == "full minus CA"
    assert run.data.tags["ablation"] == "table 4"
    assert run.data.params == {k: str(v) for k, v in flatten(tiny_config().model_dump()).items()}
    linked = output / "mlartifacts" / first / "artifacts" / "weights.safetensors"
    assert linked.samefile(folder.path / "weights.safetensors")


def test_another_store_gets_runs_of_its_own(runtime, output, tmp_path, monkeypatch):
    experiment = _experiment(runtime)
    experiment.teacher.path.mkdir(parents=True)
    Tracker(output).stage(experiment, "teacher", ended=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    other = Tracker(output)
    run = other.stage(experiment, "teacher", ended=True)
    assert other.client.get_run(run).info.status == "KILLED"
    assert (tmp_path / "other.db").exists()


def test_failed_stage(runtime, output):
    experiment = _experiment(runtime)
    experiment.student.mark_failed("it collapsed")
    tracker = Tracker(output)
    run = tracker.client.get_run(tracker.stage(experiment, "student", ended=True))
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "it collapsed")


def test_environment():
    found = environment()
    assert {"python", "torch", "ray", "optuna", "mlflow"} <= set(found)


def test_cost_is_known_from_finished_runs_like_these(runtime):
    experiment = _experiment(runtime)
    (before,) = describe([need([experiment], "teacher")], None)[1:]
    assert "unknown" in before
    from prokd.identity import teacher_identity
    from prokd.runs import RunFolder

    done = RunFolder(runtime.runs_dir, "teacher", "0" * 12)
    identity = teacher_identity(experiment.config, experiment.data)
    write_json(done.path / "identity.json", identity)
    done.mark_done({"objective": 0.5, "seconds": 40.0, "epochs": 4})
    found = need([experiment], "teacher")
    assert (found.total, found.missing, found.seconds) == (1, 1, 20.0)
    assert describe([found], 2)[-1] == (
        "estimated cost: 20 s of training, 10 s with 2 runs at a time"
    )
