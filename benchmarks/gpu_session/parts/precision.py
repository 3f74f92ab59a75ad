"""bf16 against fp32 on real text and a real encoder: seconds and F1 of teacher and student."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.training import trained
from benchmarks.table import Line, mean_and_deviation, ratio_line

KINDS = ("bf16", "fp32")


def measure(session: Session) -> Iterator[Line]:
    """Yield both after every seed: the last lines are those that count."""
    f1: dict[str, list[float]] = {kind: [] for kind in KINDS}
    seconds: dict[str, dict[str, list[float]]] = {
        stage: {kind: [] for kind in KINDS} for stage in ("teacher", "student")
    }
    target = session.target
    for seed in range(session.amounts.seeds):
        for kind in KINDS:
            config = run_config(session, kind, seed)
            for stage, times in seconds.items():
                run = trained(stage, config, session.runtime("runs"))
                times[kind].append(epoch_seconds(run.history))
            f1[kind].append(run.report()[f"test/{target}/entity_f1"])
        where = f"{seed + 1} seeds, {session.amounts.sentences} sentences of each language"
        for stage, times in seconds.items():
            yield ratio_line(
                "precision", f"{stage}'s epoch, {where}: bf16 / fp32", *times.values()
            )
        yield _f1_line(f"F1 on {target} test, {where}: bf16 / fp32", f1)


def run_config(session: Session, precision: str, seed: int = 0) -> Any:
    """Return the settings of the runs; another part finds them finished."""
    return session.config(encoder__precision=precision, seed=seed)


def epoch_seconds(history: list[dict[str, float]]) -> float:
    """Return the median seconds of an epoch but the first, which warms up and aligns nothing."""
    return statistics.median(row["seconds"] for row in history[1:] or history)


def _f1_line(what: str, f1: dict[str, list[float]]) -> Line:
    ours, other = (statistics.fmean(f1[kind]) for kind in KINDS)
    texts = [mean_and_deviation(f1[kind]) for kind in KINDS]
    number = len(f1["bf16"])
    return Line("precision", what, *texts, f"{ours - other:+.4f}", "", number, ours - other)
