"""What the frozen layers give, kept once and read again, against computed in every step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.gpu_session.parts.steps import steps_with
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus, lengths
from benchmarks.gpu_session.timing import in_turns
from benchmarks.table import Line
from prokd.data import EncodedCorpus, collate, make_batches
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.frozen import with_frozen_features
from prokd.methods.prokd.config import TeacherConfig
from prokd.stages.optimization import Optimization
from prokd.terms.tagging_loss import tagging_loss


def measure(session: Session) -> Iterator[Line]:
    """Yield the ratio for epochs that collate, move and train."""
    for name in (MBERT, E5):
        for sentences in session.amounts.batches:
            model = build(session, name)
            count = steps_with(session, sentences)
            vocabulary = int(model.encoder.config.vocab_size)
            plain = drawn_corpus(lengths(session, count * sentences, 0), vocabulary, labelled=True)
            kept = with_frozen_features(
                plain,
                model,
                encoder_fingerprint=f"random {name} {sentences}",
                pad_token_id=0,
                runtime=session.runtime("frozen", frozen_cache="on"),
            )
            optimization = Optimization(model, TeacherConfig(), num_steps=100_000)
            ways = (
                partial(epoch, model, corpus, optimization, sentences) for corpus in (kept, plain)
            )
            what = f"{count} steps, {name}, {sentences} sentences: frozen layers kept / computed"
            device, repeats = session.device, session.amounts.repeats
            yield in_turns("frozen", what, *ways, device, repeats, warm=1)


def epoch(
    model: TokenClassifier, corpus: EncodedCorpus, optimization: Optimization, sentences: int
) -> None:
    """Make the batches of a corpus, move them to the device and take a step on each."""
    model.train()
    chosen = make_batches(
        corpus,
        batch_sentences=sentences,
        batch_tokens=10**9,
        batch_pool=50,
        generator=np.random.default_rng(0),
    )
    for indices in chosen:
        batch = collate(corpus, indices, 0).to(model.device, non_blocking=True)
        with model.autocast():
            _, logits_NC = model(batch)
        assert batch.labels_N is not None, "the batch has labels"
        optimization.step(tagging_loss(logits_NC, batch.labels_N))
