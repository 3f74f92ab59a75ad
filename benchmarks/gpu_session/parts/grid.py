"""A grid of 300 points: a teacher and some of its students trained, the rest by a formula."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import BertModel

from benchmarks.gpu_session.parts.precision import epoch_seconds
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import MBERT, shape_config
from benchmarks.gpu_session.training import trained
from benchmarks.table import Line
from prokd.encoder.files import load_tokenizer

POINTS, TEACHERS, SENTENCES, EPOCHS = 300, 5, 20_000, 10
"""Of the paper's grid on WikiANN."""
BATCH = 128


def measure(session: Session) -> Iterator[Line]:
    """Yield the grid's minutes with mBERT's shape, and with the carried encoder."""
    shaped = {"encoder__name": str(shaped_encoder(session))}
    shaped["encoder__frozen_layers"] = 1 if session.tiny else 3
    # Its weights are random, and shall stay finite.
    shaped |= {f"{stage}__learning_rate": 1e-5 for stage in ("teacher", "student")}
    for name, changes in ((MBERT, shaped), ("the carried encoder", {})):
        yield _line(name, session, **grid_costs(session, **changes))


def shaped_encoder(session: Session) -> Path:
    """Write a random encoder of mBERT's layers with the carried tokenizer; return its folder."""
    tokenizer = load_tokenizer(session.encoder)
    folder = session.work / "shaped"
    config = shape_config(session, MBERT)
    config.update({"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id})
    torch.manual_seed(0)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def grid_costs(session: Session, **changes: Any) -> dict[str, float]:
    """Train a teacher and some students; return what each of their parts took.

    Returns:
        ``teacher`` and ``student``, seconds of an epoch on the carried sentences;
        ``teacher_rest`` and ``student_rest``, seconds of a run that are in no epoch.
    """
    batch = min(BATCH, session.amounts.sentences)
    values = {f"{stage}__batch_sentences": batch for stage in ("teacher", "student")}
    runtime = session.runtime("grid")
    epochs: dict[str, list[float]] = {"teacher": [], "student": []}
    rests: dict[str, list[float]] = {"teacher": [], "student": []}
    for number in range(session.amounts.students):
        fusion = {"student__fusion_weight": 0.5 + 0.1 * number}
        config = session.config(**values, **fusion, **changes)
        for stage in ("teacher", "student")[number > 0 :]:
            started = perf_counter()
            run = trained(stage, config, runtime)
            whole = perf_counter() - started
            epochs[stage].append(epoch_seconds(run.history))
            rests[stage].append(whole - sum(row["seconds"] for row in run.history))
    return {
        **{stage: statistics.median(each) for stage, each in epochs.items()},
        # The first student also computes its teacher's probabilities: here one in a few, in a
        # grid one in sixty.
        **{f"{stage}_rest": statistics.fmean(each) for stage, each in rests.items()},
    }


def _line(name: str, session: Session, **costs: float) -> Line:
    sentences = session.amounts.sentences
    factor = SENTENCES / sentences
    parts = [
        TEACHERS * (costs["teacher_rest"] + EPOCHS * factor * costs["teacher"]),
        POINTS * (costs["student_rest"] + EPOCHS * factor * costs["student"]),
    ]
    minutes = sum(parts) / 60
    formula = (
        f"{TEACHERS} x ({costs['teacher_rest']:.2f} + {EPOCHS} x {factor:.3g} x "
        f"{costs['teacher']:.3f}) + {POINTS} x ({costs['student_rest']:.2f} + {EPOCHS} x "
        f"{factor:.3g} x {costs['student']:.3f}) s"
    )
    what = (
        f"{POINTS} students of {TEACHERS} teachers, {name}, {SENTENCES:,} sentences, {EPOCHS} "
        f"epochs, batches of {min(BATCH, sentences)}, one after another"
    )
    scored = round(factor * session.amounts.evaluated)
    said = (
        f"extrapolated from {sentences:,} sentences: runs x (rest + epochs x factor x epoch), "
        f"{scored:,} sentences of source dev scored an epoch"
    )
    students = session.amounts.students
    return Line("grid", what, f"{minutes:.1f} min", formula, said, "< 30 min", students, minutes)
