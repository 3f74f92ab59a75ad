"""Shares of a GPU on a mixed cluster: a head without one, a machine with one that trains all.

Ray counts GPUs that it is told of: here a made-up one, so that each trial trains on the CPU.
"""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests import preloaded
from tests.search.conftest import TINY
from tests.search.test_recovery import _wait

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc"),
]


def _environment():
    """Return that of a user; this process may have a Ray, which stays by itself."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    # No token in the home of a user; a process with the imports has kept Ray to one machine.
    return own | {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def _node(*options, folder):
    """Start a node of a cluster, with its own files and with traces nowhere else."""
    environment = _environment() | {"RAY_TMPDIR": str(folder)}
    with (folder / f"{len(list(folder.glob('*.log')))}.log").open("w") as log:
        process = preloaded.start(
            [RAY, "start", "--block", "--disable-usage-stats", *options],
            env=environment,
            stdout=log.fileno(),
            stderr=log.fileno(),
            cwd=folder,
        )
    try:
        yield process
    finally:  # at once: a node that is asked to end waits for its trials first
        for pid in [*preloaded.descendants(process.pid), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _started(until_the_end, folder, *options):
    """Return the process of a node; a busy machine may take longer than Ray gives it."""
    for _ in range(3):
        process = until_the_end.enter_context(_node(*options, folder=folder))
        log = folder / f"{len(list(folder.glob('*.log'))) - 1}.log"

        def there(log=log):
            return "Ray runtime started" in log.read_text()

        _wait(lambda process=process, there=there: process.poll() is not None or there())
        if there():
            return process.pid
    raise AssertionError("\n".join(log.read_text()[-1500:] for log in folder.glob("*.log")))


@pytest.fixture
def mixed_cluster():
    """Yield the address, and the process of the node with the GPU."""
    port = _free_port()
    address = f"127.0.0.1:{port}"
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie in it
    here = ["--node-ip-address", "127.0.0.1"]
    head = [
        "--head",
        f"--port={port}",
        "--num-cpus=1",
        "--num-gpus=0",
        "--include-dashboard=false",
    ]
    with ExitStack() as until_the_end:
        until_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
        first = _started(until_the_end, folder, *head, *here)
        with_gpu = [f"--address={address}", "--num-cpus=2", "--num-gpus=1"]
        second = _started(until_the_end, folder, *with_gpu, *here)
        yield address, first, second


def _workers(pid):
    """Return what trains on a node, or what trains in the place of a process of the node."""
    commands = preloaded.descendants(pid).items()
    return [process for process, command in commands if "StageWorker" in command]


def test_trials_share_the_gpu_of_another_node(mixed_cluster, corpus, new_store, tmp_path):
    new_store(tmp_path / "out")
    address, head, gpu_node = mixed_cluster
    settings = TINY | {"encoder.precision": "auto", "student.epochs": 3}
    settings |= {"prototypes.update_rate": 0.005, "teacher.alignment.temperature": 0.9}
    command = [str(ROOT / "search" / "run.py"), "--lang", "ar", "--preset", "mini"]
    command += ["--data-dir", str(corpus), "--space=paper", "--grid"]
    command += ["--trials", "3", "--address", address, "--output", "out"]
    command += ["--gpus-per-trial", "0.25", "--cpus-per-trial", "0.5", "--no-report"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    with (tmp_path / "log").open("w") as log:
        streams = {"stdout": log.fileno(), "stderr": log.fileno()}
        environment = _environment()
        driver = preloaded.start(command, cwd=tmp_path, env=environment, **streams)
    most = []

    def over():
        most.append((len(_workers(head)), len(_workers(gpu_node))))
        return driver.poll() is not None

    _wait(over, pause=0.2)  # each look goes through all processes
    shown = (tmp_path / "log").read_text(encoding="utf-8")
    assert driver.poll() == 0, shown
    assert "4 at a time, 0.5 CPU, 0.25 GPU each" in shown
    assert "students: 3 trained" in shown
    assert max(on_head for on_head, _ in most) == 0
    assert max(on_gpu for _, on_gpu in most) >= 2
    files = list((tmp_path / "out" / "runs").glob("*/config.json"))
    trained = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert [each["encoder"]["precision"] for each in trained] == ["bf16"] * 4  # that of the node
