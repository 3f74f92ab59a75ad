"""Most memory of each stage, and a run that does not fit: it splits its batches and ends well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.gpu_session.capped import capped
from benchmarks.gpu_session.results import FAILS
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.training import new_real_stage, trained
from benchmarks.table import Line
from prokd.stages.memory import PeakMemory, release_memory

MOST_DIFFERENCE = 0.03
"""In F1, of a run in smaller parts: the same updates, but dropout draws otherwise."""
SPLIT = 128
"""Sentences of a batch that does not fit: larger ones would leave few updates to compare."""
SHARE = 0.6
"""Of the memory that a whole batch took, left to the run that shall not fit."""


def measure(session: Session) -> Iterator[Line]:
    """Yield the peaks of both stages, padded and packed; then the run that does not fit."""
    largest = max(session.amounts.batches)
    values = {f"{stage}__batch_sentences": largest for stage in ("teacher", "student")}
    values |= {f"{stage}__batch_pool": 1 for stage in ("teacher", "student")}
    config = session.config(**values)
    trained("teacher", config, session.runtime("memory"))
    for name in ("teacher", "student"):
        peaks = {}
        for packed in (True, False):
            stage: Any = new_real_stage(name, config, session.runtime("memory"))
            stage.model.is_packed = packed
            release_memory()
            peak = PeakMemory(session.device)
            for _ in range(2):  # the second aligns, and trains itself
                stage.run_epoch()
            peaks[packed] = peak.megabytes()
            del stage
        yield _peaks(f"{name}, batches of {largest} sentences as they come", peaks)
    batch = min(SPLIT, largest)
    values = {name: value for name, value in values.items() if not name.endswith("sentences")}
    yield from splits(session, session.config(teacher__batch_sentences=batch, **values))


def _peaks(what: str, peaks: dict[bool, float]) -> Line:
    texts = [f"{peaks[flag]:.0f} MiB" for flag in (True, False)]
    ratio = peaks[False] / peaks[True]
    return Line("memory", f"peak, {what}: packed / padded", *texts, f"{ratio:.2f}x", "", 1, ratio)


def splits(session: Session, config: Any) -> Iterator[Line]:
    """Train a teacher where a whole batch does not fit, and compare it with one where it does."""
    whole = trained("teacher", config, session.runtime("memory"))
    context: AbstractContextManager[str] = capped(session, SHARE, config)
    with context as how:
        run = trained("teacher", config, session.runtime("memory-capped"))
    tokens = run.settings.micro_batch_tokens
    told = f"went on with micro_batch_tokens = {tokens}" if tokens else "did not split"
    holds = "holds" if tokens else FAILS
    yield Line("memory", f"a teacher with {how}", told, "", holds, "", 1, float(tokens or 0))
    key = f"dev/{config.source}/entity_f1"
    ours, other = run.history[-1][key], whole.history[-1][key]
    near = abs(ours - other) <= MOST_DIFFERENCE or session.tiny
    what = f"its F1 on {config.source} dev, against that of whole batches"
    limit = f"{'holds' if near else FAILS}: {ours - other:+.4f}, at most {MOST_DIFFERENCE}"
    yield Line("memory", what, f"{ours:.4f}", f"{other:.4f}", limit, "", 1, ours - other)
