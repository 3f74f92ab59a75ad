"""Commands in processes of their own that need not import everything anew.

A first process imports what the commands import, then waits; each command is a fork of it: a real
process with its own arguments, environment, working folder, streams and end. What it saves is the
seconds of imports, of which each start of a search would have its own. What a module reads from
the environment when it is imported is read once: tests of such things start an interpreter.

Where a command starts Python itself, it does so with an `INTERPRETER` that takes the same way for
Ray's workers and agents, MLflow's server and benchmarks, and is a plain one for all else.

Test processes that work side by side share the process with the imports: who hands the tests out
offers it (`offer`), and it starts when somebody first asks for a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO
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
order["interpreter"] = os.getpid()
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


NAMED = "PROKD_TEST_INTERPRETER"
"""The variable that names the interpreter, by which all processes of the tests find the forks."""


class Process:
    """A command that runs, with the part of `subprocess.Popen` that tests use.

    It ends when nothing in the tests knows of it any more.

    Args:
        command: As `start` takes it.
        order: What else the process with the imports must know.
        streams: Descriptors of what it reads, writes and says of errors.
        imported: Which process it is a fork of, a key of `FORKED`.
    """

    def __init__(
        self,
        command: Sequence[str],
        order: Mapping[str, Any],
        streams: Sequence[int],
        imported: str = "with-ray",
    ) -> None:
        self.args = list(command)
        self.returncode: int | None = None
        content = json.dumps({**order, "command": self.args}).encode()
        self._line, self._rest = socket.socket(socket.AF_UNIX), b""
        self._line.connect(str(_line_of(interpreter(), imported)))
        socket.send_fds(self._line, [len(content).to_bytes(8, "little")], streams)
        self._line.sendall(content)
        self.pid = int(self._heard()[1])

    def _heard(self, seconds: float | None = None) -> list[Any]:
        """Return what is told next, nothing if that takes longer."""
        while b"\n" not in self._rest:
            if not select.select([self._line], [], [], seconds)[0]:
                return []
            if not (content := self._line.recv(1 << 12)):
                raise RuntimeError("the process with the imports has ended")
            self._rest += content
        line, _, self._rest = self._rest.partition(b"\n")
        return list(json.loads(line))

    def poll(self, seconds: float | None = 0.0) -> int | None:
        """Return the exit status, as `subprocess` counts it, or None while it runs."""
        if self.returncode is None and (told := self._heard(seconds)):
            self.returncode = told[2]
            self._line.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if (code := self.poll(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Offer:
    """The place where forks are asked for; the process with the imports starts when they are."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="prokd-python-")
        self.interpreter = _write_interpreter(Path(self._folder.name))
        self._lines = [socket.socket(socket.AF_UNIX) for _ in FORKED]
        for name, line in zip(FORKED, self._lines, strict=True):
            line.bind(str(_line_of(self.interpreter, name)))
            line.listen(64)  # who asks before the imports are done waits
        self._stays, self._ends = socket.socketpair()
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._start_when_asked, daemon=True)
        self._thread.start()

    def _start_when_asked(self) -> None:
        ready, _, _ = select.select([*self._lines, self._ends], [], [])
        if self._ends not in ready:
            handles = [line.fileno() for line in (self._ends, *self._lines)]
            command = [sys.executable, "-m", "tests.preloaded", str(self.interpreter)]
            self._process = subprocess.Popen(
                [*command, *map(str, handles)],
                env=self._environment,
                cwd=ROOT,
                pass_fds=handles,
            )
        for line in self._lines:
            line.close()

    def close(self) -> None:
        """End the process with the imports and the forks that are left."""
        self._stays.close()
        self._thread.join()
        if self._process:
            self._process.wait()
        self._ends.close()
        self._folder.cleanup()


def offer() -> _Offer:
    """Offer forks to this process and to all that it starts from now on, until it is closed."""
    offered = _Offer()
    os.environ[NAMED] = str(offered.interpreter)
    return offered


def interpreter() -> Path:
    """Return the `INTERPRETER`, which is offered here if nobody has before."""
    if NAMED not in os.environ:
        atexit.register(offer().close)
    return Path(os.environ[NAMED])


def _line_of(asked: Path, name: str) -> Path:
    return asked.parents[1] / name


def _write_interpreter(folder: Path) -> Path:
    """Write a twin of this Python's environment whose interpreter asks for forks; return it."""
    here = Path(sys.prefix)
    if (named := here / "pyvenv.cfg").exists():
        shutil.copy(named, folder)
    (folder / "lib").symlink_to(here / "lib")
    (folder / "bin").mkdir()
    (folder / "forks").mkdir()
    for path in (here / "bin").iterdir():
        (folder / "bin" / path.name).symlink_to(path)
    written = folder / "bin" / Path(sys.executable).name
    written.unlink()
    forked = [(str(_line_of(written, name)), ends) for name, ends in FORKED.items()]
    given = {"real": sys.executable, "self": str(written), "forked": forked}
    written.write_text(INTERPRETER.format(**given))
    written.chmod(0o755)
    return written


def quick_workers() -> contextlib.AbstractContextManager[Any]:
    """Let a Ray that this process starts get its workers as forks."""
    return mock.patch.object(sys, "executable", str(interpreter()))


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
    with open(os.devnull) as nothing:
        given = nothing.fileno() if stdin is None else stdin
        return Process(command, _order(cwd, env, leads), [given, stdout, stderr])


def _order(cwd: Path, env: Mapping[str, str] | None, leads: bool) -> dict[str, Any]:
    return {"cwd": str(cwd), "env": dict(os.environ if env is None else env), "leads": leads}


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
        timeout: Seconds after which it is killed.
        libraries_only: Whether to import all but `LIBRARIES` anew, `prokd` too.
    """
    temporary = tempfile.TemporaryFile
    with temporary() as given, temporary() as out, temporary() as err:
        given.write(text.encode())
        given.seek(0)
        streams = [given.fileno(), out.fileno(), err.fileno()]
        imported = "libraries" if libraries_only else "with-ray"
        process = Process(command, _order(cwd, env, libraries_only), streams, imported)
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


class _Forks:
    """What a process that forks knows of its forks: who asked for each.

    Args:
        listener: Where forks are asked for.
        line: Of the tests: with them this process ends.
        keeper: A process with whose end this one ends.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        line: socket.socket | None = None,
        keeper: int | None = None,
    ) -> None:
        self.listener, self.line, self.keeper = listener, line, keeper
        self.asked_by: dict[int, socket.socket] = {}
        self.notes: dict[int, Path] = {}
        self._woken, self._wakes = os.pipe()
        for descriptor in (self._woken, self._wakes):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self) -> socket.socket | None:
        """Wait until something happens; tell of ends; return the line of who asks for a fork."""
        lines = {line.fileno(): child for child, line in self.asked_by.items()}
        given = [self.listener, *filter(None, [self.line])]
        ready, _, _ = select.select([*given, self._woken, *lines], [], [])
        if self.line in ready:
            self._leave()
        for descriptor in lines.keys() & set(ready):
            self._end(lines[descriptor])
        if self._woken in ready:
            os.read(self._woken, 4096)
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    self._tell(ended[0], os.waitstatus_to_exitcode(ended[1]))
        return self.listener.accept()[0] if self.listener in ready else None

    def _leave(self) -> NoReturn:
        """End, and let no fork outlive the tests."""
        for child in list(self.asked_by):
            self._end(child)
        os._exit(0)

    def _end(self, child: int) -> None:
        """Whoever asked for a fork takes it along: a killed interpreter, a test that ended."""
        self.asked_by.pop(child).close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    def _tell(self, child: int, code: int) -> None:
        if child == self.keeper:
            self._leave()
        if note := self.notes.pop(child, None):
            note.unlink(missing_ok=True)
        if line := self.asked_by.pop(child, None):
            with contextlib.suppress(OSError):
                line.sendall(json.dumps(["ended", child, code]).encode() + b"\n")
            line.close()

    def fork(self, added: Mapping[str, str]) -> None:
        """Fork for whoever asks; return in the fork alone, as the process that was ordered."""
        while True:
            if not (asking := self.wait()):
                continue
            if not (heard := _hear(asking)):  # it was killed
                asking.close()
                continue
            order, streams = heard
            if not (child := os.fork()):
                self._forget(asking)
                _become(order, streams, added)
                return
            for stream in streams:
                os.close(stream)
            self.asked_by[child] = asking
            if by := order.get("interpreter"):
                self.notes[child] = _note_of(by)
                self.notes[child].write_text(str(child))
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


def _note_of(process: int) -> Path:
    """Return the file that says which fork does the work of an interpreter."""
    return interpreter().parents[1] / "forks" / str(process)


def fork_of(process: int) -> int:
    """Return the process that does the work of an interpreter, which may be itself, by its id.

    A fork may become an interpreter that asks in its turn.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):  # ValueError: written just now
        while True:
            process = int(_note_of(process).read_text())
    return process


def descendants(process: int) -> dict[int, str]:
    """Return the command of each process below another one, by id; forks too (`fork_of`)."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    edge = {process}
    while edge := {child for child, parent in parents.items() if parent in edge} - found.keys():
        edge |= set(map(fork_of, edge))
        found |= {child: commands.get(child, "") for child in edge}
    return found


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


def _serve(line: socket.socket, *listeners: socket.socket) -> None:
    """Import, then fork for each order; return in the fork alone.

    The first process imports `LIBRARIES` and forks what has nothing else; a fork of it imports
    `MODULES` too and forks workers; a fork of that one imports Ray as well, forks commands and
    Ray's agents, and ends when the tests do, and the others with it.
    """
    before = dict(os.environ)
    os.environ[NAMED] = sys.executable
    for modules, listener in zip((LIBRARIES, MODULES, AND_RAY), listeners, strict=True):
        _import(modules)
        others = [other for other in listeners if other is not listener]
        if listener is listeners[-1]:
            forks = _Forks(listener, line=line)
        elif keeper := os.fork():
            forks, others = _Forks(listener, keeper=keeper), [line, *others]
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


def _end(code: object) -> NoReturn:
    """End as an interpreter does, but leave the memory as it is.

    To take all modules apart would copy what a fork shares with the others: half a second.
    """
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    if str(ROOT) in sys.path:
        sys.path.remove(str(ROOT))
    sys.executable = sys.argv[1]
    _serve(*(socket.socket(fileno=int(number)) for number in sys.argv[2:]))
    try:
        _go()
    except SystemExit as ended:
        _end(ended.code)
    _end(0)  # other exceptions are Python's to tell
