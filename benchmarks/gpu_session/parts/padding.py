"""Layers without padding against padded ones: steps, passes, memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.gpu_session.parts.steps import steps_with
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus, lengths
from benchmarks.gpu_session.timing import Way, in_turns, peak_bytes
from benchmarks.gpu_session.training import batches_of, packed_and_padded
from benchmarks.table import Line
from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier


def measure(session: Session) -> Iterator[Line]:
    """Yield, by shape, batch and order of sentences, the ratio of padded to packed."""
    for name in (MBERT, E5):
        for sentences in session.amounts.batches:
            for alike in (False, True):
                yield from _of(session, name, sentences, alike)


def _of(session: Session, name: str, sentences: int, alike: bool) -> Iterator[Line]:
    model = build(session, name)
    count = max(steps_with(session, sentences) // 4, 2)
    vocabulary = int(model.encoder.config.vocab_size)
    many = max(20 * sentences, count * sentences)
    corpus = drawn_corpus(lengths(session, many, 0), vocabulary, labelled=True)
    batches = batches_of(corpus, sentences, count, alike=alike)
    real = sum(int(b.attention_mask_BT.sum()) for b in batches)
    places = sum(b.attention_mask_BT.numel() for b in batches)
    order = "of similar length" if alike else "as they come"
    where = f"{name}, {sentences} sentences {order} ({100 * (1 - real / places):.0f} % padding)"
    packed, padded = packed_and_padded(model, batches)
    repeats = session.amounts.repeats
    device = session.device
    where = f"{where}: packed / padded"
    what = f"{count} training steps, {where}"
    yield in_turns("padding", what, packed, padded, device, repeats)
    if not alike:
        looks = [_look(model, batches, flag) for flag in (True, False)]
        yield in_turns("padding", f"{count} passes, {where}", *looks, device, repeats)
        if session.on_gpu:
            yield _memory(where, peak_bytes(packed, device), peak_bytes(padded, device))


def _look(model: TokenClassifier, batches: list[Batch], flag: bool) -> Way:
    here = [batch.to(model.device) for batch in batches]

    @torch.no_grad()
    def way() -> None:
        model.is_packed = flag
        model.eval()
        for batch in here:
            with model.autocast():
                model(batch)

    return way


def _memory(where: str, packed: float, padded: float) -> Line:
    what = f"most memory of a step, {where}"
    ours, other = (f"{value / 2**20:.0f} MiB" for value in (packed, padded))
    return Line("padding", what, ours, other, f"{padded / packed:.2f}x", "", 1, padded / packed)
