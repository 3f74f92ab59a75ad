"""The verbs that Ray calls, called without Ray."""

import threading
import time

import pytest

from prokd.runs import checkpoints
from prokd.training.run import StageRun
from search.experiments import DataDescriptions
from search.workers.trainables import StageTrainable, job
from tests.search.conftest import tiny_config


@pytest.fixture
def make_job(runtime):
    data = DataDescriptions(runtime)

    def make(kind, config, **more):
        made = job(config, runtime, signature="x", data=data.training(config), **more)
        return made | {"kind": kind}

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


def test_out_of_time_it_pauses_and_goes_on_in_another_worker(make_job, runtime):
    config = tiny_config()
    first = StageTrainable(config=make_job("teacher", config))
    assert first.step()["epoch"] == 1
    first._job["deadline"] = time.time()
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
