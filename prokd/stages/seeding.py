"""One place that makes numbers repeatable."""

from __future__ import annotations

import os

import torch
import torch.utils.deterministic


def seed_everything(seed: int, epoch: int) -> None:
    """Fix torch's random numbers for one epoch, and choose deterministic algorithms.

    Seeding per epoch, not per run, makes a resumed run equal an uninterrupted one and makes a
    run independent of whatever the process did before.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    mixed = seed * 1_000_003 + epoch
    if torch.accelerator.is_available():
        torch.manual_seed(mixed)
    else:  # the other would keep the call, and where it came from, for devices that are not there
        torch.default_generator.manual_seed(mixed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # By default that also fills all fresh memory with NaN, a tenth of a CPU's step: nothing reads
    # memory that it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
