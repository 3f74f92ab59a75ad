"""Graphs of stage runs on their way: what waits, what is reused, what a failure takes with it."""

import shutil
import time

import pytest

from prokd.config import with_overrides
from prokd.methods import in_method
from prokd.training.run import StageRun
from search.driver import FINISHED
from search.experiments import DataDescriptions, Experiment
from search.results import row
from tests.search.conftest import tiny_config

pytestmark = pytest.mark.ray


@pytest.fixture
def make(runtime):
    """Make experiments of any method on the tiny corpus."""
    descriptions = DataDescriptions(runtime)

    def make(name, config=None, **overrides):
        config = config or tiny_config(**overrides)
        return Experiment(name, config, descriptions.training(config), runtime.runs_dir)

    return make


class _Finished:
    """Who is told of the ends of experiments, in order."""

    def __init__(self):
        self.told = []

    def __call__(self, experiment, outcome):
        self.told.append((experiment.name, outcome.state, outcome.reason))

    @property
    def states(self):
        return {name: state for name, state, _ in self.told}


def _histories(runtime):
    return {
        path.parent.name: path.stat().st_mtime_ns
        for path in runtime.runs_dir.glob("*/history.jsonl")
    }


def test_what_experiments_share_is_trained_once_and_each_is_told_once(
    make, open_engine, runtime, output
):
    engine, finished = open_engine(), _Finished()
    experiments = [
        make("a"),
        make("b", **{"student.fusion_weight": 0.6}),
        make("again"),
        make("direct", in_method(tiny_config(), "baseline")),
        make("c", **{"teacher.alignment.weight": 0.0}),
    ]
    shared = {experiment.key("teacher") for experiment in experiments[:3]}
    plain = {experiments[3].key("teacher"), experiments[4].key("teacher")}
    assert (len(shared), len(plain)) == (1, 1)  # ProKD's without alignment is the baseline's
    outcomes = engine.run(experiments, finished)
    assert [outcome.state for outcome in outcomes] == ["done"] * 5
    assert sorted(finished.told) == sorted((e.name, "done", "") for e in experiments)
    assert engine.reuse.trained["teacher"] == shared | plain
    students = {experiments[number].key("student") for number in (0, 1, 4)}
    assert engine.reuse.trained["student"] == students
    assert engine.reuse.epochs == 2 * 5
    assert all(e.result.done and e.result.report() for e in experiments)
    before = _histories(runtime)
    again, finished = open_engine(), _Finished()
    more = make("d", **{"student.fusion_weight": 0.5})
    assert [o.state for o in again.run([*experiments, more], finished)] == ["done"] * 6
    assert again.reuse.trained["student"] == {more.key("student")}
    assert not again.reuse.trained["teacher"]
    assert again.reuse.reused["teacher"] == shared | plain
    assert again.reuse.epochs == 2
    after = _histories(runtime)
    assert {name: after[name] for name in before} == before
    assert [told[0] for told in finished.told][-1] == "d"


def test_a_run_of_several_targets_is_scored_on_each(make, open_engine, runtime, corpus, tmp_path):
    others = tmp_path / "others"
    shutil.copytree(corpus / "ar", others / "nl")
    for path in (others / "nl").iterdir():  # other words, so that they are other corpora
        path.write_text("x" + path.read_text("utf-8").lstrip(), "utf-8")
    both = runtime.model_copy(update={"data_dirs": (*runtime.data_dirs, others)})
    descriptions = DataDescriptions(both)
    direct = in_method(tiny_config(), "baseline")
    experiments = [
        Experiment(target, config, descriptions.training(config), both.runs_dir)
        for target in ("ar", "nl")
        for config in (with_overrides(direct, {"target": target}),)
    ]
    assert len({experiment.key("teacher") for experiment in experiments}) == 1
    engine, finished = open_engine(runtime=both), _Finished()
    assert [outcome.state for outcome in engine.run(experiments, finished)] == ["done"] * 2
    assert sorted(name for name, *_ in finished.told) == ["ar", "nl"]
    assert all(row(e, FINISHED).target_f1 is not None for e in experiments)
    folder = experiments[0].result
    assert engine.reuse.epochs == experiments[0].epochs("teacher")
    written = (folder.path / "report.json").stat().st_mtime_ns
    engine.run(experiments)
    assert (folder.path / "report.json").stat().st_mtime_ns == written


def test_a_failure_is_told_to_those_that_need_it_and_to_no_others(make, open_engine):
    engine, finished = open_engine(), _Finished()
    fallen = {"teacher.collapse_fall": 1.0, "teacher.learning_rate": 10.0, "teacher.epochs": 3}
    students = [make("x", **fallen), make("y", **fallen | {"student.fusion_weight": 0.6})]
    assert students[0].key("teacher") == students[1].key("teacher")
    students[0].folder("teacher").mark_failed("it fell")
    good, own = make("good"), make("own", **{"student.collapse_agreement": 1.0})
    engine.run([*students, good, own], finished)
    fell = dict.fromkeys(("x", "y", "own"), "collapsed")
    assert finished.states == fell | {"good": "done"}
    reasons = {name: reason for name, _, reason in finished.told}
    assert reasons["x"] == reasons["y"] == "its teacher: it fell"
    assert "agree" in reasons["own"]
    assert not reasons["own"].startswith("its")
    assert engine.reuse.trained["teacher"] == {good.key("teacher")}
    assert not students[0].result.path.exists()


def test_more_is_asked_for_when_a_worker_is_free_and_none_waits_for_it(make, open_engine):
    engine, finished, asked = open_engine(), _Finished(), []
    waiting = [make("second", seed=1), make("third", **{"student.fusion_weight": 0.6})]

    def more(number):
        asked.append((number, len(finished.told)))
        return [waiting.pop(0)] if waiting else []

    first = make("first")
    engine.run([first], finished, more=more)
    assert [name for name, _, _ in finished.told] == ["first", "second", "third"]
    # For one worker, each time all that was there has ended, and once in vain.
    assert asked == [(1, 1), (1, 2), (1, 3)]
    assert len(engine.reuse.trained["teacher"]) == 2


def test_time_that_is_up_leaves_the_rest_paused(make, open_engine, runtime):
    finished, experiment = _Finished(), make("x")
    with StageRun("teacher", experiment.config, runtime) as run:
        run.run()
    engine = open_engine(deadline=time.time())
    asked = []
    engine.run([experiment], finished, more=lambda number: asked.append(number) or [])
    assert finished.told == [("x", "paused", "the time budget is spent")]
    assert asked == []
    assert not experiment.result.path.exists()
    engine = open_engine()
    engine.stop()
    finished = _Finished()
    engine.run([experiment], finished)
    assert finished.told == [("x", "paused", "the search was stopped")]
