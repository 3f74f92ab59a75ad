"""Commands in processes of their own that need not import everything anew.

A first process imports what the commands import, then waits; each command is a fork of it: a real
process with its own arguments, environment, working folder, streams and end. What it saves is the
seconds of imports, of which each start of a search would have its own. What a module reads from
the environment when it is imported is read once: tests of such things start an interpreter.

Where a command starts Python itself, it does so with an `INTERPRETER` that takes the same way for
Ray's workers and agents, MLflow's server and benchmarks, and is a plain one for all else.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "aiohttp",
    "dill",
    "fsspec.asyn",
    "jinja2",
    "multiprocess",
    "numpy",
    "pandas",
    "PIL.Image",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic",
    "requests",
    "rich.console",
    "safetensors.torch",
    "scipy.optimize",
    "tokenizers",
    "torch._dynamo",
    "typer",
)
"""What Hugging Face's libraries import, which themselves read where the hub is when imported."""
MODULES = (
    "prokd.cli.app",
    "prokd.training.run",
    "prokd.scoring.pipeline",
    "prokd.cli.serving.app",
    "mlflow.cli",
    "mlflow.transformers",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "transformers.models.bert.modeling_bert",
    "uvicorn",
    "search.records.models",
    "search.criteria",
)
AND_RAY = (
    "search.workers.cluster",
    "search.launch",
    "ablations.execute",
    "ray.autoscaler._private.monitor",
    "ray.dashboard.agent",
    "ray.dashboard.dashboard",
    "ray.runtime_env",
)
"""What commands and agents import as well; who a worker is, Ray reads from its environment when
it is imported.
"""
HARMLESS = "jemalloc_bg_thd"
"""A thread of pyarrow's allocator, which knows what to do when its process forks."""
INTERPRETER = """\
#!{real} -ISE
import os, sys
given = sys.argv[1:]
command = given[1:] if given[:1] == ["-u"] else given
name = (command[1:2] if command[:1] == ["-m"] else command[:1]) or [""]
line = next((line for line, ends in {forked!r} if name[0].endswith(ends)), None)
if line is None:
    os.execv({real!r}, [{self!r}, *given])
import json, signal, socket
order = {{"command": command, "cwd": os.getcwd(), "env": dict(os.environ), "leads": True}}
content = json.dumps(order).encode()
to, line = line, socket.socket(socket.AF_UNIX)
line.connect(to)
socket.send_fds(line, [len(content).to_bytes(8, "little")], [0, 1, 2])
line.sendall(content)
heard = line.makefile()
child = json.loads(heard.readline())[1]
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
signal.signal(signal.SIGINT, signal.SIG_IGN)
code = json.loads(heard.readline() or "[0, 0, 1]")[2]
os._exit(code if code >= 0 else 128 - code)
"""
FORKED: dict[str, tuple[str, ...]] = {
    "libraries": (),
    "without-ray": (
        "/ray/_private/workers/default_worker.py",
        "uvicorn",
        "benchmarks.stage_process",
        "benchmarks.pipeline_process",
        "prokd",
    ),
    "with-ray": (
        "/ray/_private/workers/setup_worker.py",
        "/ray/_private/log_monitor.py",
        "/ray/_private/runtime_env/agent/main.py",
        "/ray/autoscaler/_private/monitor.py",
        "/ray/dashboard/agent.py",
        "/ray/dashboard/dashboard.py",
    ),
}
"""The scripts and modules that `INTERPRETER` runs in a fork, by which process that is of."""


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

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory(prefix="prokd-python-")
        self.interpreter = _write_interpreter(Path(self._folder.name))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.preloaded", str(self.interpreter)]
        with contextlib.ExitStack() as passed:
            passed.enter_context(theirs)
            lines = [theirs.fileno()]
            for name in FORKED:
                listener = passed.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(str(_line_of(self.interpreter, name)))
                listener.listen(64)  # who asks before the imports are done waits
                lines.append(listener.fileno())
            self.process = subprocess.Popen(
                [*command, *map(str, lines)], env=environment, cwd=ROOT, pass_fds=lines
            )
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


def _line_of(interpreter: Path, name: str) -> Path:
    return interpreter.parents[1] / name


def _write_interpreter(folder: Path) -> Path:
    """Write a twin of this Python's environment whose interpreter asks for forks; return it."""
    here = Path(sys.prefix)
    if (named := here / "pyvenv.cfg").exists():
        shutil.copy(named, folder)
    (folder / "lib").symlink_to(here / "lib")
    (folder / "bin").mkdir()
    for path in (here / "bin").iterdir():
        (folder / "bin" / path.name).symlink_to(path)
    interpreter = folder / "bin" / Path(sys.executable).name
    interpreter.unlink()
    forked = [(str(_line_of(interpreter, name)), ends) for name, ends in FORKED.items()]
    given = {"real": sys.executable, "self": str(interpreter), "forked": forked}
    interpreter.write_text(INTERPRETER.format(**given))
    interpreter.chmod(0o755)
    return interpreter


@functools.cache
def _server() -> _Server:
    """Return the server, which ends when its line does."""
    server = _Server()
    atexit.register(server.process.kill)
    return server


def quick_workers() -> contextlib.AbstractContextManager[Any]:
    """Let a Ray that this process starts get its workers as forks."""
    return mock.patch.object(sys, "executable", str(_server().interpreter))


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    env: Mapping[str, str] | None = None,
    leads: bool = False,
) -> Process:
    """Start ``[script or -m, ...]``, a Python command without its interpreter.

    Args:
        command: A script or ``-m`` and a module, and arguments.
        cwd: Its working folder.
        stdout: Descriptor that it writes to.
        stderr: Descriptor that it writes to.
        stdin: Descriptor that it reads; None = nothing.
        env: Its environment; None = that of this process.
        leads: Whether it has a process group of its own.
    """
    environment = dict(os.environ if env is None else env)
    order = {"command": list(command), "cwd": str(cwd), "env": environment, "leads": leads}
    server = _server()
    with open(os.devnull) as nothing:
        given = nothing.fileno() if stdin is None else stdin
        return Process(server, server.start(order, [given, stdout, stderr]), command)


def piped(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    leads: bool = False,
) -> tuple[Process, TextIO, TextIO]:
    """Start a command, as `start` does; return it, its output and its errors."""
    (out, ours), (err, others) = os.pipe(), os.pipe()
    process = start(command, cwd=cwd, stdout=ours, stderr=others, env=env, leads=leads)
    os.close(ours)
    os.close(others)
    return process, os.fdopen(out), os.fdopen(err)


def run(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    text: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    libraries_only: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return its status and what it wrote.

    Args:
        command: As `start` takes it, or ``-c`` and code; and arguments.
        cwd: Its working folder.
        text: What it reads.
        env: Its environment; None = that of this process.
        timeout: Seconds after which it is killed; not for one with `LIBRARIES` only.
        libraries_only: Whether to import all else anew, `prokd` too.
    """
    temporary = tempfile.TemporaryFile
    with temporary() as given, temporary() as out, temporary() as err:
        given.write(text.encode())
        given.seek(0)
        streams = {"stdin": given.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        if libraries_only:
            status = _run_with_libraries(command, cwd, env, list(streams.values()))
        else:
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


def _run_with_libraries(
    command: Sequence[str], cwd: Path, env: Mapping[str, str] | None, streams: Sequence[int]
) -> int:
    """Ask for a fork of the process that has `LIBRARIES` alone; return its exit status."""
    environment = dict(os.environ if env is None else env)
    order = {"command": list(command), "cwd": str(cwd), "env": environment, "leads": True}
    content = json.dumps(order).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(_line_of(_server().interpreter, "libraries")))
        socket.send_fds(line, [len(content).to_bytes(8, "little")], streams)
        line.sendall(content)
        with line.makefile() as heard:
            heard.readline()
            return int(json.loads(heard.readline())[2])


def _threads() -> set[str]:
    return {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}


class _Forks:
    """What a process that forks knows of its forks: which interpreter asked for each.

    Args:
        line: To the tests, which ask for commands there; None: interpreters alone ask.
        listener: Where interpreters ask; None: none do.
        keeper: A process with whose end this one ends.
    """

    def __init__(
        self,
        line: socket.socket | None = None,
        listener: socket.socket | None = None,
        keeper: int | None = None,
    ) -> None:
        self.line, self.listener, self.keeper = line, listener, keeper
        self.asked_by: dict[int, socket.socket] = {}
        self._woken, self._wakes = os.pipe()
        for descriptor in (self._woken, self._wakes):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self) -> list[socket.socket]:
        """Wait until somebody asks for a fork, or one ends; tell of ends."""
        interpreters = {line.fileno(): child for child, line in self.asked_by.items()}
        given = [line for line in (self.line, self.listener) if line]
        ready, _, _ = select.select([*given, self._woken, *interpreters], [], [])
        for descriptor in interpreters.keys() & set(ready):
            self._hear_of_its_end(interpreters[descriptor])
        if self._woken in ready:
            os.read(self._woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    self._tell(ended[0], os.waitstatus_to_exitcode(ended[1]))
        asking = [self.line] if self.line and self.line in ready else []
        if self.listener and self.listener in ready:
            asking.append(self.listener.accept()[0])
        return asking

    def _hear_of_its_end(self, child: int) -> None:
        """A killed interpreter takes its fork with it."""
        self.asked_by.pop(child).close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    def _tell(self, child: int, code: int) -> None:
        if child == self.keeper:
            os._exit(0)
        if line := self.asked_by.pop(child, self.line):
            with contextlib.suppress(OSError):
                line.sendall(json.dumps(["ended", child, code]).encode() + b"\n")
            if line is not self.line:
                line.close()

    def fork(self, added: Mapping[str, str]) -> None:
        """Fork for whoever asks; return in the fork alone, as the process that was ordered."""
        while True:
            for asking in self.wait():
                heard = _hear(asking)
                if heard is None:  # an interpreter that was killed, or the tests have ended
                    if asking is self.line:
                        os._exit(0)
                    asking.close()
                    continue
                order, streams = heard
                if not (child := os.fork()):
                    self._forget(asking)
                    _become(order, streams, added)
                    return
                for stream in streams:
                    os.close(stream)
                if asking is not self.line:
                    self.asked_by[child] = asking
                    _note_fork(asking, child)
                with contextlib.suppress(OSError):  # it is heard of in the next round
                    asking.sendall(json.dumps(["started", child]).encode() + b"\n")

    def _forget(self, asking: socket.socket) -> None:
        """Close what belongs to the process that forks."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._woken)
        os.close(self._wakes)
        for line in (asking, self.line, self.listener, *self.asked_by.values()):
            if line:
                line.close()


def _note_fork(asking: socket.socket, child: int) -> None:
    """Write down which interpreter a fork stands for."""
    credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    (interpreter, _, _) = struct.unpack("3i", credentials)
    note = Path(sys.executable).parents[1] / "forks" / str(interpreter)
    note.parent.mkdir(exist_ok=True)
    note.write_text(str(child))


def fork_of(interpreter: int) -> int:
    """Return the process that does the work of an interpreter, which may be itself, by its id.

    A fork may become an interpreter that asks in its turn.
    """
    notes = _server().interpreter.parents[1] / "forks"
    while (note := notes / str(interpreter)).exists() and (fork := note.read_text()):
        interpreter = int(fork)
    return interpreter


def _hear(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Read an order and its streams; None where nobody is there to give one."""
    streams: list[int] = []
    with contextlib.suppress(ConnectionError, json.JSONDecodeError):
        size, streams, _, _ = socket.recv_fds(line, 8, 3)
        content, wanted = b"", int.from_bytes(size, "little")
        while len(content) < wanted and (part := line.recv(wanted - len(content))):
            content += part
        return json.loads(content), streams
    for stream in streams:
        os.close(stream)
    return None


def _serve(interpreter: str, line: socket.socket, *listeners: socket.socket) -> None:
    """Import, then fork for each order; return in the fork alone.

    The first process imports `LIBRARIES` and forks what has nothing else; a fork of it imports
    `MODULES` too and forks workers; a fork of that one imports Ray as well, forks commands and
    Ray's agents, and ends when the tests do, and the others with it.
    """
    before = dict(os.environ)
    sys.executable = interpreter
    for modules, listener in zip((LIBRARIES, MODULES, AND_RAY), listeners, strict=True):
        _import(modules)
        others = [other for other in listeners if other is not listener]
        if listener is listeners[-1]:
            forks = _Forks(line, listener)
        elif keeper := os.fork():
            forks, others = _Forks(listener=listener, keeper=keeper), [line, *others]
        else:
            continue
        for other in others:
            other.close()
        forks.fork({name: value for name, value in os.environ.items() if name not in before})
        return


def _import(modules: Sequence[str]) -> None:
    gc.disable()
    for module in modules:
        __import__(module)
    gc.enable()
    assert (threads := _threads()) <= {"python", HARMLESS}, f"a fork leaves {threads} behind"
    gc.collect()
    gc.freeze()  # else every fork's collector would look through all of it


def _become(order: dict[str, Any], streams: Sequence[int], added: Mapping[str, str]) -> None:
    """Turn a fork into the process that was ordered."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(dict(added) | order["env"])
    if order["leads"]:
        os.setsid()  # Ray kills a worker with its process group, which is the tests' else
    sys.path[:0] = filter(None, order["env"].get("PYTHONPATH", "").split(os.pathsep))
    os.chdir(order["cwd"])
    if ray := sys.modules.get("ray"):  # it has read another environment
        ray._raylet.Config.initialize("")
        for constants in ("ray._private.ray_constants", "ray.dashboard.consts"):
            importlib.reload(sys.modules[constants])
    sys.argv = list(order["command"])


def _go() -> None:
    """Do what a Python interpreter does with ``sys.argv``."""
    if sys.argv[0] == "-c":
        _, code, *rest = sys.argv
        sys.argv = ["-c", *rest]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    elif sys.argv[0] == "-m":
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
    _serve(sys.argv[1], *(socket.socket(fileno=int(number)) for number in sys.argv[2:]))
    _go()
