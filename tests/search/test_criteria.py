"""Choosing by another criterion or by the oracle, and comparing the criteria."""

import csv
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient
from optuna.distributions import CategoricalDistribution

from prokd.config import RuntimeConfig
from prokd.runs.folder import ORACLE
from search.criteria import compare, comparison_table
from search.driver import Search
from search.execution import Outcome
from search.experiments import DataDescriptions
from search.launch import run_searches
from search.results import Row, criteria_of, label_free
from search.study import SearchStudy
from tests.search.conftest import tiny_config, tiny_spec, write_corpus

LABEL_FREE, CRITERIA = label_free(tiny_config()), criteria_of(tiny_config())
SPACE = {"student.fusion_weight": CategoricalDistribution((0.7, 0.8, 0.9))}
LEARNS = {  # finds entities of ar too
    "teacher.epochs": 6,
    "student.start": "teacher",
    "student.learning_rate": 2e-3,
}
SPEC = tiny_spec(3, grid=True, space=SPACE, **LEARNS)
MODEL = "prokd-phrasebook-en-ar"


def _row(oracle, test, **criteria):
    experiment = SimpleNamespace(config=tiny_config())
    known = dict.fromkeys(LABEL_FREE, 0.5) | criteria
    return Row(experiment, Outcome("done"), oracle, {"test/ar/entity_f1": test}, known)


def test_each_criterion_is_judged_by_means_over_seeds():
    trials = {
        2: [_row(0.6, 0.5, confidence=-0.1, source_dev=0.8)],
        0: [_row(0.2, 0.4, confidence=-0.4), _row(0.4, 0.2, confidence=-0.4)],
        1: [_row(0.5, 0.7, confidence=-0.3, source_dev=0.9)],
    }
    choices = {choice.criterion: choice for choice in compare(trials)}
    assert tuple(choices) == LABEL_FREE
    best = choices["confidence"]
    assert (best.spearman_rho, best.kendall_tau, best.trial) == (1, 1, 2)
    assert (best.dev_regret, best.test_regret) == (0, pytest.approx(0.2))
    assert choices["source_dev"].spearman_rho == pytest.approx(0.5)
    assert choices["source_dev"].dev_regret == pytest.approx(0.1)
    constant = choices["teacher_agreement"]
    assert (constant.spearman_rho, constant.kendall_tau, constant.trial) == (None, None, 0)
    assert constant.oracle_target_dev_entity_f1 == pytest.approx(0.3)
    drawn = comparison_table(list(choices.values()), "ar", "source_dev")
    assert list(drawn.columns[1].cells) == ["0.500", "-", "1.000", "-", "-"]
    assert compare({}) == []


def test_criteria_share_no_study(runtime):
    descriptions = DataDescriptions(runtime)
    names = {replace(SPEC, select=name).study_name(descriptions) for name in CRITERIA}
    assert len(names) == len(CRITERIA)


def _told(search):
    path = search.output / "studies" / f"{search.name}.journal"
    with SearchStudy(path, search.name, SPACE, grid=True) as study:
        return [(t.params, t.state, t.value) for t in study.trials()]


def _chosen(search):
    """Return the leaderboard and the exported students, byte by byte."""
    folder = search.output / "exports" / search.name
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "criteria.csv"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _student_metrics(search):
    assert not search.engine.tracker.send_rest()
    client = MlflowClient(search.engine.tracker.uri)
    experiment = client.get_experiment_by_name("prokd/phrasebook/en-ar")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'student'")
    return [run.data.metrics for run in runs]


def _champion(search, name):
    assert not search.engine.tracker.send_rest()
    # Another tracker may be at work, whose registry is the global one then.
    uri = search.engine.tracker.uri
    return MlflowClient(uri, registry_uri=uri).get_model_version_by_alias(name, "champion").tags


@pytest.fixture(scope="module")
def plain(local_ray, warm_pool, new_store, corpus, cache, tmp_path_factory):
    """A search without any oracle, what it left behind, and a maker of others."""
    from rich.console import Console

    from search.engine import Engine
    from search.progress import Progress
    from search.records.tracking import Tracker

    engines = []

    def make(output, data=corpus, spec=SPEC, **arguments):
        runtime = RuntimeConfig(
            data_dirs=(data,), cache_dir=cache, runs_dir=output / "runs", device="cpu"
        )
        progress = Progress(Console(width=200, record=True))
        for engine in engines:  # there is room for one worker
            engine.close()
        new_store(output)
        tracker = Tracker(output)
        engines.append(
            Engine(runtime, local_ray, output, tracker=tracker, progress=progress, pool=warm_pool)
        )
        return Search(spec, engines[-1], output, **arguments)

    search = make(tmp_path_factory.mktemp("plain"))
    search.run()
    left = SimpleNamespace(
        told=_told(search), chosen=_chosen(search), metrics=_student_metrics(search)
    )
    assert not list(search.engine.runtime.runs_dir.glob("*/oracle.json"))
    yield make, search, left
    for engine in engines:
        engine.close()


def test_comparing_changes_nothing_and_nothing_else_sees_target_dev(plain, tmp_path, capsys):
    make, search, left = plain
    for metrics in left.metrics:
        assert {f"criteria/{name}" for name in LABEL_FREE} <= set(metrics)
        assert f"criteria/{ORACLE}" not in metrics
    again = make(search.output)
    (summary,) = run_searches(again.engine, [SPEC], search.output, compare_criteria=True)
    assert not again.engine.tracker.send_rest()
    assert again.engine.reuse.epochs == 0
    assert (_told(search), _chosen(search)) == (left.told, left.chosen)
    said = capsys.readouterr().out
    assert "ORACLE target-dev F1 beside the criteria; nothing was chosen by it" in said
    assert "to train" not in said
    assert [choice.criterion for choice in summary.choices] == list(LABEL_FREE)
    assert all(choice.oracle_target_dev_entity_f1 > 0 for choice in summary.choices)

    data = write_corpus(tmp_path / "data")
    write_corpus(tmp_path / "other", languages=("ar",), tags=lambda tags: ["B-LOC"] * len(tags))
    (tmp_path / "other" / "ar" / "dev.txt").replace(data / "ar" / "dev.txt")
    scrambled = make(tmp_path / "out", data, compare_criteria=True)
    scrambled.run()
    assert not scrambled.engine.tracker.send_rest()
    assert scrambled.name == search.name
    assert (_told(scrambled), _chosen(scrambled)) == (left.told, left.chosen)
    file = f"exports/{search.name}/criteria.csv"
    assert (tmp_path / "out" / file).read_bytes() != (search.output / file).read_bytes()


def test_an_oracle_scores_what_is_there_and_says_so_everywhere(plain, capsys):
    make, search, left = plain
    for path in search.engine.runtime.runs_dir.glob("student-*/oracle.json"):
        path.unlink()
    before = _champion(search, MODEL)
    oracle = make(search.output, spec=replace(SPEC, select=ORACLE))
    (summary,) = run_searches(oracle.engine, [oracle.spec], search.output)
    assert not oracle.engine.tracker.send_rest()
    assert oracle.engine.reuse.epochs == 0
    scores = [s.rows[0].experiment.result.criterion(ORACLE) for s in summary.standings]
    assert [s.objective for s in summary.standings] == scores == sorted(scores, reverse=True)
    assert summary.study.startswith("oracle-")
    assert summary.exports[0].name.endswith("-oracle")
    said = capsys.readouterr().out
    assert re.search("rank +β +ORACLE target-dev F1", said)
    with summary.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["select"], float(row["objective"])) for row in rows] == [
        (ORACLE, score) for score in scores
    ]
    assert all(f"criteria/{ORACLE}" in metrics for metrics in _student_metrics(search))
    client = MlflowClient(search.engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    tagged = client.search_runs(where, "tags.oracle = 'true' and tags.select = 'oracle'")
    assert sorted(run.data.tags["kind"] for run in tagged) == ["search", "trial", "trial", "trial"]
    assert _champion(search, f"{MODEL}-oracle")["select"] == ORACLE
    assert _champion(search, MODEL) == before
    assert (_told(search), _chosen(search)) == (left.told, left.chosen)


def test_a_criterion_without_labels_ranks(plain):
    make, search, _ = plain
    other = make(search.output, spec=replace(SPEC, select="confidence"))
    standings = other.run().standings
    assert not other.engine.tracker.send_rest()
    assert other.engine.reuse.epochs == 0
    values = [standing.rows[0].criteria["confidence"] for standing in standings]
    assert [standing.objective for standing in standings] == values
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    assert "confidence -" in other.engine.progress.console.export_text()
    assert _champion(search, MODEL)["select"] == "confidence"
