"""Commands in processes of their own that need not import everything anew.

A first process imports what the commands import, then waits; each command is a fork of it: a real
process with its own arguments, environment, working folder, streams and end. What it saves is the
seconds of imports, of which each start of a search would have its own. What a module reads from
the environment when it is imported is read once: tests of such things start an interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "search.workers.cluster",  # first: it sets what Ray reads when it is imported
    "search.launch",
    "search.criteria",
    "search.records.models",
    "ablations.execute",
    "prokd.cli.app",
    "prokd.training.run",
    "prokd.scoring.pipeline",
    "mlflow.transformers",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "transformers.models.bert.modeling_bert",
)
HARMLESS = "jemalloc_bg_thd"
"""A thread of pyarrow's allocator, which knows what to do when its process forks."""


class Process:
    """A command that runs, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, server: _Server, pid: int, args: Sequence[str]) -> None:
        self.server, self.pid, self.args = server, pid, list(args)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, as `subprocess` counts it, or None while it runs."""
        if self.returncode is None:
            self.server.look()
            self.returncode = self.server.ended.pop(self.pid, None)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.server.look(0.05)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process with the imports, and the line to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.line, theirs = socket.socketpair()
        environment = {**environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())]
        self.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self.ended: dict[int, int] = {}
        self._rest = b""
        self._started: list[int] = []

    def look(self, seconds: float = 0.0) -> None:
        """Take in what it has said since."""
        if not select.select([self.line], [], [], seconds)[0]:
            return
        content = self.line.recv(1 << 16)
        if not content:
            raise RuntimeError("the process with the imports has ended")
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            what, *numbers = json.loads(line)
            if what == "started":
                self._started.append(numbers[0])
            else:
                self.ended[numbers[0]] = numbers[1]

    def start(self, order: dict[str, Any], streams: Sequence[int]) -> int:
        content = json.dumps(order).encode()
        socket.send_fds(self.line, [len(content).to_bytes(8, "little")], streams)
        self.line.sendall(content)
        while not self._started:
            self.look(1.0)
        return self._started.pop()


_servers: dict[str | None, _Server] = {}
"""By the one thing that Ray reads when it is imported and that differs between tests."""


def _server(environment: Mapping[str, str]) -> _Server:
    """Return the server for an environment, which ends when its line does."""
    mode = environment.get("RAY_AUTH_MODE")
    if mode not in _servers:
        _servers[mode] = _Server(environment)
        atexit.register(_servers[mode].process.kill)
    return _servers[mode]


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Start ``[script or -m, ...]``, a Python command without its interpreter.

    Args:
        command: A script or ``-m`` and a module, and arguments.
        cwd: Its working folder.
        stdout: Descriptor that it writes to.
        stderr: Descriptor that it writes to.
        stdin: Descriptor that it reads; None = nothing.
        env: Its environment; None = that of this process.
    """
    environment = dict(os.environ if env is None else env)
    order = {"command": list(command), "cwd": str(cwd), "env": environment}
    server = _server(environment)
    with open(os.devnull) as nothing:
        given = nothing.fileno() if stdin is None else stdin
        return Process(server, server.start(order, [given, stdout, stderr]), command)


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    text: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, given a text to read; return its status and what it wrote."""
    temporary = tempfile.TemporaryFile
    with temporary() as given, temporary() as out, temporary() as err:
        given.write(text.encode())
        given.seek(0)
        streams = {"stdin": given.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        process = start(command, cwd=cwd, env=env, **streams)
        try:
            status = process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess(list(command), status, *texts)


def _threads() -> set[str]:
    return {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}


def _serve(line: socket.socket) -> None:
    """Import, then fork for each order; return in the fork alone."""
    before = dict(os.environ)
    for module in MODULES:
        __import__(module)
    assert (threads := _threads()) <= {"python", HARMLESS}, f"a fork leaves {threads} behind"
    gc.freeze()  # else every fork's collector would look through all of it
    added = {name: value for name, value in os.environ.items() if name not in before}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([line, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    code = os.waitstatus_to_exitcode(ended[1])
                    line.sendall(json.dumps(["ended", ended[0], code]).encode() + b"\n")
        if line in ready:
            size, streams, _, _ = socket.recv_fds(line, 8, 3)
            if not size:
                os._exit(0)
            content = b""
            while len(content) < int.from_bytes(size, "little"):
                content += line.recv(int.from_bytes(size, "little") - len(content))
            order = json.loads(content)
            if not (child := os.fork()):
                os.close(woken)
                os.close(wakes)
                line.close()
                _become(order, streams, added)
                return
            for stream in streams:
                os.close(stream)
            line.sendall(json.dumps(["started", child]).encode() + b"\n")


def _become(order: dict[str, Any], streams: Sequence[int], added: Mapping[str, str]) -> None:
    """Turn a fork into the process that was ordered."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(dict(added) | order["env"])
    sys.path[:0] = filter(None, order["env"].get("PYTHONPATH", "").split(os.pathsep))
    os.chdir(order["cwd"])
    sys.argv = list(order["command"])


def _go() -> None:
    """Do what a Python interpreter does with ``sys.argv``."""
    if sys.argv[0] == "-m":
        _, module, *rest = sys.argv
        sys.argv = [module, *rest]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    if str(ROOT) in sys.path:
        sys.path.remove(str(ROOT))
    _serve(socket.socket(fileno=int(sys.argv[1])))
    _go()
