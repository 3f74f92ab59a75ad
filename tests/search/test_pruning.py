"""Pruning: who is judged, by what, and what becomes of a trial that falls behind."""

import csv
import json

import pytest
from mlflow.tracking import MlflowClient
from optuna.distributions import CategoricalDistribution
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from prokd.errors import UserError
from prokd.method import ENCODER, SOURCE_DEV, SOURCE_TRAIN, TARGET_TRAIN
from search.driver import Search
from search.pruning import STARTUP, Pruning
from search.study import SearchStudy
from tests.search.conftest import tiny_spec

SPACE = {"student.fusion_weight": CategoricalDistribution((0.5, 0.6, 0.7, 0.8, 0.9, 1.0))}
CURVE = (0.3, 0.4)


DATA = dict.fromkeys((SOURCE_TRAIN, SOURCE_DEV, TARGET_TRAIN, ENCODER), "abc")


@pytest.fixture
def make_trial(tmp_path):
    """Make the experiments of a trial: one run folder a seed."""

    def make(trial, seeds=1):
        spec = tiny_spec(space=SPACE, seeds=range(seeds))
        return spec.experiments(
            f"trial {trial.number}", trial.params, lambda config: DATA, tmp_path
        )

    return make


def _write(experiment, curve):
    experiment.result.path.mkdir(exist_ok=True)
    experiment.result.write_history([{"dev/en/entity_f1": value} for value in curve])


@pytest.fixture
def study(tmp_path):
    """A study with as many finished trials as pruning waits for."""
    pruner = MedianPruner(STARTUP, n_warmup_steps=1)
    with SearchStudy(tmp_path / "s.journal", "s", SPACE, grid=True, pruner=pruner) as made:
        for trial in made.ask(STARTUP):
            for epoch, value in enumerate(CURVE, start=1):
                assert not made.falls_behind(trial.number, epoch, value)
            made.tell(trial.number, CURVE[-1])
        yield made


def test_a_trial_below_the_median_is_pruned_and_told_so(study, make_trial):
    (trial,) = study.ask(1)
    judge, (own,) = Pruning(study), make_trial(trial)
    judge.add(trial.number, [own])
    reason = judge(own.key("student"), 1, 0.2)
    assert reason.startswith("pruned after epoch 1: source-dev F1 0.2000 is below the median")
    assert judge(own.key("student"), 2, 0.9) == reason
    study.prune(trial.number, reason)
    (pruned,) = study.trials(TrialState.PRUNED)
    assert pruned.intermediate_values == {1: 0.2}
    assert [t.number for t in study.pruned()] == [trial.number]
    assert study.reasons() == {}
    assert study.best().number == 0
    assert study.num_settled == STARTUP + 1


def test_a_trial_at_the_median_goes_on(study, make_trial):
    (trial,) = study.ask(1)
    judge, (own,) = Pruning(study), make_trial(trial)
    judge.add(trial.number, [own])
    assert judge(own.key("student"), 1, 0.3) is None
    assert judge("another", 1, 0.0) is None


def test_seeds_are_judged_together_by_their_mean(study, make_trial):
    (trial,) = study.ask(1)
    first, second = own = make_trial(trial, seeds=2)
    judge = Pruning(study)
    judge.add(trial.number, own)
    _write(first, [0.1])
    assert judge(first.key("student"), 1, 0.1) is None
    _write(second, [0.3])
    reason = judge(second.key("student"), 1, 0.3)
    assert "source-dev F1 0.2000" in reason
    assert judge(first.key("student"), 2, 0.9) == reason


def test_only_source_dev_prunes():
    from search.run import search

    with pytest.raises(UserError, match="--prune must go with --select source_dev"):
        search(languages=["ar"], preset="mini", prune=True, select="confidence")


@pytest.mark.ray
def test_pruned_trials_are_no_results_and_can_be_trained_on(
    open_engine, output, runtime, monkeypatch
):
    asked, note = [], SearchStudy.falls_behind

    def falls_behind(self, number, epoch, value):
        asked.append((number, epoch, value))
        assert not note(self, number, epoch, value)  # too few trials are finished
        return number == 1

    monkeypatch.setattr(SearchStudy, "falls_behind", falls_behind)
    two = {"student.fusion_weight": CategoricalDistribution((0.7, 0.9))}
    spec = tiny_spec(2, grid=True, space=two)
    plain_name = Search(spec, open_engine(), output).name
    spec = tiny_spec(2, grid=True, space=two, prune=True)
    search = Search(spec, open_engine(), output, export_best=0)
    assert search.name != plain_name
    summary = search.run()
    assert [(number, epoch) for number, epoch, _ in sorted(asked)] == [(0, 1), (1, 1)]
    assert [s.trial for s in summary.standings] == [0]
    assert [(p.trial, p.epoch) for p in summary.pruned] == [(1, 1)]
    assert not summary.failed
    assert not summary.left
    with summary.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete", "pruned after epoch 1"]
    assert rows[1]["objective"] == ""
    assert not search.engine.tracker.send_rest()
    client = MlflowClient(search.engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    (killed,) = client.search_runs(where, "attributes.status = 'KILLED' and tags.kind = 'trial'")
    assert killed.data.tags["reason"].startswith("pruned after epoch 1")
    (folder,) = [p.parent for p in runtime.runs_dir.glob("student-*/checkpoint-*.pt")]
    assert len((folder / "history.jsonl").read_text().splitlines()) == 1
    plain = tiny_spec(2, grid=True, space=two)
    again = Search(plain, open_engine(), output, export_best=0)
    assert len(again.run().standings) == 2
    assert again.engine.reuse.epochs == 1
    last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    assert last["epoch"] == 2
