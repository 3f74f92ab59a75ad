"""Runs that do not fit into memory as they were asked for, seen by a search."""

import csv
import json

import pytest
import torch
from mlflow.tracking import MlflowClient
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from prokd.encoder.classifier import TokenClassifier
from prokd.runs.cleaning import find_waste
from prokd.runs.within_memory import noted
from prokd.training.run import StageRun
from search.driver import Search
from search.experiments import DataDescriptions, Experiment
from search.plan import need
from search.study import SearchStudy
from search.workers.trainables import job
from search.workers.tune import StageTrainable
from tests.search.conftest import tiny_config, tiny_spec

SPACE = {"student.fusion_weight": CategoricalDistribution((0.7, 0.9))}
LENGTH = 64
"""Of the longest sentence: the smallest part that there is."""


def small_device(patch, subwords=LENGTH):
    whole = TokenClassifier._features

    def limited(model, batch, packing):
        if model.training and batch.input_ids_BT.numel() > subwords:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, batch, packing)

    patch.setattr(TokenClassifier, "_features", limited)


@pytest.fixture
def experiment(runtime):
    config = tiny_config()
    data = DataDescriptions(runtime).training(config)
    return Experiment("x", config, data, runtime.runs_dir)


def _run_out(experiment, runtime, kind, monkeypatch):
    """Train a stage where its batches do not fit."""
    with (
        monkeypatch.context() as patch,
        StageRun(kind, experiment.config, runtime, fingerprints=dict(experiment.data)) as run,
    ):
        small_device(patch)
        run.run()
        return run.folder.path


def test_an_experiment_is_led_on_while_its_keys_stay(experiment, runtime, monkeypatch):
    keys = [experiment.key("teacher"), experiment.key("student")]
    assert [experiment.folder("teacher").signature, experiment.result.signature] == keys
    teacher = _run_out(experiment, runtime, "teacher", monkeypatch)
    assert experiment.folder("teacher").path == teacher
    assert experiment.folder("teacher").done
    student = _run_out(experiment, runtime, "student", monkeypatch)
    assert experiment.result.path == student
    assert experiment.effective.teacher.micro_batch_tokens == LENGTH
    assert experiment.effective.student.micro_batch_tokens == LENGTH
    assert [experiment.key("teacher"), experiment.key("student")] == keys
    assert keys[1] != experiment.result.signature
    assert (need([experiment], "teacher").done, need([experiment], "student").done) == (1, 1)


def test_a_worker_goes_on_in_the_same_job(experiment, runtime, monkeypatch):
    made = job("teacher", experiment.config, runtime, data=experiment.data)
    assert made["key"] == experiment.key("teacher")
    trainable = StageTrainable(config=made)
    small_device(monkeypatch)
    results = [trainable.step()]
    while results[-1]["state"] == "training":
        results.append(trainable.step())
    assert [(r["state"], r["epoch"], r["trained"]) for r in results] == [
        ("training", 1, 1),
        ("done", 2, 1),
    ]
    assert experiment.folder("teacher").done
    assert experiment.folder("teacher").signature != experiment.key("teacher")


@pytest.mark.ray
def test_a_search_reads_runs_where_they_lie_now(open_engine, output, runtime, monkeypatch):
    spec = tiny_spec(2, grid=True, space=SPACE)
    engine = open_engine()
    search = Search(spec, engine, output)
    first = search.spec.experiments(
        "x", {"student.fusion_weight": 0.7}, engine.descriptions.training, runtime.runs_dir
    )
    asked = first[0].key("teacher"), first[0].key("student")
    teacher = _run_out(first[0], engine.runtime, "teacher", monkeypatch)
    student = _run_out(first[0], engine.runtime, "student", monkeypatch)
    assert [noted(first[0].folder(kind)) for kind in ("teacher", "student")] == [None, None]
    summary = search.run()
    assert not summary.failed
    assert not summary.left
    assert len(summary.standings) == 2
    assert engine.reuse.reused["teacher"] == {asked[0]}
    assert asked[1] not in engine.reuse.trained["student"]
    assert len(engine.reuse.trained["student"]) == 1
    with summary.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["teacher"] for row in rows} == {teacher.name.removeprefix("teacher-")}
    mine = next(row for row in rows if row["student.fusion_weight"] == "0.7")
    assert f"student-{mine['student']}" == student.name
    with SearchStudy(
        output / "studies" / f"{search.name}.journal", search.name, SPACE, grid=True
    ) as s:
        (trial,) = [
            t for t in s.trials(TrialState.COMPLETE) if t.params["student.fusion_weight"] == 0.7
        ]
        assert trial.user_attrs["folder"] == [str(student)]
    assert engine.tracker.send_rest() == 0  # a thread sends what MLflow lacks
    client = MlflowClient(engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    (run,) = client.search_runs(
        where, f"tags.signature = '{mine['student']}' and tags.kind = 'student'"
    )
    assert run.data.params["student.micro_batch_tokens"] == str(LENGTH)
    assert json.loads((student / "asked.json").read_text())["signatures"]
    assert [item for item in find_waste(output) if item.path.parent.name == "runs"] == []
