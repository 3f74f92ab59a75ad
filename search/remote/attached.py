"""On the head: a search in a session of its own, its output in a log that is shown as it grows.

``python -m search.remote.attached --lang ar``. Ctrl-C goes to the search, which ends cleanly; a
lost connection ends only this process, and the search goes on. The exit status is that of the
search.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LOGS = "prokd-logs"
ROOT = Path(__file__).resolve().parents[2]


def run_attached(arguments: Sequence[str], logs: Path) -> int:
    """Start a search and show its log until it ends.

    Args:
        arguments: Of ``search/run.py``.
        logs: Folder of the log; ``latest.log`` leads to it.

    Returns:
        The search's exit status.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    command = [sys.executable, "-u", str(ROOT / "search" / "run.py"), *arguments]
    with log.open("wb") as file:
        search = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    signal.signal(signal.SIGINT, lambda *_: search.send_signal(signal.SIGINT))
    signal.signal(signal.SIGTERM, lambda *_: search.send_signal(signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: os._exit(129))  # the search has no part in it
    link = logs / f".latest-{os.getpid()}"  # put in place in one step: another may start now
    link.symlink_to(log.name)
    link.replace(logs / "latest.log")
    with log.open("rb") as shown:
        while True:
            has_ended = search.poll() is not None
            while content := shown.read(65536):
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            if has_ended:
                return int(search.returncode)
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(run_attached(sys.argv[1:], Path.home() / LOGS))
