"""A mirror of run folders in real stores: nothing twice, nothing lost, nothing that blocks."""

import errno
import json
import re
import shutil
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import _validate_metric_name

from prokd.config import RuntimeConfig
from prokd.training.run import StageRun
from search.experiments import DataDescriptions, Experiment
from search.records import tracking
from search.records.record import acceptable
from search.records.store_errors import reason, why_away, without_secrets
from search.records.tracking import Tracker
from tests.mlflow_server import mlflow_server
from tests.search.conftest import mirrored, tiny_config, write_corpus

ODD = {"LOC": "LOC(GPE)", "PER": "C++", "ORG": "C#"}


@pytest.fixture(scope="module")
def trained(cache, tmp_path_factory):
    """One teacher and three students on a corpus whose entity types have odd names."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_corpus(folder / "data", tags=lambda tags: [_odd(tag) for tag in tags])
    runtime = RuntimeConfig(
        data_dirs=(data,), cache_dir=cache, runs_dir=folder / "runs", device="cpu", threads=1
    )
    configs = [tiny_config(**{"student.fusion_weight": weight}) for weight in (0.7, 0.8, 0.9)]
    for config in configs:
        for kind in ("teacher", "student"):
            with StageRun(kind, config, runtime) as run:
                run.run()
                if kind == "student":
                    run.report()
                    run.oracle()
    return configs, DataDescriptions(runtime).training(configs[0]), runtime.runs_dir


def _odd(tag):
    prefix, _, name = tag.partition("-")
    return f"{prefix}-{ODD[name]}" if name else tag


@pytest.fixture
def experiments(trained, output):
    """The same in a folder of this test."""
    configs, data, runs_dir = trained
    shutil.copytree(runs_dir, output / "runs")
    return [Experiment(f"{n}", config, data, output / "runs") for n, config in enumerate(configs)]


@pytest.fixture
def quick(monkeypatch):
    """Look at a store that is away, and give up, sooner than for a person."""
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.3)
    monkeypatch.setattr(tracking, "PATIENCE", 60)


def _mark(tracker, experiments):
    for experiment in experiments:
        tracker.stage(experiment, "teacher", ended=True)
        tracker.stage(experiment, "student", ended=True)


def _send(output, experiments):
    """Mirror as a driver does that starts anew; return what it said."""
    said = []
    tracker = Tracker(output, say=said.append)
    _mark(tracker, experiments)
    left = tracker.send_rest()
    tracker.abandon()
    return tracker, said, left


def _contents(uri):
    """Return all that a store holds of each run, by what it mirrors."""
    client, found = MlflowClient(uri), {}
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    for run in client.search_runs(ids):
        names = sorted(run.data.metrics)
        histories = [client.get_metric_history(run.info.run_id, name) for name in names]
        found[run.data.tags["prokd.key"]] = {
            "params": run.data.params,
            "status": run.info.status,
            "metrics": [(m.key, m.step, m.value) for history in histories for m in history],
            "artifacts": sorted(a.path for a in client.list_artifacts(run.info.run_id)),
            "run": (run.info.run_id, run.info.end_time, run.data.tags),
        }
    return found


def _without_run(contents):
    return {key: {k: v for k, v in c.items() if k != "run"} for key, c in contents.items()}


def test_running_twice_changes_nothing_and_a_lost_store_gets_everything(
    experiments, new_store, output
):
    tracker, said, left = _send(output, experiments)
    assert (said, left) == ([], 0)
    once = _contents(tracker.uri)
    assert len(once) == 4
    for content in once.values():
        assert content["status"] == "FINISHED"
        steps = [step for name, step, _ in content["metrics"] if name == "dev/en/entity_f1"]
        assert steps == [1, 2]
        assert "weights.safetensors" in content["artifacts"]
    _send(output, experiments)
    assert _contents(tracker.uri) == once
    new_store(output / "lost")
    other, said, left = _send(output / "lost", experiments)
    assert (said, left) == ([], 0)
    anew = _contents(other.uri)
    assert _without_run(anew) == _without_run(once)
    # A run that a person deletes while the driver lives is made anew.
    tracker = Tracker(output, say=said.append)
    _mark(tracker, experiments)
    assert not tracker.send_rest()
    key = f"stage:student:{experiments[0].result.signature}"
    MlflowClient(tracker.uri).delete_run(mirrored(tracker, key).info.run_id)
    tracker.stage(experiments[0], "student", ended=True, oracle=True)
    assert not tracker.send_rest()
    run = mirrored(tracker, key)
    assert {"criteria/oracle", "test/ar/entity_f1"} <= set(run.data.metrics)
    assert run.info.status == "FINISHED"
    tracker.abandon()
    assert said == []


def test_what_was_logged_before_its_note_was_is_there_once(experiments, output):
    tracker, _, _ = _send(output, experiments)
    once = _contents(tracker.uri)
    client = MlflowClient(tracker.uri)
    for content in once.values():  # a driver was killed between the two
        client.set_tag(content["run"][0], "prokd.state", "{}")
    _send(output, experiments)
    assert _without_run(_contents(tracker.uri)) == _without_run(once)


def test_entity_types_with_any_characters(experiments, output):
    tracker, said, left = _send(output, experiments[:1])
    assert (said, left) == ([], 0)
    run = mirrored(tracker, f"stage:student:{experiments[0].result.signature}")
    for name in ("LOC_GPE_", "C__", "C_"):
        wanted = f"test/ar/entity_f1/{name}-[0-9a-f]{{8}}$"
        assert [metric for metric in run.data.metrics if re.match(wanted, metric)]
    odd = [
        "LOC(GPE)",
        "LOC[GPE]",
        "R&D",
        "C++",
        "C##",
        "#x",
        "",
        ".",
        "..",
        "..a",
        "a//b",
        "a/",
        "/a",
    ]
    names = {acceptable(name) for name in odd}
    assert len(names) == len(odd)
    for name in names:  # what MLflow itself says of them
        _validate_metric_name(name)
    long = [acceptable(f"{'x' * 300}{end}") for end in "ab"]
    assert len(set(long)) == 2
    assert max(map(len, long)) == 250


def test_two_drivers_that_share_a_teacher_settle_on_one_run(
    experiments, new_store, tmp_path, monkeypatch
):
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)  # such a store keeps artifacts where it is used
    new_store(tmp_path, "shared.db")  # its tables are made by one
    said, meet = [], threading.Barrier(2)
    trackers = [Tracker(tmp_path / name, say=said.append) for name in "ab"]
    for tracker in trackers:
        # Both have looked, and neither has found it, when they make it.
        store = tracker._opened()
        monkeypatch.setattr(store, "_make", _meeting(store._make, meet))
        tracker.stage(experiments[0], "teacher")
    assert [tracker.send_rest() for tracker in trackers] == [0, 0]
    monkeypatch.undo()
    key = f"stage:teacher:{experiments[0].folder('teacher').signature}"
    run = mirrored(trackers[0], key)
    history = MlflowClient(trackers[0].uri).get_metric_history(run.info.run_id, "dev/en/entity_f1")
    assert [metric.step for metric in history] == [1, 2]
    for tracker in trackers:  # both know which one it is
        tracker.stage(experiments[0], "teacher", ended=True)
        assert not tracker.send_rest()
        (known,) = tracker._opened()._runs.values()
        assert known.run_id == run.info.run_id
        tracker.abandon()
    assert mirrored(trackers[0], key).info.status == "FINISHED"
    assert said == []


def _meeting(make, barrier):
    """Let a store's first run wait until the other driver, too, is about to make it."""
    waits = iter([barrier.wait])

    def made(*arguments):
        for wait in waits:
            wait(60)
        return make(*arguments)

    return made


@contextmanager
def _refusing(server, status, named):
    """Run a proxy before a server that refuses all that names one thing, once it can be named."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if named.encode() in body and self.path.endswith("runs/create"):
                text = json.dumps({"error_code": status[1], "message": f"not {named}"}).encode()
                return self.answer(status[0], text, "application/json")
            request = urllib.request.Request(
                server.uri + self.path,
                data=body or None,
                method=self.command,
                headers={k: v for k, v in self.headers.items() if k != "Host"},
            )
            try:
                with urllib.request.urlopen(request) as found:
                    code, text, kind = found.status, found.read(), found.headers["Content-Type"]
            except urllib.error.HTTPError as error:
                code, text, kind = error.code, error.read(), error.headers["Content-Type"]
            return self.answer(code, text, kind)

        def answer(self, code, text, kind):
            self.send_response(code)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Proxy, f"do_{method}", Proxy.forward)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_what_a_server_refuses_or_misses_blocks_nothing(
    experiments, new_store, tmp_path, monkeypatch, quick
):
    """Whatever the code that one run is refused with, and whether the server goes and comes."""
    experiments = experiments[:2]
    refused = experiments[0].result.signature
    new_store(tmp_path / "server", "server.db")
    with mlflow_server(tmp_path / "server") as server:
        for number, status in enumerate(
            [(500, "INTERNAL_ERROR"), (400, "INVALID_PARAMETER_VALUE"), (403, "PERMISSION_DENIED")]
        ):
            with _refusing(server, status, refused) as uri:
                monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
                _, said, left = _send(tmp_path / str(number), experiments)
            assert left == 1
            assert f"does not take student-{refused}" in said[0]
            assert "1 record is not sent" in said[1]
            assert len(said) == 2, "one sentence for one thing and reason"
            assert len(_contents(server.uri)) == 2
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        said = []
        tracker = Tracker(tmp_path / "later", say=said.append)
        tracker.check()
        server.stop()
        _mark(tracker, experiments)
        assert tracker.send_rest(patience=1) == 3
        assert said[0] == "MLflow does not answer; what it misses is sent when it does"
        assert said[1].startswith("3 records are not sent to MLflow, which still does not answer")
        server.start()
        assert tracker.send_rest() == 0
        tracker.abandon()
        assert said[2:] == ["MLflow answers again; what it missed is sent"]
        assert len(_contents(server.uri)) == 3


def test_a_driver_that_ends_leaves_no_run_open(experiments, output):
    tracker = Tracker(output)
    experiments[0].result.path.joinpath("DONE").unlink()
    tracker.stage(experiments[0], "student")
    assert not tracker.send_rest()
    key = f"stage:student:{experiments[0].result.signature}"
    assert mirrored(tracker, key).info.status == "RUNNING"
    tracker.abandon()
    assert mirrored(tracker, key).info.status == "KILLED"


def test_no_password_is_shown():
    for text, shown in {
        "postgresql://me:secret@host/db": "postgresql://host/db",
        "postgresql://u:p@ss/w@host:5432/db": "postgresql://host:5432/db",
        "no answer of http://u:p@h:5/x today": "no answer of http://h:5/x today",
        "https://token@host/a": "https://host/a",
        "http://host:5000/path": "http://host:5000/path",
        "sqlite:////tmp/a@b.db": "sqlite:////tmp/a@b.db",
        "mysql://h/db?password=x@/y&ssl=1": "mysql://h/db?password=...&ssl=1",
        "a https://h/x?token=abc, and": "a https://h/x?token=...",
    }.items():
        assert without_secrets(text).startswith(shown), text
        assert "secret" not in without_secrets(text)
    assert reason(ValueError("of http://u:p@h/\nand more")) == "of http://h/ and more"
    assert reason(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (requests.ConnectionError("refused"), "does not answer"),
        (ConnectionResetError(), "does not answer"),
        (MlflowException("oops"), "does not answer"),  # an internal error, by default
        (OSError(errno.ENOSPC, "No space left on device"), "does not find room on its disk"),
        (MlflowException("database or disk is full"), "does not find room on its disk"),
        (FileNotFoundError(), None),
        (MlflowException.invalid_parameter_value("a name"), None),
        (ValueError("a mistake of ours"), None),
    ],
)
def test_why_a_store_takes_nothing(error, why):
    assert why_away(error) == why
