"""Where the training runs: a cluster that was named, one on this machine, or one started here."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read by Ray when it is imported: it is told to speak little and to leave Ctrl-C to the driver.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "1")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # a busy machine takes its time
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: anything else would go first
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S", "600")

import ray
from ray._private import ray_constants, services
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from prokd.common.import_path import ROOT
from prokd.config import automatic_precision
from prokd.config.precision import CPU, GPU
from prokd.config.settings import AutocastType
from prokd.errors import UserError
from search.workers import nodes, ray_folders

logger = logging.getLogger(__name__)
LOCALHOST = ("127.0.0.1", "localhost", "::1", "[::1]")
LOCAL = "local"
"""The address that asks for a Ray of one's own."""
NODE_SECONDS = 300
"""How long a node may take to answer; it imports the project's packages meanwhile."""


class NeedsRay(Exception):  # noqa: N818 - a finding, not a mistake
    """Something is left to train after all, but no Ray was connected to."""


@dataclass(frozen=True)
class Resources:
    """What one trial takes.

    Args:
        cpus: Processor cores; None = 1.
        gpus: GPUs, a fraction shares one; None = 1 where the cluster has any, else 0.
    """

    cpus: float | None = None
    gpus: float | None = None


@dataclass(frozen=True)
class Cluster:
    """A Ray that is connected to.

    Args:
        place: Where it runs, in words.
        cpus: Cores of one trial.
        gpus: GPUs of one trial.
        width: Trials that run at the same time.
        device: The accelerator's type, or "cpu".
        is_one_machine: Whether there is one machine, and no other will come.
        precision: What ``encoder.precision = auto`` stands for: all devices of trials have it.
        is_at_rest: Whether there is no Ray, since there is nothing to train.
    """

    place: str
    cpus: float
    gpus: float
    width: int
    device: str
    is_one_machine: bool = False
    precision: AutocastType = "fp32"
    is_at_rest: bool = False

    @property
    def threads(self) -> int | None:
        """CPU threads of one trial; None leaves it to torch, next to a GPU."""
        return None if self.gpus else max(1, int(self.cpus))


@contextmanager
def connected(
    address: str | None, resources: Resources, output: Path, *, num_cpus: int | None = None
) -> Iterator[Cluster]:
    """Connect to a Ray, or start one, for as long as the block lasts.

    Args:
        address: Of a cluster; ``local`` starts one here in any case. None: the environment
            variable RAY_ADDRESS, else a Ray that was started on this machine, else a local one.
        resources: What one trial takes.
        output: The folder of results, which all nodes must share.
        num_cpus: Cores of a Ray that is started here; None = those of the machine.

    Raises:
        UserError: The address answers not, a trial asks for more than there is, or the nodes
            have other versions or code, or do not share the output folder.
    """
    already = ray.is_initialized()
    place = "on the Ray of this process" if already else _connect(address, num_cpus)
    try:
        yield _measure(place, resources, output)
    finally:
        if not already:
            ray.shutdown()


def is_here(address: str | None) -> bool:
    """Tell whether `connected` would start a Ray on this machine, as far as can be told."""
    given = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized() or given:
        return given == LOCAL and not ray.is_initialized()
    return services.find_bootstrap_address(None) is None


def disconnect() -> None:
    """End the connection, and a Ray that was started for it, from within `connected`."""
    ray.shutdown()


def _connect(address: str | None, num_cpus: int | None) -> str:
    given = address or os.environ.get("RAY_ADDRESS")
    if given and given != LOCAL:
        if given != "auto" and not _answers(given):
            raise UserError(
                f"the address must be that of a running Ray (host:port), but nothing answers "
                f"at {given!r}."
            )
        try:
            with _reaching(given):
                _init(address=given, runtime_env=_shipped_code())
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"the address must be that of a running Ray, but got {given!r}: {first} (where "
                f"Ray asks for a token, set RAY_AUTH_MODE=token)."
            ) from None
        return f"on the Ray cluster at {given}"
    # Only one that `ray start` started: another program's own Ray would end with that program.
    found = None if given else services.find_bootstrap_address(None)
    if found and _answers(found):  # else a trace of a Ray that is gone
        try:
            with _reaching(found):
                _init(address=found, runtime_env=_shipped_code())
        except (ConnectionError, ValueError, RuntimeError) as error:
            logger.warning(
                "the Ray at %s cannot be used, a local one is started: %s", found, error
            )
        else:
            return f"on the Ray that runs on this machine ({found})"
    try:
        with _on_localhost():
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
    return "on a local Ray, started for this run"


@contextmanager
def _on_localhost() -> Iterator[None]:
    """Let Ray take 127.0.0.1 for this machine's address while it starts, as it does on a Mac.

    On Linux it would take the address by which other machines reach this one, and listen there.
    """
    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    given, before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(name)
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ[name] = "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = given
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _reaching(address: str) -> AbstractContextManager[None]:
    """Keep 127.0.0.1 in an address, where a Ray listens there and nowhere else."""
    host, port = _host_and_port(address)
    public = services.get_node_ip_address()  # type: ignore[no-untyped-call]
    is_kept = host in LOCALHOST and not _answers(f"{public}:{port}")
    return _on_localhost() if is_kept else nullcontext()


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


def _measure(place: str, resources: Resources, output: Path) -> Cluster:
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    # A cluster that grows by demand says what it may grow to: trials wait for its machines.
    promised = [float(os.environ.get(name, 0)) for name in ("PROKD_MAX_CPUS", "PROKD_MAX_GPUS")]
    cpus, gpus = max(total.get("CPU", 0.0), promised[0]), max(total.get("GPU", 0.0), promised[1])
    cpus_each = resources.cpus or 1.0
    gpus_each = (1.0 if gpus else 0.0) if resources.gpus is None else resources.gpus
    for name, each, there in (("CPUs", cpus_each, cpus), ("GPUs", gpus_each, gpus)):
        if each > there:
            raise UserError(
                f"a trial may ask for at most the {there:g} {name} of the cluster, "
                f"but got {each:g}."
            )
    width = int(cpus // cpus_each)
    if gpus_each:
        width = min(width, int(gpus / gpus_each + 1e-9))
    types = [name.partition(":")[2] for name in total if name.startswith("accelerator_type:")]
    _check_nodes(output)
    devices = (types or [GPU]) if gpus_each else [CPU]
    return Cluster(
        place,
        cpus_each,
        gpus_each,
        max(1, width),
        device=devices[0],
        is_one_machine=len(_nodes()) == 1 and not any(promised),
        precision=automatic_precision(devices),
    )


def _check_nodes(output: Path) -> None:
    """Let every other node show that it has the same versions and code and sees the output."""
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in _nodes() if node["Alive"] and node["NodeID"] != here]
    expected, storage = nodes.description(), nodes.mark_storage(output)
    waiting = {}
    for node in others:
        affinity = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        remote = _difference.options(scheduling_strategy=affinity)
        waiting[remote.remote(expected, storage)] = node["NodeManagerHostname"]
    for reference, host in waiting.items():
        try:
            difference = ray.get(reference, timeout=NODE_SECONDS)
        except ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise UserError(f"every node must run a task, but {host} does not: {first}") from None
        if difference:
            raise UserError(difference)


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


@ray.remote(num_cpus=0)
def _difference(expected: dict[str, str], storage: dict[str, str]) -> str:
    try:
        nodes.check(expected, storage)
    except UserError as error:
        return str(error)
    return ""
