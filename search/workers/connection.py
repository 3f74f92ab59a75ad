"""Reaching a Ray: one that was named, one on this machine, or one started for this run."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from contextlib import chdir
from typing import Any

# Read by Ray when it is imported: it is told to speak little and to leave Ctrl-C to the driver.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "1")
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of steps asked for ahead: told by us
os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # a busy machine takes its time
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: anything else would go first
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# A Ray that is started here listens on 127.0.0.1 alone, as on a Mac (in `_node_ip_address` of
# `ray.init` that would be replaced by the address by which other machines reach this one).
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S", "600")

import ray

from prokd.common.import_path import ROOT
from prokd.errors import UserError
from search.workers import ray_folders

logger = logging.getLogger(__name__)
LOCAL = "local"
"""The address that asks for a Ray of one's own."""
REFUSALS = (ConnectionError, ValueError, RuntimeError)
"""What Ray raises where it cannot connect."""


def connect(address: str | None, num_cpus: int | None) -> str:
    """Connect to a Ray, or start one; return where it runs, in words.

    Args:
        address: Of a cluster; None and ``local`` as `search.workers.cluster.connected` takes them.
        num_cpus: Cores of a Ray that is started here; None = those of the machine.

    Raises:
        UserError: The address answers not, or this machine is too busy to start a Ray.
    """
    given = _given(address)
    if given and given != LOCAL:
        _connect_to_named(given)
        return f"on the Ray cluster at {given}"
    # Only one that `ray start` started: another program's own Ray would end with that program.
    found = None if given else _started_here()
    if found:
        try:
            _connect_to(found)
        except REFUSALS as error:
            logger.warning(
                "the Ray at %s cannot be used, a local one is started: %s", found, error
            )
        else:
            return f"on the Ray that runs on this machine ({found})"
    _start(num_cpus)
    return "on a local Ray, started for this run"


def is_here(address: str | None) -> bool:
    """Tell whether `connect` would start a Ray on this machine, as far as can be told."""
    given = _given(address)
    if ray.is_initialized() or given:
        return given == LOCAL and not ray.is_initialized()
    return _started_here() is None


def disconnect() -> None:
    """End the connection, and a Ray that was started for it."""
    ray.shutdown()


def _given(address: str | None) -> str | None:
    return address or os.environ.get("RAY_ADDRESS")


def _started_here() -> str | None:
    """Return the address of the Ray that `ray start` started last here, if it still answers.

    `ray.init` of "auto" would look through all processes as well, and connect.
    """
    found = ray_folders.address_of_last_start()
    return found if found and _answers(found) else None  # else a trace of a Ray that is gone


def _connect_to_named(address: str) -> None:
    if address != "auto" and not _answers(address):
        raise UserError(
            f"the address must be that of a running Ray (host:port), but nothing answers "
            f"at {address!r}."
        )
    try:
        _connect_to(address)
    except REFUSALS as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"the address must be that of a running Ray, but got {address!r}: {first} (where "
            f"Ray asks for a token, set RAY_AUTH_MODE=token)."
        ) from None


def _connect_to(address: str) -> None:
    _init(address=address, runtime_env=_shipped_code())


def _start(num_cpus: int | None) -> None:
    try:
        _init(
            address=LOCAL,
            include_dashboard=False,
            num_cpus=num_cpus,
            _temp_dir=ray_folders.session_folder(),
        )
    except Exception as error:  # Ray raises no class of its own for it
        if "timed out during startup" not in str(error):
            raise
        raise UserError(
            "Ray must start within 30 seconds, but did not: this machine is too busy; try again."
        ) from None


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    return host, port


def _answers(address: str) -> bool:
    """Tell whether anything listens at ``[scheme://]host:port``; Ray itself would wait minutes."""
    host, port = _host_and_port(address)
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except (OSError, ValueError):
        return False


def _init(**arguments: Any) -> None:
    with warnings.catch_warnings(), chdir(ray_folders.import_folder()):
        warnings.simplefilter("ignore")
        ray.init(
            logging_level=logging.ERROR, log_to_driver=False, configure_logging=True, **arguments
        )
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _shipped_code() -> dict[str, Any]:
    """Send this checkout's packages to the workers, installed there or not."""
    modules = [str(ROOT / name) for name in ray_folders.PACKAGES]
    return {"py_modules": modules, "excludes": ["__pycache__"]}
