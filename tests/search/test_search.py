"""Whole searches on a local Ray and a real MLflow store: tiny data, real training."""

import csv
import hashlib
import json
import re
import time
import urllib.request
import warnings
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from prokd.config import with_overrides
from prokd.data.mini import generate
from prokd.errors import UserError
from search.driver import Search
from search.launch import how_to_load
from search.study import SearchStudy, dashboard_command
from tests.mlflow_server import mlflow_server
from tests.search.conftest import mirrored, tiny_config, tiny_spec, write_corpus
from tests.served import served

pytestmark = pytest.mark.ray
FOUR_POINTS = {
    "prototypes.update_rate": CategoricalDistribution((0.001, 0.005)),
    "student.fusion_weight": CategoricalDistribution((0.7, 0.9)),
}
TWO_POINTS = {"student.fusion_weight": CategoricalDistribution((0.7, 0.9))}


def _spec(trials, space=FOUR_POINTS, **arguments):
    return tiny_spec(trials, grid=True, space=space, **arguments)


def _trials(search, *states):
    path = search.output / "studies" / f"{search.name}.journal"
    spec = search.spec
    with SearchStudy(path, search.name, spec.space, grid=spec.grid) as study:
        return study.trials(*states)


def _stamps(runs_dir):
    names = ("DONE", "history.jsonl", "weights.safetensors", "result.json")
    files = [path for path in runs_dir.glob("*/*") if path.name in names]
    return {str(path.relative_to(runs_dir)): path.stat().st_mtime_ns for path in files}


def _weights(runs_dir):
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in runs_dir.glob("*/weights.safetensors")
    }


@pytest.fixture(scope="module")
def finished(local_ray, warm_pool, new_store, corpus, cache, tmp_path_factory):
    """A search of three trials that has ended, and what it said."""
    from rich.console import Console

    from prokd.config import RuntimeConfig
    from search.engine import Engine
    from search.progress import Progress
    from search.records.tracking import Tracker

    output = tmp_path_factory.mktemp("finished")
    new_store(output)
    runtime = RuntimeConfig(
        data_dirs=(corpus,), cache_dir=cache, runs_dir=output / "runs", device="cpu"
    )

    def search(**arguments):
        progress = Progress(Console(width=200, record=True))
        engine = Engine(
            runtime,
            local_ray,
            output,
            tracker=Tracker(output),
            progress=progress,
            pool=warm_pool,
        )
        made = Search(_spec(**arguments), engine, output)
        try:
            return made, made.run()
        finally:
            assert not engine.tracker.send_rest()
            engine.close()

    return search, *search(trials=3)


def test_a_search_ends_with_a_leaderboard_and_an_export(finished):
    _, search, summary = finished
    trials = _trials(search, TrialState.COMPLETE)
    assert len({json.dumps(t.params, sort_keys=True) for t in trials}) == len(trials) == 3
    assert [s.rank for s in summary.standings] == [1, 2, 3]
    objectives = [s.objective for s in summary.standings]
    assert objectives == sorted(objectives, reverse=True)
    assert not summary.left
    assert not summary.failed
    with summary.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["source_dev_entity_f1"]) for row in rows] == objectives
    for standing, line in zip(summary.standings, rows, strict=True):
        (row,) = standing.rows
        transfer = row.experiment.transfer.report()["metrics"]["test/ar/entity_f1"]
        assert float(line["transfer_target_test_entity_f1_mean"]) == transfer
        result = row.experiment.result.result()
        assert result["objective"] == standing.objective
        report = row.experiment.result.report()["metrics"]
        assert standing.target_f1 == (report["test/ar/entity_f1"], 0.0)
    from prokd.scoring.pipeline import load_pipeline

    tagged = load_pipeline(summary.exports[0])("Anna lives in Berlin")
    assert isinstance(tagged, list)
    assert 'aggregation_strategy="first"' in how_to_load(summary.exports[0])
    assert not list((search.output / "ray_results").glob("*"))


def test_trials_link_to_runs_artifacts_and_mlflow(finished):
    _, search, _ = finished
    for trial in _trials(search, TrialState.COMPLETE):
        run = mirrored(search.engine.tracker, f"trial:{search.name}:{trial.number}")
        assert run.data.metrics["mean/objective"] == trial.value
        assert all(name.startswith("mean/") for name in run.data.metrics)
        assert run.data.tags["trial"] == str(trial.number)
        assert run.info.status == "FINISHED"
        (folder,) = trial.user_attrs["folder"]
        assert folder.endswith(trial.user_attrs["signature"][0])
        assert run.data.tags["signature"].split() == trial.user_attrs["signature"]
        assert run.data.tags["teacher_signature"].split() == trial.user_attrs["teacher_signature"]
        assert run.data.params == {name: str(value) for name, value in trial.params.items()}


def test_mlflow_opens_on_the_trials_with_what_was_searched_and_says_how_they_compare(finished):
    search_again, search, _ = finished
    tracker, client = search.engine.tracker, MlflowClient(search.engine.tracker.uri)
    *_, page = tracker.how_to_open()
    key = re.search(r"viewStateShareKey=(\w+)", page)[1]
    experiment = client.get_experiment_by_name("prokd/phrasebook/en-ar")
    assert "recognition in **ar** without" in experiment.tags["mlflow.note.content"]
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{key}"])
    assert (view["name"], type(view["createdAt"])) == (f"trials of {search.name}", int)
    state = json.loads(view["state"])
    trials = client.search_runs(
        [experiment.experiment_id],
        state["searchFilter"],
        order_by=[f"{state['orderByKey']} DESC"],
    )
    assert len(trials) == 3
    for kind in ("metrics", "params", "tags"):  # each column is there in each run
        names = [c[len(kind) + 2 : -1] for c in state["selectedColumns"] if c.startswith(kind)]
        assert names
        assert all(name in getattr(run.data, kind) for run in trials for name in names)
    values = [run.data.metrics["mean/objective"] for run in trials]
    for value, run in zip(values, trials, strict=True):
        place = 1 + sum(other > value for other in values)  # equal ones share a place
        assert f": place {place} of 3; the best" in run.data.tags["mlflow.note.content"]
    whole = mirrored(tracker, f"search:{search.name}")
    note = whole.data.tags["mlflow.note.content"]
    assert (
        f"| 1 | {trials[0].info.run_name} | {trials[0].data.metrics['mean/objective']:.4f} |"
        in note
    )
    client.set_tag(whole.info.run_id, "mlflow.note.content", "mine")
    search_again(trials=3)
    again = client.get_experiment(experiment.experiment_id)
    assert again.tags == experiment.tags  # one view, as it was
    assert mirrored(tracker, f"search:{search.name}").data.tags["mlflow.note.content"] == "mine"


def test_the_dashboard_of_optuna_shows_a_study(finished):
    dashboard = pytest.importorskip("optuna_dashboard", reason="the extra dashboard is missing")
    _, search, summary = finished
    assert dashboard_command(search.journal).endswith(f"bin/optuna-dashboard {search.journal}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        application = dashboard.wsgi(str(search.journal))

    def get(path):
        said = []
        environ = {"PATH_INFO": path, "QUERY_STRING": "after=0"}
        setup_testing_defaults(environ)
        body = b"".join(application(environ, lambda status, *_: said.append(status)))
        assert said == ["200 OK"]
        return json.loads(body)

    (study,) = get("/api/studies")["study_summaries"]
    assert study["study_name"] == summary.study
    trials = get(f"/api/studies/{study['study_id']}")["trials"]
    values = {trial["number"]: trial["values"] for trial in trials}
    assert values == {s.trial: [s.objective] for s in summary.standings}
    assert {p["name"] for trial in trials for p in trial["params"]} == set(FOUR_POINTS)
    assert all("folder" in {a["key"] for a in trial["user_attrs"]} for trial in trials)


def test_mlflow_holds_every_stage_once_and_nested(finished):
    _, search, summary = finished
    client = MlflowClient(search.engine.tracker.uri)
    experiment = client.get_experiment_by_name("prokd/phrasebook/en-ar")
    runs = client.search_runs([experiment.experiment_id])
    by_kind = {}
    for run in runs:
        by_kind.setdefault(run.data.tags["kind"], []).append(run)
    (parent,) = by_kind["search"]
    trial_ids = {run.info.run_id for run in by_kind["trial"]}
    assert {run.data.tags["mlflow.parentRunId"] for run in by_kind["trial"]} == {
        parent.info.run_id
    }
    folders = sorted(path.name for path in search.engine.runtime.runs_dir.iterdir())
    stages = by_kind["teacher"] + by_kind["student"]
    keys = sorted(run.data.tags["prokd.key"] for run in stages)
    assert keys == [f"stage:{name.replace('-', ':')}" for name in folders]
    for run in stages:
        assert run.data.tags["stage"] == run.data.tags["kind"]
        assert run.data.tags["method"] == "prokd"
    for run in stages:
        assert run.data.tags["mlflow.parentRunId"] in trial_ids
        assert "variant" not in run.data.tags
        kind, seed = run.data.tags["kind"], run.data.tags["seed"]
        where = r"; trial \d+" if kind == "student" else ""
        assert re.fullmatch(f"{kind}, seed {seed}{where}", run.info.run_name)
        assert run.data.tags["data.target_train"]
        assert run.data.tags["python"]
        assert run.data.params["student.fusion_weight"]
        history = client.get_metric_history(run.info.run_id, "dev/en/entity_f1")
        assert sorted(metric.step for metric in history) == [1, 2]
        files = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"config.json", "weights.safetensors", "stage.json"} <= files
        assert "test/ar/entity_f1" in run.data.metrics  # a teacher's is direct transfer
    best = summary.standings[0].rows[0].experiment.result
    version = client.get_model_version_by_alias("prokd-phrasebook-en-ar", "champion")
    assert version.tags["signature"] == best.signature
    mlflow.set_tracking_uri(search.engine.tracker.uri)
    loaded = mlflow.transformers.load_model("models:/prokd-phrasebook-en-ar@champion")
    assert loaded.model.num_labels == 7
    served = mlflow.pyfunc.load_model("models:/prokd-phrasebook-en-ar@champion")
    assert served.model_config["aggregation_strategy"] == "first"


def test_the_champion_is_served_over_http(finished, tmp_path):
    from prokd.scoring.pipeline import load_pipeline

    _, search, summary = finished
    tag = load_pipeline(summary.exports[0])
    sentences = (" ".join(words) for words, _ in generate("en", "dev"))
    sentence, found = next((text, hits) for text in sentences if (hits := tag(text)))
    body = json.dumps({"inputs": [sentence]}).encode()
    uri, model = search.engine.tracker.uri, "models:/prokd-phrasebook-en-ar@champion"
    with served(model, uri, tmp_path) as address:
        request = urllib.request.Request(
            f"{address}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["predictions"] == [
                ",".join(entity["entity_group"] for entity in found)
            ]


def test_a_server_with_a_login_takes_runs_and_the_champion(
    finished, new_store, tmp_path, monkeypatch
):
    from search.exports import export_best
    from search.records.tracking import Tracker

    _, search, summary = finished
    user, password, said = "admin", "correct horse battery", []
    new_store(tmp_path / "server", "server.db")
    with mlflow_server(tmp_path / "server", (user, password)) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        with pytest.raises(UserError, match="wants to know who asks"):
            Tracker(search.output).check()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        tracker = Tracker(search.output, say=said.append)
        tracker.check()
        best = summary.standings[:1]
        experiment = best[0].best_row.experiment
        tracker.stage(experiment, "student", ended=True)
        export_best(best, tmp_path / "exports", search.engine.runtime, tracker)
        assert not tracker.send_rest()
        assert not said
        run = mirrored(tracker, f"stage:student:{experiment.result.signature}")
        client, name = MlflowClient(server.uri), "prokd-phrasebook-en-ar"
        version = client.get_model_version_by_alias(name, "champion")
        assert version.run_id == run.info.run_id
        assert password not in str(run.to_dictionary())
        config = client.download_artifacts(run.info.run_id, "config.json", str(tmp_path))
        assert password not in Path(config).read_text(encoding="utf-8")
        # What the server refuses costs a sentence, not the search.
        tracker.publish(experiment, tmp_path / "exports", "no/name", (1.0, {}))
        assert tracker.send_rest() == 1
        assert "does not take the model no/name" in said[0]
        assert "1 record is not sent" in said[1]
        assert len(said) == 2
        tracker.abandon()


def test_no_test_number_reaches_the_study(finished):
    _, search, _ = finished
    journal = (search.output / "studies" / f"{search.name}.journal").read_text(encoding="utf-8")
    assert "test/" not in journal
    for path in search.engine.runtime.runs_dir.glob("*/result.json"):
        assert "test/" not in path.read_text(encoding="utf-8")


def test_a_settled_search_needs_no_ray_unless_a_run_is_damaged(finished):
    from search.launch import opened, run_searches
    from search.rest import search_at_rest
    from search.workers.cluster import NeedsRay
    from search.workers.connection import is_here

    _, search, _ = finished
    runtime, descriptions = search.engine.runtime, search.engine.descriptions
    options = {"address": None, "gpus_per_trial": None, "compare": False}

    def at_rest(trials, **changes):
        spec = _spec(trials)
        return search_at_rest([spec], descriptions, search.output, **options | changes)

    assert at_rest(3) == "fp32"
    assert at_rest(60) is None
    assert at_rest(3, compare=True) is None  # the oracle has not looked yet
    assert not is_here("local")  # this process is connected to one
    before = _stamps(runtime.runs_dir)

    def run_at_rest():
        with opened(runtime, search.output, at_rest="fp32") as engine:
            return run_searches(engine, [_spec(3)], search.output)

    (summary,) = run_at_rest()
    assert [standing.rank for standing in summary.standings] == [1, 2, 3]
    assert _stamps(runtime.runs_dir) == before
    folder = search.engine.runtime.runs_dir / summary.standings[0].rows[0].experiment.result.path
    kept = {path: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    (folder / "weights.safetensors").write_bytes(b"?")
    try:
        with pytest.raises(NeedsRay):
            run_at_rest()
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_running_again_trains_nothing_and_more_trials_train_the_rest(finished):
    run_search, search, summary = finished
    before = _stamps(search.engine.runtime.runs_dir)
    client = MlflowClient(search.engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    num_runs = len(client.search_runs(where))
    (model,) = client.search_logged_models(where)
    run = client.get_run(model.source_run_id)
    assert run.info.end_time
    assert not client.search_logged_models(["0"])
    assert model.artifact_location.startswith((search.output / "mlartifacts").as_uri())
    again, same = run_search(trials=3)
    assert again.engine.reuse.epochs == 0
    assert [s.trial for s in same.standings] == [s.trial for s in summary.standings]
    assert _stamps(search.engine.runtime.runs_dir) == before
    assert len(client.search_runs(where)) == num_runs
    assert [found.model_id for found in client.search_logged_models(where)] == [model.model_id]
    assert client.get_run(run.info.run_id).info.end_time == run.info.end_time
    more, larger = run_search(trials=4)
    assert len(larger.standings) == 4
    after = _stamps(search.engine.runtime.runs_dir)
    assert {name: after[name] for name in before} == before
    assert len(more.engine.reuse.trained["student"]) == 1


def test_another_store_gets_all_of_a_finished_search(finished, new_store, tmp_path, monkeypatch):
    run_search, search, _ = finished
    new_store(tmp_path, "other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    monkeypatch.chdir(tmp_path)  # such a store keeps artifacts where it is used
    again, _ = run_search(trials=3)
    assert again.engine.reuse.epochs == 0
    old, new = (_mirrored_runs(each.engine.tracker.uri) for each in (search, again))
    assert new.keys() <= old.keys()
    assert len(new) == len({key for key in old if not key.startswith("search")}) + 1
    for key, (name, nested, metrics, status) in new.items():
        assert (name, nested, status) == (old[key][0], old[key][1], old[key][3])
        assert metrics == old[key][2]


def _mirrored_runs(uri):
    """Return names, parents, last metrics and ends of runs, by what they mirror."""
    client = MlflowClient(uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    runs = {run.info.run_id: run for run in client.search_runs(where)}
    keys = {run_id: run.data.tags["prokd.key"] for run_id, run in runs.items()}
    parents = {run_id: run.data.tags.get("mlflow.parentRunId") for run_id, run in runs.items()}
    assert len(set(keys.values())) == len(keys)
    return {
        keys[run_id]: (
            run.info.run_name,
            keys.get(parents[run_id]),
            run.data.metrics,
            run.info.status,
        )
        for run_id, run in runs.items()
    }


def test_numbers_do_not_depend_on_the_worker_or_on_what_it_did_before(finished, tmp_path):
    from prokd.training.run import StageRun

    _, search, _ = finished
    trial = _trials(search, TrialState.COMPLETE)[-1]
    config = with_overrides(search.spec.base, {**trial.params, "seed": 0})
    runtime = search.engine.runtime.model_copy(update={"runs_dir": tmp_path, "threads": 1})
    for kind in ("teacher", "student"):
        with StageRun(kind, config, runtime) as run:
            run.run()
    alone, shared = _weights(tmp_path), _weights(search.engine.runtime.runs_dir)
    assert len(alone) == 2
    assert {name: shared[name] for name in alone} == alone


def test_target_labels_change_the_report_and_nothing_else(finished, open_engine, tmp_path):
    def scrambled(tags):
        return ["B-LOC" if index % 2 else "O" for index in range(len(tags))]

    _, search, _ = finished
    folder = write_corpus(tmp_path / "scrambled")
    write_corpus(folder, languages=("ar",), tags=scrambled)
    other = tmp_path / "other"
    runtime = search.engine.runtime.model_copy(
        update={"data_dirs": (folder,), "runs_dir": other / "runs"}
    )
    again = Search(_spec(trials=1), open_engine(runtime=runtime, output=other), other)
    summary = again.run()
    original, weights = _weights(search.engine.runtime.runs_dir), _weights(other / "runs")
    assert again.name == search.name
    assert weights
    assert {name: original[name] for name in weights} == weights
    for standing in summary.standings:
        (row,) = standing.rows
        name = row.experiment.result.path.name
        twin = search.engine.runtime.runs_dir / name
        assert json.loads((twin / "result.json").read_text())["objective"] == standing.objective
        theirs = json.loads((twin / "report.json").read_text())
        mine = row.experiment.result.report()
        assert theirs["fingerprint"] != mine["fingerprint"]
        keys = [key for key in mine["metrics"] if key.startswith("test/en/")]
        assert {k: mine["metrics"][k] for k in keys} == {k: theirs["metrics"][k] for k in keys}
    # Other test labels under the runs of before: their reports are renewed, nothing is trained.
    before = _stamps(search.engine.runtime.runs_dir)
    runtime = search.engine.runtime.model_copy(update={"data_dirs": (folder,)})
    renewed = Search(
        search.spec, open_engine(runtime=runtime, output=search.output), search.output
    )
    standings = {s.rows[0].experiment.result.signature: s for s in renewed.run().standings}
    assert renewed.engine.reuse.epochs == 0
    assert _stamps(search.engine.runtime.runs_dir) == before
    for standing in summary.standings:
        twin = standings[standing.rows[0].experiment.result.signature]
        assert twin.target_f1 == standing.target_f1


def test_collapsed_runs_fail_once_with_their_reason(open_engine, output, runtime):
    spec = tiny_spec(1, **{"student.collapse_agreement": 1.0})
    search = Search(spec, open_engine(), output)
    summary = search.run()
    assert not summary.standings
    assert not summary.exports
    assert len(summary.failed) == 1
    assert all("agree" in reason for reason in summary.failed.values())
    assert len(_trials(search, TrialState.PRUNED)) == 1
    again = Search(spec, open_engine(), output)
    assert again.run().failed == summary.failed
    assert again.engine.reuse.epochs == 0
    assert not search.engine.tracker.send_rest() + again.engine.tracker.send_rest()
    client = MlflowClient(search.engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    failed = client.search_runs(where, "attributes.status = 'FAILED'")
    assert sorted(run.data.tags["kind"] for run in failed) == ["student", "trial"]


def test_several_seeds_are_averaged(open_engine, output):
    search = Search(_spec(1, TWO_POINTS, seeds=(0, 1)), open_engine(), output)
    (standing,) = search.run().standings
    assert [row.experiment.config.seed for row in standing.rows] == [0, 1]
    assert standing.objective == pytest.approx(sum(row.objective for row in standing.rows) / 2)
    assert standing.target_f1[1] >= 0
    assert len(search.engine.reuse.trained["teacher"]) == 2


def test_a_spent_time_budget_starts_nothing(open_engine, output, runtime):
    engine = open_engine(deadline=time.time())
    summary = Search(tiny_spec(trials=2), engine, output).run()
    assert summary.left == 2
    assert not list(runtime.runs_dir.glob("*"))


def test_variants_share_teachers_and_are_logged(open_engine, output, runtime):
    from search.variants import run_variants

    variants = {
        "full": tiny_config(),
        "full minus PK": tiny_config(**{"student.fusion_weight": 1.0}),
    }
    engine = open_engine()
    rows = run_variants(engine, "ablation tiny", variants, [0], name="tiny")
    assert not engine.tracker.send_rest()
    assert [row.record()["variant"] for row in rows] == list(variants)
    assert all(0 <= row.objective <= 1 for row in rows)
    assert all("test/ar/entity_f1" in row.record() for row in rows)
    assert len(engine.reuse.trained["teacher"]) == 1
    client = MlflowClient(engine.tracker.uri)
    where = [client.get_experiment_by_name("prokd/phrasebook/en-ar").experiment_id]
    kinds = sorted(run.data.tags["kind"] for run in client.search_runs(where))
    assert kinds == ["ablation", "student", "student", "teacher", "variant", "variant"]
    again = open_engine()
    run_variants(again, "ablation tiny", variants, [0], name="tiny")
    assert not again.tracker.send_rest()
    assert again.reuse.epochs == 0
    assert len(client.search_runs(where)) == 6
