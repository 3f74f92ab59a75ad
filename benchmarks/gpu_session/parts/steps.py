"""Subwords a second of teacher and student steps, and their share of the rate of products."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.gpu_session.parts.rate import product_rate
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus, lengths, operations
from benchmarks.gpu_session.timing import middle, seconds_of
from benchmarks.gpu_session.training import batches_of, drawn_stages, steps_of
from benchmarks.table import Line

BATCHES = {"teacher": 2, "student": 1}
"""Of a step: a teacher sees one of each language."""
PASSES = {"teacher": ("train",), "student": ("train", "look")}
"""Of each: a student looks at it once more, without dropout and gradient."""


def measure(session: Session) -> Iterator[Line]:
    """Yield, by shape and batch, a model's step alone and whole epochs of both stages."""
    rate = product_rate(session)
    for name in (MBERT, E5):
        for sentences in session.amounts.batches:
            yield model_alone(session, name, sentences, rate)
            yield from stages(session, name, sentences, rate)


def steps_with(session: Session, sentences: int) -> int:
    """Return how many steps are timed with batches of a size."""
    small, _ = session.amounts.batches
    return session.amounts.steps if sentences == small else max(session.amounts.steps // 4, 2)


def model_alone(session: Session, name: str, sentences: int, rate: float) -> Line:
    """Return the line of forward, gradient and update on batches that lie on the device."""
    model = build(session, name)
    count = steps_with(session, sentences)
    vocabulary = int(model.encoder.config.vocab_size)
    corpus = drawn_corpus(lengths(session, count * sentences, 0), vocabulary, labelled=True)
    steps = steps_of(model, batches_of(corpus, sentences, count))
    times = seconds_of(steps, session.device, session.amounts.repeats, warm=1)
    subwords, words = len(corpus.input_ids), len(corpus.word_positions)
    work = operations(model, subwords, words)
    return _line(f"model alone, {name}, {sentences} sentences", times, count, subwords, work, rate)


def stages(session: Session, name: str, sentences: int, rate: float) -> Iterator[Line]:
    """Yield the lines of whole epochs, with all that an epoch does besides its steps."""
    count = steps_with(session, sentences)
    found = drawn_stages(session, partial(build, session, name), sentences, count)
    for kind, stage in found.items():
        # Two epochs before: in the second the alignment, and the self-training, have begun.
        times = seconds_of(stage.run_epoch, session.device, session.amounts.repeats, warm=2)
        corpus = stage.target_train
        subwords = BATCHES[kind] * len(corpus.input_ids)
        words = BATCHES[kind] * len(corpus.word_positions)
        work = operations(stage.model, subwords, words, passes=PASSES[kind])
        what = f"{kind}'s epoch, {name}, {sentences} sentences"
        yield _line(what, times, count, subwords, work, rate)


def _line(
    what: str, times: list[float], steps: int, subwords: int, work: float, rate: float
) -> Line:
    seconds = middle(times)
    share = work / seconds / rate
    spread = f"{1000 * min(times) / steps:.1f}-{1000 * max(times) / steps:.1f}"
    return Line(
        "steps",
        f"{what}, {subwords / steps:.0f} real subwords a step",
        f"{1000 * seconds / steps:.1f} ms a step ({spread})",
        f"{rate / 1e12:.3g} TFLOP/s product",
        f"{subwords / seconds:,.0f} subwords/s, {100 * share:.1f} % of the product's rate",
        "≥ 50 %",
        len(times),
        share,
    )
