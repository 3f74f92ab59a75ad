"""A real MLflow server on localhost that can be stopped and started again, with a login or not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests import preloaded

LOGIN = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@dataclass
class Server:
    """A server and its store.

    Args:
        folder: Gets its database, its artifacts and its log.
        port: Where on localhost it listens.
        login: User and password that it asks for; None = it asks nobody.
    """

    folder: Path
    port: int
    login: tuple[str, str] | None = None
    _process: preloaded.Process | None = None

    @property
    def uri(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 180) -> None:
        """Start it and wait until it answers."""
        command = ["-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        command += ["--artifacts-destination", str(self.folder / "served")]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        if self.login:
            user, password = self.login
            settings = self.folder / "auth.ini"
            settings.write_text(LOGIN.format(folder=self.folder, user=user, password=password))
            command += ["--app-name", "basic-auth"]
            environment["MLFLOW_AUTH_CONFIG_PATH"] = str(settings)
            environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "of this test"
        with (self.folder / "mlflow.log").open("ab") as log:
            streams = {"stdout": log.fileno(), "stderr": log.fileno()}
            self._process = preloaded.start(
                command, env=environment, cwd=self.folder, leads=True, **streams
            )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.3)
        else:
            raise TimeoutError("the MLflow server does not come up")
        if self.login:
            self._make_logins_cheap()

    def _make_logins_cheap(self) -> None:
        """Store the password under a hash of few rounds: each request is checked several times."""
        from werkzeug.security import generate_password_hash

        user, password = self.login or ("", "")
        cheap = generate_password_hash(password, method="pbkdf2:sha256:10")
        with closing(sqlite3.connect(self.folder / "auth.db", timeout=30)) as users, users:
            change = "UPDATE users SET password_hash = ? WHERE username = ?"
            assert users.execute(change, (cheap, user)).rowcount == 1

    def stop(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def mlflow_server(folder: Path, login: tuple[str, str] | None = None) -> Iterator[Server]:
    """Run a server for as long as the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, port, login)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def copy_empty_store(templates: Path, output: Path, name: str = "mlflow.db") -> None:
    """Put an empty MLflow store where there is none; to make its tables anew takes seconds.

    Args:
        templates: Folder of the store that is copied, which is made there once; processes may
            share it.
        output: Gets the store.
        name: Of its file.
    """
    from mlflow.tracking import MlflowClient

    template, store = templates / "mlflow.db", output / name
    with FileLock(templates / "mlflow.db.lock"):
        if not template.exists():
            MlflowClient(f"sqlite:///{template}").search_experiments()
    output.mkdir(parents=True, exist_ok=True)
    if not store.exists():
        shutil.copy(template, store)
