"""What listens, what nodes must share, what ends one trial alone, what a signal does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from prokd.errors import UserError
from search.engine import Engine
from search.experiments import DataDescriptions
from search.records.tracking import Tracker
from search.workers import nodes
from search.workers.trainables import job
from search.workers.tune import StageTrainable
from tests import preloaded
from tests.search.conftest import tiny_config

ROOT = Path(__file__).resolve().parents[2]
WITH_ROOT = {**os.environ, "PYTHONPATH": str(ROOT)}
LOCALHOST = {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}


def _listening():
    """Return the local address of each socket that listens, by inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                found[words[9]] = words[1].partition(":")[0]
    return found


ALONE = """
from pathlib import Path
from search.workers.cluster import Resources, connected
from search.workers.connection import LOCAL
from tests.search.test_safety import addresses_below
with connected(LOCAL, Resources(), Path({folder!r}), num_cpus=1):
    print(*addresses_below())
"""


def addresses_below():
    """Return where this process and those below it listen."""
    addresses, listening = set(), _listening()
    for process in [os.getpid(), *preloaded.descendants(os.getpid())]:
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                name = os.readlink(link)
            except OSError:
                continue
            addresses |= {listening.get(name[len("socket:[") : -1], "")} - {""}
    return addresses


@pytest.mark.ray
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads sockets from /proc")
def test_a_local_ray_listens_on_localhost_alone(tmp_path):
    # In a process of its own: that of the tests may have had other Rays.
    (tmp_path / "alone.py").write_text(ALONE.format(folder=str(tmp_path)))
    done = preloaded.run([str(tmp_path / "alone.py")], cwd=ROOT, env=WITH_ROOT)
    assert done.returncode == 0, done.stderr
    addresses = set(done.stdout.split())
    assert addresses
    assert addresses <= LOCALHOST


@pytest.mark.parametrize("name", ["python", "torch", "code"])
def test_a_node_with_another_version_is_named(name, tmp_path):
    storage, expected = nodes.mark_storage(tmp_path), nodes.description()
    nodes.check(expected, storage)
    with pytest.raises(UserError, match=r"all nodes must have the same .*the driver has 0\.0"):
        nodes.check({**expected, name: "0.0"}, storage)


def test_a_node_that_sees_another_storage_is_named(tmp_path):
    storage = nodes.mark_storage(tmp_path)
    assert nodes.mark_storage(tmp_path) == storage
    Path(storage["file"]).write_text("that of another folder")
    with pytest.raises(UserError, match="must be shared by all nodes"):
        nodes.check(nodes.description(), storage)


def test_a_mark_that_was_begun_and_never_written_is_written(tmp_path):
    storage = nodes.mark_storage(tmp_path)
    Path(storage["file"]).write_text("")  # as a driver leaves it that is killed here
    again = nodes.mark_storage(tmp_path)
    assert again["content"]
    nodes.check(nodes.description(), again)


def _teacher(config, runtime, **settings):
    data = DataDescriptions(runtime).training(config)
    return StageTrainable(job("teacher", config, runtime, data=data, **settings))


def test_a_late_node_is_looked_at_before_its_first_trial(runtime, tmp_path):
    config = tiny_config()
    wrong = {"expected": {**nodes.description(), "torch": "0.0"}, "storage": {}}
    trial = _teacher(config, runtime, nodes=wrong)
    result = trial.train()
    assert result["state"] == "refused"
    assert "same torch" in result["reason"]
    assert not runtime.runs_dir.exists()


def test_out_of_memory_ends_one_trial_with_a_sentence(runtime, monkeypatch):
    trial = _teacher(tiny_config(), runtime)
    monkeypatch.setattr(trial._worker, "_open", lambda job: torch.empty(1 << 50))
    result = trial.train()
    assert result["state"] == "refused"
    assert result["reason"].startswith("out of memory: ")


def test_a_stop_is_seen_by_a_trial_on_any_node(runtime, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    trial = _teacher(tiny_config(), runtime, stop=stop)
    result = trial.train()
    assert (result["state"], result["reason"]) == ("paused", "the search was stopped")
    assert result["epoch"] == result["trained"] == 0
    assert not list(runtime.runs_dir.glob("*/history.jsonl"))


def test_a_store_that_does_not_answer_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    store = Tracker(tmp_path)
    with pytest.raises(UserError, match=r"must answer, but http://127\.0\.0\.1:1 does not"):
        store.check()


@pytest.mark.parametrize("signals", [1, 2])
def test_once_cleanly_twice_at_once(signals):
    program = (
        "import time\n"
        "from search.interruption import stopping_cleanly\n"
        "asked = []\n"
        "with stopping_cleanly(lambda: asked.append(1)):\n"
        "    print('ready', flush=True)\n"
        "    while not asked: time.sleep(0.01)\n"
        "    print('asked', flush=True)\n"
        "    time.sleep(1)\n"
        "print('clean', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    if signals == 2:
        process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    process.wait()
    assert (rest == "clean\n") == (signals == 1)


def test_an_engine_that_is_stopped_is_over(open_engine):
    engine = open_engine()
    assert isinstance(engine, Engine)
    assert not engine.is_over
    engine.stop()
    assert engine.is_over
    assert engine.stop_file.exists()
    engine.close()
    assert not engine.stop_file.exists()


@pytest.mark.parametrize("name", ["../secret", "a/b", "/etc", "..", "en\n", "a"])
def test_a_language_cannot_lead_out_of_its_folder(name):
    with pytest.raises(UserError, match="target"):
        tiny_config(target=name)
