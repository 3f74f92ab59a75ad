"""Real searches over several methods on a local Ray: results, logs, exports, going on."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState

from ablations.compare import write_comparison
from ablations.plan import best_point
from search.choice import METHOD
from search.configs import searched
from search.launch import run_searches
from search.leaderboard_file import read_first
from search.methods import bases_of
from search.rest import search_at_rest
from search.spec import SearchSpec
from search.study import SearchStudy
from tests.search.conftest import TINY, mirrored

pytestmark = pytest.mark.ray
NAMES = ["prokd", "tsl", "baseline"]
SPACE = """
prokd:
  student.fusion_weight: [0.7, 0.9]
tsl:
  student.distillation_reduction: [sum, mean]
baseline:
  encoder.dropout: [0.1]
"""


def make_spec(path, trials, **changes):
    (bases,), fixed = bases_of(
        NAMES,
        preset="mini",
        reading=None,
        languages=["ar"],
        source="en",
        dataset=None,
        model=None,
        settings=[f"{name}={value}" for name, value in TINY.items()],
    )
    path.write_text(SPACE, encoding="utf-8")
    space = searched(str(path), bases, fixed)
    return SearchSpec.of(bases, space, (0,), False, trials, *changes.values())


@pytest.fixture
def spec(tmp_path):
    return make_spec(tmp_path / "space.yaml", 5)


def test_a_search_over_methods_from_its_first_trial_to_a_settled_end(
    spec, open_engine, output, runtime, capsys
):
    first = open_engine()
    part = SearchSpec.of(list(spec.bases.values()), spec.space, (0,), False, 3)
    (summary,) = run_searches(first, [part], output)
    assert summary.study.startswith("prokd+tsl+baseline-phrasebook-en-ar-tpe-")
    assert [share.trials for share in summary.shares] == [1, 1, 1]  # they went round
    capsys.readouterr()

    engine = open_engine()
    (summary,) = run_searches(engine, [spec], output, report=True)  # goes on
    said = capsys.readouterr().out
    assert not engine.tracker.send_rest()
    assert not summary.left + len(summary.failed)
    assert Counter(s.method for s in summary.standings) == {"prokd": 2, "tsl": 2, "baseline": 1}
    assert len(engine.reuse.trained["student"]) == 2
    # The baseline's result is the teacher of tsl.
    assert len(list(runtime.runs_dir.glob("teacher-*/DONE"))) == 2
    check_what_was_said(said, summary)
    check_csv(summary)
    check_mlflow(engine.tracker, summary)
    check_report(engine.tracker, summary, output, said)
    (export,) = summary.exports
    assert (export / "model.safetensors").exists()
    assert export.name == f"rank1-{summary.standings[0].best_row.experiment.result.signature}"
    check_comparison(summary, output)
    check_a_best_point_is_that_of_the_method(spec, engine, output)
    check_going_on_is_over(spec, open_engine, output, summary)


def check_what_was_said(said, summary):
    head = next(line for line in said.splitlines() if line.startswith("rank"))
    assert head.split()[:2] == ["rank", "method"]
    assert " seconds " in head
    after = said[said.index("best of each method") :].splitlines()
    assert after[1].split()[:2] == ["method", "trials"]
    for line, share in zip(after[2:5], summary.shares, strict=True):
        cells = line.split()
        assert cells[:2] == [share.method, str(share.trials)]
        assert cells[2] == f"{share.best.objective:.4f}"
        assert cells[3] == f"{share.best.target_f1[0]:.4f}"
        own = [s for s in summary.standings if s.method == share.method]
        assert share.best is own[0]
        assert share.seconds == pytest.approx(sum(s.seconds for s in own) / len(own))
        assert share.seconds > 0


def check_comparison(summary, output):
    """The best of each method stands in the comparison of methods, by the files alone."""
    _, (_, table, _) = write_comparison(output, output / "tables")
    with table.open(encoding="utf-8") as file:
        rows = {r["variant"]: r for r in csv.DictReader(file) if r["measure"] == "entity_f1"}
    assert {f"{name}, searched" for name in NAMES} == set(rows)
    for share in summary.shares:
        mean = float(rows[f"{share.method}, searched"]["mean"])
        assert mean == pytest.approx(share.best.target_f1[0])


def check_csv(summary):
    with summary.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    settings = ["student.fusion_weight", "student.distillation_reduction", "encoder.dropout"]
    names = list(rows[0])
    assert names[:4] == ["rank", "trial", "state", "method"]
    assert sorted(name for name in names if "." in name) == sorted(settings)
    own = dict(zip(NAMES, settings, strict=True))
    for row, standing in zip(rows, summary.standings, strict=True):
        assert row["method"] == standing.method
        assert {name for name in settings if row[name]} == {own[row["method"]]}
        assert float(row["seconds"]) == pytest.approx(standing.seconds)
        assert bool(row["student"]) == (row["method"] != "baseline")
        assert bool(row["confidence"]) == (row["method"] != "baseline")
    for name in NAMES:
        found = read_first(summary.csv, name)
        assert found.method == name
        best = next(s for s in summary.standings if s.method == name)
        assert dict(found.point) == {own[name]: best.point[own[name]]}
        assert found.results == (best.best_row.experiment.result.signature,)


def check_mlflow(tracker, summary):
    client = MlflowClient(tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    for name in NAMES:
        runs = client.search_runs(where, f"tags.kind = 'trial' and tags.method = '{name}'")
        own = [s for s in summary.standings if s.method == name]
        values = sorted(run.data.metrics["mean/objective"] for run in runs)
        assert values == sorted(s.objective for s in own)
        for run in runs:
            trial = next(s for s in own if str(s.trial) == run.data.tags["trial"])
            assert run.data.params == {path: str(value) for path, value in trial.point.items()}
            assert run.data.params[METHOD] == name
    search = mirrored(tracker, f"search:{summary.study}")
    assert search.data.tags["method"] == "prokd+tsl+baseline"
    assert search.data.params["teacher.epochs"] == "2"
    best = summary.standings[0].best_row.experiment.result
    version = client.get_model_version_by_alias("prokd-phrasebook-en-ar", "champion")
    assert version.tags["signature"] == best.signature


def check_report(tracker, summary, output, said):
    path = output.resolve() / "reports" / f"{summary.study}.html"
    assert f"report: {path}\n" in said
    page = path.read_text(encoding="utf-8")
    assert "Not drawn" not in page
    for word in ("training-teacher-", "training-student-", "Of the last start", "fp32"):
        assert word in page
    for standing in summary.standings:
        assert f"<td>{standing.objective:.4f}</td>" in page
        assert f"<td>{standing.seconds:.0f}</td>" in page
    search = mirrored(tracker, f"search:{summary.study}")
    client = MlflowClient(tracker.uri)
    logged = client.list_artifacts(search.info.run_id)
    assert {"report.html", "figures"} <= {file.path for file in logged}
    drawn = client.list_artifacts(search.info.run_id, "figures")
    beside = path.with_name(f"{path.stem}-figures").iterdir()
    assert {Path(file.path).name for file in drawn} == {file.name for file in beside}


def check_a_best_point_is_that_of_the_method(spec, engine, output):
    config = spec.settled("fp32").bases["tsl"]
    point, path = best_point(config, engine.descriptions, output / "exports")
    assert set(point) == {"student.distillation_reduction"}
    assert path.parent.name.startswith("prokd+tsl+baseline-")


def check_going_on_is_over(spec, open_engine, output, summary):
    again = open_engine()
    (same,) = run_searches(again, [spec], output)
    assert again.reuse.epochs == 0
    assert [s.trial for s in same.standings] == [s.trial for s in summary.standings]
    options = {"address": None, "gpus_per_trial": None, "compare": False}
    assert search_at_rest([spec], again.descriptions, output, **options) == "fp32"
    path = output / "studies" / f"{summary.study}.journal"
    settled = spec.settled("fp32")
    with SearchStudy(path, summary.study, settled.space, grid=False) as study:
        assert study.ask(1) == []  # of lists no point comes twice
        trials = study.trials()
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert [trial.params[METHOD] for trial in trials[:3]] == NAMES
