"""Several trials on one GPU: what they train together in a second, against one alone."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from time import perf_counter
from typing import Any

import torch

from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus, lengths
from benchmarks.gpu_session.timing import wait
from benchmarks.gpu_session.training import batches_of, steps_of
from benchmarks.table import Line

PATIENCE = 30.0
"""Seconds that a process waits for the others."""
BATCHES = 8
SHAPES = (E5, MBERT)


def measure(session: Session) -> Iterator[Line]:
    """Yield, by shape and number of processes, steps a second of all, and the memory of each."""
    most = max(session.amounts.at_once)
    context = multiprocessing.get_context("fork")  # nothing has touched the GPU yet
    barrier, answers = context.Barrier(most), context.Queue()
    workers = [
        context.Process(target=work, args=(rank, session, barrier, answers), daemon=True)
        for rank in range(most)
    ]
    for worker in workers:
        worker.start()
    for name in SHAPES:
        alone = 0.0
        for number in session.amounts.at_once:
            found = [answers.get(timeout=PATIENCE) for _ in range(number)]
            together = sum(rate for rate, _ in found)
            alone = alone or together
            yield _line(f"{name}, {number} at once", together, alone, found)
    for worker in workers:
        worker.join(PATIENCE)


def work(rank: int, session: Session, barrier: Barrier, answers: Any) -> None:
    """Train in the rounds that a process takes part in; answer with steps a second and bytes."""
    torch.set_num_threads(max((os.cpu_count() or 1) // max(session.amounts.at_once), 1))
    for name in SHAPES:
        model = build(session, name)
        sentences, _ = session.amounts.batches
        vocabulary = int(model.encoder.config.vocab_size)
        corpus = drawn_corpus(lengths(session, BATCHES * sentences, 0), vocabulary, labelled=True)
        steps = steps_of(model, batches_of(corpus, sentences, BATCHES))
        steps()
        wait(session.device)
        for number in session.amounts.at_once:
            barrier.wait(PATIENCE)
            if rank < number:
                answers.put(_round(session, steps))
        barrier.wait(PATIENCE)
        del model, steps


def _round(session: Session, steps: Any) -> tuple[float, float]:
    taken, started = 0, perf_counter()
    while perf_counter() - started < session.amounts.seconds:
        steps()
        wait(session.device)
        taken += BATCHES
    rate = taken / (perf_counter() - started)
    return rate, torch.cuda.max_memory_reserved() if session.on_gpu else float("nan")


def _line(what: str, together: float, alone: float, found: list[tuple[float, float]]) -> Line:
    memory = max(size for _, size in found) / 2**20
    each = f"{memory:.0f} MiB reserved by each, besides the context" if memory == memory else ""
    return Line(
        "at_once",
        f"batches that lie on the device, {what}",
        f"{together:.1f} steps/s together",
        f"{alone:.1f} steps/s alone",
        f"{together / alone:.2f}x; {each}".rstrip("; "),
        "",
        1,
        together / alone,
    )
