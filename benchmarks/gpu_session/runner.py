"""The parts one after the other, each in a process that is killed when its time is over."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_session.results import LOG, Results
from benchmarks.gpu_session.session import Session

KEPT_OF_LOG = 200_000
"""Bytes of what a part printed."""
LEAST_SECONDS = 5.0
"""A part that would have less is not begun."""


@dataclass(frozen=True)
class Part:
    """A module with a function ``measure`` from a `Session` to lines, yielded as they are known.

    Args:
        name: In the table.
        module: Its full name.
        seconds: When it is killed at the latest.
    """

    name: str
    module: str
    seconds: float


def run_parts(parts: Sequence[Part], session: Session, results: Results, seconds: float) -> None:
    """Run parts while there is time; the table is written anew after each.

    Args:
        parts: In order of their worth: the last ones are left out where time is short.
        session: What they are given.
        results: Where they leave what they measure.
        seconds: For all of them.
    """
    session.work.mkdir(parents=True, exist_ok=True)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # or products are not deterministic
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # to look for a GPU does not begin to use it
    # One process imports everything once, touches no GPU, and is forked for each part.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([part.module for part in parts])
    end = time.monotonic() + seconds
    for part in parts:
        started = time.monotonic()
        log = session.work / f"{part.name}.log"
        left = min(part.seconds, end - started)
        if left < min(LEAST_SECONDS, part.seconds):
            ended = "left out: no time"
        else:
            process = context.Process(target=_measure, args=(part.module, session, log))
            ended = _ended(process, left, log)
        spent = time.monotonic() - started
        results.add("part", {"name": part.name, "ended": ended, "seconds": spent})
        results.write_table()
        _keep_log(log, results.folder / LOG, f"{part.name}: {ended}, {spent:.0f} s")
        print(f"{part.name}: {ended}, {spent:.0f} s", flush=True)


def _measure(module: str, session: Session, log: Path) -> None:
    """Be a part's process: each figure is written as soon as it is there."""
    os.setsid()  # so that what it starts is killed with it
    with log.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    results = Results(session.out)
    for line in importlib.import_module(module).measure(session):
        results.add_line(line)


def _ended(process: multiprocessing.process.BaseProcess, seconds: float, log: Path) -> str:
    """Run a part's process for so long at most; return how it ended, in words."""
    process.start()
    assert process.pid is not None, "it was started"
    in_time = False
    try:
        process.join(seconds)
        in_time = process.exitcode is not None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
        process.kill()
        process.join()
    if not in_time:
        return f"cut off after {seconds:.0f} s"
    code = process.exitcode
    return "whole" if code == 0 else f"failed (exit {code}): {_last_words(log)}"


def _last_words(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = text.strip().splitlines()
    return (lines[-1] if lines else "it said nothing")[:200].replace("|", "/")


def _keep_log(log: Path, kept: Path, title: str) -> None:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    with kept.open("a", encoding="utf-8") as file:
        file.write(f"===== {title}\n{text[-KEPT_OF_LOG:]}\n")
