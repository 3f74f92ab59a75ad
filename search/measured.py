"""What an epoch takes where no run like it has finished: a few steps on this machine tell."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.config.precision import CPU
from prokd.errors import CollapsedRun, UserError
from prokd.methods import graph_of
from search.plan import Measured


def few_steps(
    configs: Iterable[ExperimentConfig],
    runtime: RuntimeConfig,
    address: str | None,
    cpus: float | None,
    gpus: float | None,
) -> Measured:
    """Return what measures an epoch when it is asked, once, and knows nothing of other machines.

    Args:
        configs: Experiments that have all stages of each method, those first that are to stand
            for others; their precision is known.
        runtime: Where the data lies.
        address: Of a cluster, as it was asked for.
        cpus: Cores of a trial, as they were asked for.
        gpus: GPUs of a trial, as they were asked for.
    """
    by_method: dict[str, list[ExperimentConfig]] = {}
    for config in configs:
        by_method.setdefault(config.method, []).append(config)

    @cache
    def seconds(method: str) -> dict[str, float]:
        from prokd.encoder.precision import kind_of_this_machine
        from prokd.training.few_steps import epoch_seconds
        from search.workers.connection import is_here

        has_gpu = kind_of_this_machine() != CPU
        elsewhere = float(os.environ.get("PROKD_MAX_GPUS", 0)) > 0 or not is_here(address)
        if elsewhere or (gpus and not has_gpu):
            return {}
        on_gpu = has_gpu and gpus != 0
        threads = None if on_gpu else max(1, int(cpus or 1))
        changes = {"device": "auto" if on_gpu else "cpu", "threads": threads}
        seen = runtime.model_copy(update=changes)
        found: dict[str, float] = {}
        try:
            for config in by_method[method]:
                if not found.keys() >= set(graph_of(config).names):
                    found = epoch_seconds(config, seen) | found
            return found
        except (UserError, CollapsedRun, RuntimeError):  # torch's errors of memory are the last
            return {}

    return lambda method, stage: seconds(method).get(stage)
