import pytest
from mlflow.tracking import MlflowClient

from prokd.effect import flatten
from prokd.training import StageRun
from search.plan import DataDescriptions, Experiment, describe, duration, need
from search.provenance import environment
from search.tracking import Tracker
from tests.search.conftest import mirrored, tiny_config


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
    return mirrored(tracker, f"{kind}:{experiment.folder(kind).signature}")


def test_an_interrupted_stage_keeps_its_run(runtime, output):
    experiment = _experiment(runtime, variant="full minus CA", tags={"ablation": "table 4"})
    folder = experiment.teacher
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
    assert run.data.tags["variant"] == "full minus CA"
    assert run.data.tags["ablation"] == "table 4"
    assert run.data.params == {k: str(v) for k, v in flatten(tiny_config().model_dump()).items()}
    linked = output / "mlartifacts" / run.info.run_id / "artifacts" / "weights.safetensors"
    assert linked.samefile(folder.path / "weights.safetensors")


def test_another_store_gets_runs_of_its_own(runtime, output, tmp_path, monkeypatch):
    experiment = _experiment(runtime)
    experiment.teacher.path.mkdir(parents=True)
    _send(experiment, "teacher", output, ended=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    assert _send(experiment, "teacher", output, ended=True).info.status == "KILLED"
    assert (tmp_path / "other.db").exists()


def test_failed_stage(runtime, output):
    experiment = _experiment(runtime)
    experiment.student.mark_failed("it collapsed")
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
