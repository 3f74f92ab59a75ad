"""Processes that train stage runs: warm from job to job, replaced when lost, sent home if idle."""

import json
import os
import re
import signal
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from search.experiments import DataDescriptions
from search.workers import pool as pools
from search.workers.pool import LOST, Event, Pool
from search.workers.trainables import job
from tests.preloaded import descendants
from tests.search.conftest import tiny_config
from tests.search.test_recovery import _histories, _wait

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc"),
]


def _commands():
    return [each.strip() for each in descendants(os.getpid()).values() if "StageWorker" in each]


def _processes():
    commands = descendants(os.getpid()).items()
    return {process for process, command in commands if "StageWorker" in command}


class _Told:
    """What a pool has told of some jobs, until the last of them has ended."""

    def __init__(self, pool, *jobs, heard=lambda event: None):
        self.events, self.processes = [], set()
        for each in jobs:
            pool.begin(each)
        while pool.working:
            for event in pool.wait(1.0):
                self.events.append(event)
                if event.what == "advanced":
                    self.processes |= _processes()
                heard(event)

    def keys(self, what):
        return [event.key for event in self.events if event.what == what]

    @property
    def ends(self):
        return [(e.key, e.state, e.reason) for e in self.events if e.what == "ended"]

    @property
    def epochs(self):
        return [event.epoch for event in self.events if event.what == "advanced"]


@pytest.fixture
def make_pool(free_ray):
    _wait(lambda: not _processes(), seconds=60)  # those of other tests
    made = []

    def make(width=1, **arguments):
        cluster = replace(free_ray, width=width, cpus=free_ray.cpus / width)
        made.append(Pool(cluster, **arguments))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


@pytest.fixture
def pool(warm_pool):
    yield warm_pool
    warm_pool.judge = None
    if warm_pool.working:
        warm_pool.close()


@pytest.fixture
def make_job(runtime):
    data = DataDescriptions(runtime)

    def make(stage, *, judged=False, deadline=None, fingerprints=None, **overrides):
        config = tiny_config(**overrides)
        known = data.training(config) if fingerprints is None else fingerprints
        return job(stage, config, runtime, data=known, judged=judged, deadline=deadline)

    return make


def _done(*jobs):
    return [(each["key"], "done", "") for each in jobs]


def test_one_process_takes_all_jobs(pool, make_job):
    teachers = [make_job("teacher"), make_job("teacher", seed=1)]
    students = [make_job("student"), make_job("student", seed=1)]
    other = make_job("student", **{"student.fusion_weight": 0.6})
    assert (pool.free, pool.working) == (1, 0)
    first = _Told(pool, *teachers)
    assert (pool.free, pool.working) == (1, 0)
    busy = pool.busy
    assert busy > 0
    others = [_Told(pool, *students), _Told(pool, other)]
    assert pool.busy > busy
    jobs = [*teachers, *students, other]
    all_told = [first, *others]
    assert [key for told in all_told for key in told.keys("started")] == [j["key"] for j in jobs]
    assert [end for told in all_told for end in told.ends] == _done(*jobs)
    assert first.epochs == [1, 2, 1, 2]
    assert all(event.trained == 1 for event in first.events if event.what == "advanced")
    assert len(set.union(*(told.processes for told in all_told))) == 1
    pool.close()
    _wait(lambda: not _processes(), seconds=60)
    again = make_job("student", **{"student.fusion_weight": 0.5})
    assert _Told(pool, again).ends == _done(again)


def test_warmed_up_processes_take_the_first_jobs(pool, make_job):
    pool.close()
    _wait(lambda: not _processes(), seconds=60)
    pool.warm_up()
    _wait(_processes, seconds=60)
    warm = _processes()
    pool.warm_up()  # once is enough
    teacher = make_job("teacher")
    told = _Told(pool, teacher)
    assert told.processes == warm
    assert told.keys("started") == [teacher["key"]]
    assert told.ends == _done(teacher)


def test_waiting_rests_while_nothing_is_at_work(pool, make_job):
    _Told(pool, make_job("teacher"))
    assert _Told(pool).events == []
    pool.wait(1.0)  # what it was asked once too often
    used, turns, end = time.process_time(), 0, time.monotonic() + 1.5
    while time.monotonic() < end:
        assert pool.wait(0.5) == []
        turns += 1
    assert turns <= 40
    assert time.process_time() - used < 0.75
    other = make_job("teacher", seed=1)
    assert _Told(pool, other).ends == _done(other)


def test_after_the_deadline_nothing_is_trained_and_what_waits_can_be_taken_back(
    pool, make_job, runtime
):
    late = make_job("teacher", deadline=time.time())
    told = _Told(pool, late)
    assert told.ends == [(late["key"], "paused", "the time budget is spent")]
    assert told.epochs == []
    assert not list(runtime.runs_dir.glob("*/history.jsonl"))
    at_work, waiting = make_job("teacher", seed=1), make_job("teacher", seed=2)
    pool.begin(at_work)
    pool.begin(waiting)
    assert (pool.free, pool.working) == (0, 2)
    assert pool.forget_waiting() == [waiting["key"]]
    told = _Told(pool)
    assert (told.keys("started"), told.ends) == ([at_work["key"]], _done(at_work))


def test_a_judge_stops_a_run_between_epochs_and_frees_its_folder(pool, make_job, runtime):
    asked = []

    def judge(key, epoch, value):
        asked.append((key, epoch))
        assert 0 <= value <= 1
        return "it falls behind"

    pool.judge = judge
    judged = make_job("teacher", judged=True)
    told = _Told(pool, judged)
    assert asked == [(judged["key"], 1)]
    assert told.ends == [(judged["key"], "pruned", "it falls behind")]
    pool.judge = None
    # The same run, in the same process, from its checkpoint.
    assert _Told(pool, make_job("teacher")).ends == _done(judged)
    (history,) = _histories(runtime.runs_dir).values()
    assert len(history) == 2


def test_a_judged_run_follows_one_that_is_not_judged(pool, make_job):
    asked = []
    pool.judge = lambda key, epoch, value: asked.append((key, epoch))
    teacher = make_job("teacher")
    student = make_job("student", judged=True, **{"student.epochs": 3})

    def heard(event):
        if event.key == teacher["key"] and event.what == "ended":
            pool.begin(student)  # its process still has a step too many to answer

    told = _Told(pool, teacher, heard=heard)
    assert told.ends == _done(teacher, student)
    assert asked == [(student["key"], 1), (student["key"], 2)]


def test_an_idle_process_leaves_when_no_job_comes(pool, make_job, monkeypatch):
    _Told(pool, make_job("teacher"))
    assert _processes()
    pool.wait(1.0)
    assert _processes()
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.5)
    end = time.monotonic() + 30
    while _processes():
        assert time.monotonic() < end
        assert pool.wait(0.2) == []
    other = make_job("teacher", seed=1)
    assert _Told(pool, other).ends == _done(other)


def test_an_idle_process_leaves_while_another_is_at_work(make_pool, make_job, monkeypatch):
    pool = make_pool(width=2)
    pool.warm_up()
    _wait(lambda: sorted(_commands()) == ["ray::StageWorker"] * 2)  # both have loaded all
    pool.wait(1.0)
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.0)
    short, long = make_job("teacher"), make_job("teacher", **{"seed": 1, "teacher.epochs": 15})
    seen = []

    def heard(event):
        seen.append((event.key, event.what))
        ended = (short["key"], "ended")
        if ended in seen and seen[seen.index(ended) :].count((long["key"], "advanced")) == 2:
            _wait(lambda: len(_processes()) == 1, seconds=60)
            left.append(pool.working)

    left = []
    told = _Told(pool, short, long, heard=heard)
    assert told.ends == _done(short, long)
    assert left == [1]


def test_a_lost_process_is_replaced_and_its_run_goes_on(make_pool, make_job, runtime):
    epochs = 15  # the driver hears of an epoch later than the worker begins the next one
    killed = set()

    def kill(event):
        if event.epoch >= 2 and event.what == "advanced" and not killed:
            killed.update(_processes())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    teacher = make_job("teacher", **{"teacher.epochs": epochs})
    with closing(make_pool(max_failures=1)) as pool:
        told = _Told(pool, teacher, heard=kill)
    assert killed
    assert told.ends == _done(teacher)
    assert told.epochs[-1] == epochs
    # Trained twice at most: the interrupted epoch and the one whose checkpoint was being written.
    assert len(told.epochs) <= epochs + 1
    (lines,) = _histories(runtime.runs_dir).values()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, epochs + 1))
    killed.clear()
    other = make_job("teacher", **{"teacher.epochs": epochs, "seed": 1})
    with closing(make_pool(max_failures=0)) as pool:
        told = _Told(pool, other, heard=kill)
    assert told.ends == [(other["key"], "error", LOST)]
    assert LOST.startswith("the worker was lost")


def test_an_error_in_a_worker_is_told_as_it_is(make_pool, make_job, runtime):
    fingerprints = dict(DataDescriptions(runtime).training(tiny_config()))
    broken = make_job("teacher", fingerprints=fingerprints)
    value = json.loads(broken["job"])
    del value["data"]["encoder"]  # what a stage cannot do without
    with closing(make_pool(max_failures=5)) as pool:
        told = _Told(pool, broken | {"job": json.dumps(value)})
    ((key, state, reason),) = told.ends
    assert (key, state) == (broken["key"], "error")
    assert re.fullmatch(r"KeyError: 'encoder' \(.*/prokd/runs/identity\.py:\d+\)", reason)
    assert told.events == [
        Event(broken["key"], "started"),
        Event(broken["key"], "started"),  # once more, in another process; it stays the same
        Event(broken["key"], "ended", "error", reason),
    ]
