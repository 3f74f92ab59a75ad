"""A device with less memory than it has: a limit of the allocator, or what stands in on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.training import new_real_stage
from prokd.stages.memory import limit_gpu_memory, release_memory


@contextmanager
def capped(session: Session, share: float, config: Any) -> Iterator[str]:
    """Leave a part of the memory that a teacher's whole batches take; yield how, in words."""
    manager = _allocator if session.on_gpu else _passes
    with manager(session, share, config) as how:
        yield how


@contextmanager
def _allocator(session: Session, share: float, config: Any) -> Iterator[str]:
    """Measure the peak of two epochs, and let PyTorch's allocator have a part of it."""
    release_memory()
    torch.cuda.reset_peak_memory_stats()
    stage: Any = new_real_stage("teacher", config, session.runtime("memory"))
    for _ in range(2):
        stage.run_epoch()
    peak = torch.cuda.max_memory_allocated()
    del stage
    release_memory()
    total = torch.cuda.get_device_properties(session.device).total_memory
    limit_gpu_memory(share * peak / total)
    try:
        yield f"{share * peak / 2**20:.0f} MiB of memory (whole batches take {peak / 2**20:.0f})"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def _passes(session: Session, share: float, config: Any) -> Iterator[str]:
    """Let memory run out, on a CPU, in a training pass of more rows than a sentence may have."""
    most = config.data.max_length

    def refuse(module: nn.Module, given: Any) -> None:
        # The first product behind a layer's attention: it has a row for each subword of a pass.
        is_inner = isinstance(module, nn.Linear) and module.out_features > module.in_features
        trains = is_inner and module.weight.requires_grad and torch.is_grad_enabled()
        if trains and given[0].flatten(0, -2).shape[0] > most:
            raise torch.OutOfMemoryError(f"more than {most} rows at once")

    handle = register_module_forward_pre_hook(refuse)
    try:
        yield f"an error in place of passes of more than {most} rows, which stands in on a CPU"
    finally:
        handle.remove()
