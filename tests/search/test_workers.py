"""Processes that stay warm from one batch of jobs to the next, and end when they are told to."""

import os
import time
from pathlib import Path

import pytest
from search.parking import WAIT_SECONDS
from search.tuner import Workers

from search.experiments import DataDescriptions
from search.workers.trainables import job
from tests.search.conftest import tiny_config
from tests.search.test_recovery import _descendants, _wait

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc"),
]


class _Watcher:
    def __init__(self):
        self.started_runs, self.outcomes, self.processes = [], [], set()

    def started(self, kind, signature):
        self.started_runs.append((kind, signature))

    def advanced(self, kind, signature, epoch, trained):
        self.processes |= _stage_processes()

    def ended(self, kind, signature, outcome):
        self.outcomes.append((signature, outcome.state))


def _stage_processes():
    commands = _descendants(os.getpid()).items()
    return {process for process, command in commands if "Trainable" in command}


@pytest.fixture
def workers(local_ray, tmp_path):
    made = Workers(local_ray, tmp_path / "ray", max_failures=0)
    yield made
    made.close()


@pytest.fixture
def make_job(runtime):
    data = DataDescriptions(runtime)

    def make(name, **overrides):
        config = tiny_config(**overrides)
        return job(config, runtime, signature=name, data=data.training(config))

    return make


def test_one_process_takes_all_jobs_of_all_batches(workers, make_job, tmp_path):
    watcher = _Watcher()
    workers.train({"teacher": [make_job("a"), make_job("b", seed=1)]}, watcher)
    assert workers.busy > 0
    busy = workers.busy
    workers.train({"student": [make_job("c"), make_job("d", seed=1)]}, watcher)
    workers.train({"student": [make_job("e", **{"student.fusion_weight": 0.6})]}, watcher)
    assert sorted(watcher.started_runs, key=lambda run: run[1]) == [
        ("teacher", "a"),
        ("teacher", "b"),
        ("student", "c"),
        ("student", "d"),
        ("student", "e"),
    ]
    assert sorted(watcher.outcomes) == [(name, "done") for name in "abcde"]
    assert workers.busy > busy
    assert len(watcher.processes) == 1
    workers.close()
    _wait(lambda: not _stage_processes(), seconds=60)
    assert not list((tmp_path / "ray").iterdir())
    workers.train({"student": [make_job("f", **{"student.fusion_weight": 0.5})]}, watcher)
    assert watcher.outcomes[-1] == ("f", "done")


def test_what_follows_a_run_is_handed_out_when_it_has_ended(workers, make_job):
    watcher, asked = _Watcher(), []

    def following(kind, signature):
        asked.append((kind, signature))
        return {"student": [make_job("c")]} if signature == "a" else {}

    teachers = [make_job("a"), make_job("b", seed=1)]
    workers.train({"teacher": teachers}, watcher, following=following)
    assert asked == [("teacher", "a"), ("teacher", "b"), ("student", "c")]
    assert watcher.started_runs == asked
    assert [state for _, state in watcher.outcomes] == ["done"] * 3


def test_warmed_up_processes_take_the_first_jobs(workers, make_job):
    _wait(lambda: not _stage_processes(), seconds=60)  # those of other tests
    workers.warm_up()
    _wait(_stage_processes, seconds=60)
    warm = _stage_processes()
    watcher = _Watcher()
    workers.warm_up()  # once is enough
    workers.train({"teacher": [make_job("a")], "student": []}, watcher)
    assert watcher.processes == warm
    assert watcher.started_runs == [("teacher", "a")]
    assert watcher.outcomes == [("a", "done")]


def test_tune_rests_while_nothing_is_at_work(workers, make_job):
    workers.train({"teacher": [make_job("a")]}, _Watcher())
    suggest, asked = workers._queue.suggest, []

    def counted(trial_id):
        asked.append(trial_id)
        return suggest(trial_id)

    workers._queue.suggest = counted
    time.sleep(3 * WAIT_SECONDS)
    assert 1 <= len(asked) <= 8  # it turned thousands of times, in the driver's interpreter
    watcher = _Watcher()
    workers.train({"teacher": [make_job("b", seed=1)]}, watcher)
    assert watcher.outcomes == [("b", "done")]


def test_no_job_is_handed_out_after_the_deadline(workers, make_job):
    watcher = _Watcher()
    workers.train({"teacher": [make_job("a")]}, watcher, is_over=lambda: True)
    assert watcher.started_runs == watcher.outcomes == []


def test_a_judge_stops_a_run_between_epochs_and_frees_its_folder(workers, make_job, runtime):
    watcher, asked = _Watcher(), []

    def judge(signature, epoch, value):
        asked.append((signature, epoch))
        assert 0 <= value <= 1
        return "it falls behind"

    workers.train({"teacher": [make_job("a")]}, watcher, judge=judge)
    assert (asked, watcher.outcomes) == ([("a", 1)], [("a", "pruned")])
    workers.train({"teacher": [make_job("b")]}, watcher)  # the same run, from its checkpoint
    assert watcher.outcomes[-1] == ("b", "done")
    (history,) = runtime.runs_dir.glob("teacher-*/history.jsonl")
    assert len(history.read_text(encoding="utf-8").splitlines()) == 2
