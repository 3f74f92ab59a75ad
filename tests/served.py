"""A registered model behind `mlflow models serve`, for as long as a block lasts."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import preloaded

SECONDS = 180
"""Until it has to answer."""


@contextmanager
def served(model: str, store: str, folder: Path) -> Iterator[str]:
    """Serve a model in this environment; give the address.

    Args:
        model: As MLflow names it, ``models:/...``.
        store: Address of the MLflow store.
        folder: Gets a log, and the ``uvicorn`` that MLflow starts by its name.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with preloaded.quick_workers():
        quick = sys.executable
    server = folder / "bin" / "uvicorn"
    server.parent.mkdir(parents=True)
    server.write_text(f'#!/bin/sh\nexec "{quick}" -m uvicorn "$@"\n')
    server.chmod(0o755)
    path = f"{server.parent}{os.pathsep}{os.environ['PATH']}"
    command = ["-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "PATH": path}
    with (folder / "serve.log").open("wb") as log:
        streams = {"stdout": log.fileno(), "stderr": log.fileno()}
        process = preloaded.start(command, env=environment, cwd=folder, leads=True, **streams)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, folder / "serve.log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(address: str, process: preloaded.Process, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/ping", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"the model is not served: {log.read_text()[-2000:]}")
