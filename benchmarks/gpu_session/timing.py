"""Seconds of what a device does: waited for, warmed up, two ways in turns."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from time import perf_counter

import torch

from benchmarks.table import Line, interleaved, ratio_line

Way = Callable[[], object]


def wait(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(way: Way, device: torch.device, repeats: int, *, warm: int = 2) -> list[float]:
    """Return the seconds of each call, behind some that are not counted."""
    for _ in range(warm):
        way()
    times = []
    for _ in range(repeats):
        wait(device)
        started = perf_counter()
        way()
        wait(device)
        times.append(perf_counter() - started)
    return times


def in_turns(
    part: str,
    what: str,
    ours: Way,
    other: Way,
    device: torch.device,
    repeats: int,
    *,
    warm: int = 2,
) -> Line:
    """Return how many times longer the other way takes: A B A B, both warmed up before."""

    def waited(way: Way) -> Callable[[int], None]:
        def call(turn: int) -> None:
            way()
            wait(device)

        return call

    for _ in range(warm):
        ours()
        other()
    wait(device)
    times = interleaved(waited(ours), waited(other), repeats, here=False)
    return ratio_line(part, what, *times)


def middle(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def peak_bytes(way: Way, device: torch.device) -> float:
    """Return the most bytes that a call had allocated on a GPU; NaN on a CPU."""
    if device.type != "cuda":
        way()
        return float("nan")
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    way()
    return float(torch.cuda.max_memory_allocated(device))
