"""From outside to the head of a cluster: the same command runs there, its output is seen here.

Ray's own commands do the work (``ray rsync-up``, ``ray exec``), so whatever a cluster file says
about keys, users, proxies and containers holds. On the head `attached` keeps the search alive when
the connection is lost.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from prokd.errors import UserError

OPTION = "--cluster"
ROOT = Path(__file__).resolve().parents[2]
UNREACHABLE = 4
"""Exit status if the head cannot be reached."""
INTERRUPTED = 130


def read_cluster(file: Path) -> dict[str, Any]:
    """Read a cluster file.

    Raises:
        UserError: It is not there, is no cluster file, or has values that are to be filled in.
    """
    try:
        text = file.read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"the cluster file {file} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise UserError(f"the cluster file {file} must be YAML, but is not: {first}.") from None
    if not isinstance(values, dict) or not isinstance(values.get("cluster_name"), str):
        raise UserError(f"the cluster file {file} must name its cluster_name, but does not.")
    unfilled = re.search(r"FILL_IN_\w+", yaml.safe_dump(values))
    if unfilled:
        raise UserError(f"the cluster file {file} still says {unfilled[0]}; see docs/cluster.md.")
    return values


def project_folder(values: dict[str, Any], file: Path) -> str:
    """Return where this checkout lies on the cluster, from the file's ``file_mounts``."""
    for place, source in (values.get("file_mounts") or {}).items():
        folder = Path(os.path.expanduser(str(source)))
        if (folder if folder.is_absolute() else Path.cwd() / folder).resolve() == ROOT:
            return str(place).rstrip("/")
    raise UserError(
        f"the cluster file {file} must mount {ROOT} by file_mounts, but mounts no such folder; "
        f"run the command from the root of the checkout."
    )


def without_option(arguments: Sequence[str]) -> list[str]:
    """Return a command line without ``--cluster FILE``.

    >>> without_option(["--lang", "ar", "--cluster", "f.yaml"]), without_option(["--cluster=f"])
    (['--lang', 'ar'], [])
    """
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith(f"{OPTION}="):
            skip = False
        elif argument == OPTION:
            skip = True
        else:
            kept.append(argument)
    return kept


def submit(
    file: Path,
    arguments: Sequence[str],
    *,
    module: str = "search.remote.attached",
    say: Callable[[str], object],
) -> int:
    """Run a search on the head of a cluster that is up, and stream its output.

    Args:
        file: The cluster file.
        arguments: Of ``search/run.py``, without ``--cluster``; paths are those of the head.
        module: What is run there.
        say: Takes each line.

    Returns:
        The exit status of the search; 4 if the head cannot be reached.

    Raises:
        UserError: A cluster file that cannot be used.
    """
    values = read_cluster(file)
    folder = project_folder(values, file)
    say(f"running on the head of the cluster {values['cluster_name']} ({file})")
    ray = [str(Path(sys.executable).with_name("ray"))]
    synced = subprocess.run(
        [*ray, "rsync-up", str(file)], capture_output=True, text=True, check=False
    )
    if synced.returncode:
        return _unreachable(file, f"{synced.stdout}\n{synced.stderr}", say)
    say(f"MLflow: {tunnel(file)}  then http://localhost:5000")
    mark = uuid.uuid4().hex
    words = ["python", "-u", "-m", module, *arguments]
    plain = "" if sys.stdout.isatty() else "export TTY_COMPATIBLE=0; "  # no live table in a file
    is_up = "ray status >/dev/null 2>&1"  # false as well before Ray is installed
    search = f"cd {folder} && {plain}{shlex.join(words)}; echo end-{mark}-$?"
    command = f"{is_up} || {{ echo its Ray does not run; exit; }}; echo begin-{mark}; {search}"
    executed = [*ray, "exec", str(file), "--no-config-cache", command]
    try:
        return _stream(executed, mark, file, say)
    except KeyboardInterrupt:  # not from a terminal, whose Ctrl-C goes to the head
        say(f"the search goes on at the head, its log: {_log_command(file)}")
        return INTERRUPTED


def tunnel(file: Path) -> str:
    """Return the command that makes the head's MLflow reachable on this machine."""
    words = ["ray", "exec", str(file), "--no-config-cache", "--port-forward", "5000"]
    return shlex.join([*words, "sleep infinity"])


def _stream(command: Sequence[str], mark: str, file: Path, say: Callable[[str], object]) -> int:
    before, status, begun = [], None, False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None, "it is a pipe"
        for raw in process.stdout:
            line = raw.rstrip("\r\n")
            end = re.search(rf"end-{mark}-(\d+)", line)
            if not begun:
                begun = line.strip() == f"begin-{mark}"
                before.append(line)
            elif end:
                status = int(end[1])
            elif status is None:
                say(line)
    if status is not None:
        return status
    if begun:
        say(f"the connection is lost; the search goes on, its log: {_log_command(file)}")
        return UNREACHABLE
    return _unreachable(file, "\n".join(before), say)


def _log_command(file: Path) -> str:
    return shlex.join(["ray", "exec", str(file), "tail -f ~/prokd-logs/latest.log"])


def _unreachable(file: Path, output: str, say: Callable[[str], object]) -> int:
    # Ray's own tracebacks are cut to their last line.
    lines = [line for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith((" ", "\t", "Traceback"))]
    for line in lines[-3:]:
        say(line)
    say(f"error: the head of the cluster must be up, but is not reached: ray up {file}")
    return UNREACHABLE
