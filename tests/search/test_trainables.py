"""The verbs that Ray calls, called without Ray, then by a Tuner of a user's own."""

import threading
import time
from typing import ClassVar

import pytest

from prokd.runs import checkpoints
from prokd.runs.folder import TRACEBACK
from prokd.training.run import StageRun
from search.experiments import DataDescriptions
from search.workers.trainables import StageWorker, job
from search.workers.tune import StageTrainable
from tests.search.conftest import tiny_config


@pytest.fixture
def make_job(runtime):
    data = DataDescriptions(runtime)

    def make(stage, config, **more):
        return job(stage, config, runtime, data=data.training(config), **more)

    return make


def _steps(trainable):
    results = [trainable.step()]
    while results[-1]["state"] == "training":
        results.append(trainable.step())
    return results


def test_a_teacher_then_its_student_then_nothing_left(make_job, runtime):
    config = tiny_config()
    teacher = StageTrainable(config=make_job("teacher", config))
    assert [r["state"] for r in _steps(teacher)] == ["training", "done"]
    student = StageTrainable(config=make_job("student", config))
    results = _steps(student)
    assert [r["trained"] for r in results] == [1, 1]
    assert "objective" not in results[-1]
    assert not [key for result in results for key in result if key.startswith("test")]
    assert list(runtime.runs_dir.glob("student-*/report.json"))
    assert not list(runtime.runs_dir.glob("*/oracle.json"))
    assert student.reset_config(make_job("student", config, oracle=True))
    (again,) = _steps(student)
    assert list(runtime.runs_dir.glob("student-*/oracle.json"))
    assert (again["state"], again["trained"]) == ("done", 0)
    student.cleanup()


def test_memory_that_runs_out_without_a_word_is_refused(make_job, monkeypatch):
    trainable = StageTrainable(config=make_job("teacher", tiny_config()))

    def full(self):
        raise MemoryError

    monkeypatch.setattr(StageRun, "step", full)
    (result,) = _steps(trainable)
    assert (result["state"], result["reason"]) == ("refused", "out of memory: MemoryError")


@pytest.mark.parametrize("kind", [ZeroDivisionError, RuntimeError])
def test_where_a_stage_fails_is_kept_until_it_does_not(kind, make_job, runtime, monkeypatch):
    trainable = StageTrainable(config=make_job("teacher", tiny_config()))

    def fails(self):
        raise kind("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(StageRun, "_build_stage", fails)
        with pytest.raises(kind):
            trainable.step()
    (kept,) = runtime.runs_dir.glob(f"teacher-*/{TRACEBACK}")
    assert f"{kind.__name__}: on purpose" in kept.read_text()
    assert [r["state"] for r in _steps(trainable)] == ["training", "done"]
    assert not kept.exists()


def test_out_of_time_it_pauses_and_goes_on_in_another_worker(make_job, runtime, monkeypatch):
    config = tiny_config()
    deadline = time.time() + 3600
    first = StageTrainable(config=make_job("teacher", config, deadline=deadline))
    assert first.step()["epoch"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: deadline)
        paused = first.step()
    assert (paused["state"], paused["epoch"]) == ("paused", 1)
    (path,) = runtime.runs_dir.glob("teacher-*/history.jsonl")
    before = path.read_text()
    (last,) = _steps(StageTrainable(config=make_job("teacher", config)))
    assert (last["state"], last["epoch"], last["trained"]) == ("done", 2, 1)
    assert path.read_text().startswith(before)


def test_what_cannot_be_trained_says_why_instead_of_failing(make_job):
    lonely = StageTrainable(config=make_job("student", tiny_config()))
    result = lonely.step()
    assert result["state"] == "refused"
    assert "teacher" in result["reason"]
    config = tiny_config(**{"student.collapse_agreement": 1.0})
    _steps(StageTrainable(config=make_job("teacher", config)))
    student = StageTrainable(config=make_job("student", config))
    collapsed = _steps(student)[-1]
    assert collapsed["state"] == "collapsed"
    assert "agree" in collapsed["reason"]
    assert student.reset_config(make_job("student", config))
    assert student.step()["state"] == "collapsed"


def test_rays_checkpoint_is_a_marker(make_job, tmp_path):
    trainable = StageTrainable(config=make_job("teacher", tiny_config()))
    assert trainable.save_checkpoint(str(tmp_path)) == {"epoch": 0}
    trainable.step()
    assert trainable.save_checkpoint(str(tmp_path)) == {"epoch": 1}
    trainable.load_checkpoint({"epoch": 1})
    assert not list(tmp_path.glob("*.pt"))
    trainable.cleanup()


def test_an_epoch_that_is_judged_is_on_disk_by_then(make_job, runtime, monkeypatch):
    save = checkpoints._save_hashed

    def on_a_slow_disk(*arguments):
        time.sleep(0.3)
        return save(*arguments)

    monkeypatch.setattr(checkpoints, "_save_hashed", on_a_slow_disk)
    trainable = StageTrainable(config=make_job("teacher", tiny_config(), judged=True))
    assert trainable.step()["state"] == "training"
    (folder,) = runtime.runs_dir.glob("teacher-*")
    assert len((folder / "history.jsonl").read_text().splitlines()) == 1
    assert len(list(folder.glob("checkpoint-*.pt"))) == 1
    trainable.cleanup()


def test_a_step_too_many_finds_nothing_and_never_acts_on_the_next_job(make_job, runtime):
    worker, config = StageWorker(), tiny_config()
    assert worker.step() is None
    first, second = make_job("teacher", config), make_job("teacher", tiny_config(seed=1))
    worker.begin(first)
    assert [worker.step(first["key"])["state"] for _ in "12"] == ["training", "done"]
    assert worker.step(first["key"]) is None
    worker.begin(second)
    assert worker.step(first["key"]) is None
    assert worker.step(second["key"])["epoch"] == worker.epoch == 1
    worker.release()
    assert worker.step(second["key"]) is None
    with StageRun("teacher", tiny_config(seed=1), runtime) as run:  # its folder is free
        assert run.epoch == 1


@pytest.mark.parametrize("ends_by", ["deadline", "stop"])
def test_waiting_for_a_run_that_another_process_trains_ends_when_told(
    ends_by, make_job, runtime, tmp_path
):
    with StageRun("teacher", tiny_config(), runtime) as other:
        stop = tmp_path / "stop"
        deadline = time.time() + 2 if ends_by == "deadline" else None
        waiting = StageTrainable(
            config=make_job("teacher", tiny_config(), stop=stop, deadline=deadline)
        )
        if ends_by == "stop":
            threading.Timer(1.0, stop.touch).start()
        result = waiting.step()
        assert result["state"] == "paused"
        expected = (
            "the time budget is spent" if ends_by == "deadline" else "the search was stopped"
        )
        assert result["reason"] == expected
        assert result["trained"] == 0
        other.step()  # it is left alone


@pytest.mark.ray
def test_any_tuner_of_a_users_own_trains_stage_runs(free_ray, make_job, runtime, tmp_path):
    from ray import tune

    class Heard(tune.Callback):
        results: ClassVar = []

        def on_trial_result(self, iteration, trials, trial, result, **info):
            self.results.append(result)

    def fit(name, space):
        tuner = tune.Tuner(
            tune.with_resources(StageTrainable, {"cpu": free_ray.cpus}),
            param_space=space,
            tune_config=tune.TuneConfig(max_concurrent_trials=1, reuse_actors=True),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(tmp_path / "tune"),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
                failure_config=tune.FailureConfig(max_failures=1),
                callbacks=[Heard()],
                verbose=0,
            ),
        )
        return tuner.fit()

    config = tiny_config()
    teacher = make_job("teacher", config)
    (result,) = fit("teacher", teacher)
    assert result.error is None
    assert (result.metrics["state"], result.metrics["training_iteration"]) == ("done", 2)
    assert [heard["state"] for heard in Heard.results] == ["training", "done"]
    assert result.config == teacher
    students = [
        make_job("student", tiny_config(**{"student.fusion_weight": weight}))
        for weight in (0.7, 0.9)
    ]
    texts = tune.grid_search([student["job"] for student in students])
    results = fit("students", students[0] | {"job": texts})
    assert [result.metrics["state"] for result in results] == ["done", "done"]
    done = {path.parent.name for path in runtime.runs_dir.glob("*/DONE")}
    assert done == {f"teacher-{teacher['key']}", *(f"student-{s['key']}" for s in students)}
    assert len(list(runtime.runs_dir.glob("student-*/report.json"))) == 2
    assert len(Heard.results) == 3 * 2
    seen = {name for heard in Heard.results for name in heard}
    assert "source_dev" in seen
    assert not [name for name in seen if "test/" in name or "objective" in name]
