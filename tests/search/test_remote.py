"""Submitting from outside: what a cluster file must say, and what comes back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prokd.errors import UserError
from search.remote.submission import UNREACHABLE, project_folder, read_cluster, submit, tunnel
from tests.preloaded import descendants

ROOT = Path(__file__).resolve().parents[2]
FILLED = """
cluster_name: here
provider: {type: local, head_ip: 192.0.2.1, worker_ips: []}
auth: {ssh_user: nobody}
min_workers: 0
max_workers: 0
file_mounts: {~/prokd: %s}
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read"),
        ("a: [", "must be YAML"),
        ("- a", "must name its cluster_name"),
        ("cluster_name: x\nauth: {ssh_user: FILL_IN_USER}", "still says FILL_IN_USER"),
    ],
)
def test_a_cluster_file_that_cannot_be_used(text, sentence, tmp_path):
    file = tmp_path / "cluster.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_cluster(file)


def test_the_checkout_must_be_mounted(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(FILLED % tmp_path)
    with pytest.raises(UserError, match="must mount"):
        project_folder(read_cluster(file), file)
    file.write_text(FILLED % ROOT)
    assert project_folder(read_cluster(file), file) == "~/prokd"
    assert "--port-forward 5000" in tunnel(file)


def test_a_head_that_is_not_up_is_one_sentence(tmp_path, monkeypatch):
    file, said = tmp_path / "cluster.yaml", []
    file.write_text((FILLED % ROOT).replace("192.0.2.1", "127.0.0.1"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert submit(file, ["--lang", "ar"], say=said.append) == UNREACHABLE
    assert said[0] == f"running on the head of the cluster here ({file})"
    assert said[-1].startswith("error: the head of the cluster must be up")
    assert not any("File " in line or "Traceback" in line for line in said)


def _attached(tmp_path, *arguments):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "search.remote.attached", *arguments],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_attached_shows_the_output_and_returns_the_exit_status(tmp_path):
    process = _attached(tmp_path, "--lang", "ar", "--source", "ar", "--preset", "mini")
    shown, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "source and target must differ" in shown
    assert (tmp_path / "prokd-logs" / "latest.log").read_text() == shown


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads the search's process from /proc"
)
def test_a_lost_connection_leaves_the_search_alone(tmp_path):
    process = _attached(tmp_path, "--lang", "ar", "--source", "ar", "--preset", "mini")
    log = tmp_path / "prokd-logs" / "latest.log"
    end = time.monotonic() + 120
    while not log.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    (search,) = descendants(process.pid)
    os.kill(search, signal.SIGSTOP)  # it has not ended when the connection is lost
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)
    process.wait(timeout=60)
    assert log.read_text() == ""
    os.kill(search, signal.SIGCONT)
    while "source and target must differ" not in log.read_text():
        assert time.monotonic() < end + 180, log.read_text()
        time.sleep(0.2)
