"""The Ray that trains: what it has room for, and whether all of its nodes are fit for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.workers.connection import (  # first: it sets the environment that Ray reads
    connect,
    disconnect,
)

# isort: split
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from prokd.config import automatic_precision
from prokd.config.precision import CPU, GPU
from prokd.config.settings import AutocastType
from prokd.errors import UserError
from search.workers import nodes

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
    place = "on the Ray of this process" if already else connect(address, num_cpus)
    try:
        yield _measure(place, resources, output)
    finally:
        if not already:
            disconnect()


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
