"""Ctrl-C as a terminal sends it, to the whole group: one sentence, status 130, nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prokd.common.interruption import SENTENCE
from tests import preloaded

ROOT = Path(__file__).parents[2]
LIVES_IN_PROC = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads processes from /proc"
)


def _environment(folder):
    environment = {**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    return environment


def _start(command, folder):
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=_environment(folder),
        start_new_session=True,
        # Where the tests run in the background it is ignored, which a command would keep.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _ends(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("script", ["search/run.py", "ablations/run.py"])
@pytest.mark.parametrize("module", ["typer", "pydantic"])
def test_ctrl_c_while_a_command_is_imported(script, module, tmp_path):
    # The import of a library takes long: as on a cold disk.
    slow = (
        "import runpy, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            import time\n"
        "            print('importing', flush=True)\n"
        "            time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')\n"
    )
    process = _start([sys.executable, "-c", slow], tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    os.killpg(process.pid, signal.SIGINT)
    assert _ends(process) == (130, "", f"{SENTENCE}\n")


def _search(corpus, output, *more):
    command = [str(ROOT / "search" / "run.py"), "--preset", "mini"]
    command += ["--address", "local", "--cpus-per-trial", str(os.cpu_count()), "--trials", "2"]
    command += ["--set", "teacher.epochs=500"]
    command += ["--data-dir", str(corpus)] if corpus else []
    return [*command, "--output", str(output), *more]


def _of_the_session(leader):
    """Return the processes that descend from a command; Ray's are in its session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append((int(path.name), command))
    return found


def _says(out, text):
    lines = []
    for line in out:
        lines.append(line)
        if text in line:
            return
    raise AssertionError("".join(lines))


@pytest.mark.ray
@LIVES_IN_PROC
def test_ctrl_c_while_ray_starts(corpus, tmp_path):
    command = _search(corpus, tmp_path / "out")
    process, out, err = preloaded.piped(
        command, cwd=tmp_path, env=_environment(tmp_path), leads=True
    )
    _says(out, "starting Ray")
    deadline = time.monotonic() + 60
    while not any(b"gcs_server" in command for _, command in _of_the_session(process.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    agents = {preloaded.fork_of(pid) for pid, _ in _of_the_session(process.pid)}
    os.killpg(process.pid, signal.SIGINT)
    assert (process.wait(60), out.read(), err.read()) == (130, "", f"{SENTENCE}\n")
    _are_gone(process, agents)


@pytest.mark.ray
@LIVES_IN_PROC
def test_ctrl_c_twice_while_teachers_train(output, tmp_path):
    # Hundreds of sentences one by one: no epoch ends between the two signals. What is asked to
    # stop before its first epoch has none at hand: the subwords are there when it begins.
    cache = tmp_path / "cache"
    slow = ["--set", "teacher.batch_sentences=1", "--cache-dir", str(cache)]
    for part, limit in {"source_train": 600, "target_train": 60, "evaluation": 20}.items():
        slow += ["--set", f"data.{part}_limit={limit}"]
    command = _search(None, output, *slow)
    process, out, err = preloaded.piped(
        command, cwd=tmp_path, env=_environment(tmp_path), leads=True
    )
    _says(out, "to train")
    deadline = time.monotonic() + 120
    while not list(cache.glob("*.arrow")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = {preloaded.fork_of(pid) for pid, _ in _of_the_session(process.pid)}
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(60) == 130
    assert err.read() == f"{SENTENCE}\n"
    assert out.read() == "stopping when the epochs at hand are done (again: at once)\n"
    _are_gone(process, workers)
    assert not list((output / "ray_results").glob("*"))


def _are_gone(process, others=()):
    deadline = time.monotonic() + 60
    while left := [
        *_of_the_session(process.pid),
        *(pid for pid in others if Path(f"/proc/{pid}").exists()),
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
