"""Steps and epochs as parts measure them: of a model alone, and of whole stages.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import drawn_corpus, lengths, split_of
from prokd.data import Batch, EncodedCorpus, collate, make_batches
from prokd.encoder.classifier import TokenClassifier
from prokd.methods.prokd.config import TeacherConfig
from prokd.methods.prokd.student import StudentStage
from prokd.methods.prokd.teacher import TeacherStage
from prokd.stages.optimization import Optimization
from prokd.terms.tagging_loss import tagging_loss

Steps = Callable[[], Tensor]


def batches_of(
    encoded: EncodedCorpus, sentences: int, count: int, *, alike: bool = True
) -> list[Batch]:
    """Return batches on the CPU, of sentences of similar length or as they come."""
    chosen = make_batches(
        encoded,
        batch_sentences=sentences,
        batch_tokens=10**9,
        batch_pool=50 if alike else 1,
        generator=np.random.default_rng(0),
    )
    return [collate(encoded, indices, 0) for indices in chosen[:count]]


def steps_of(model: TokenClassifier, batches: Sequence[Batch]) -> Steps:
    """Return a function that takes one training step on each batch, and gives the last loss.

    Batches are on the device before: the model's work alone.
    """
    optimization = Optimization(model, TeacherConfig(), num_steps=100_000)
    here = [batch.to(model.device) for batch in batches]

    def steps() -> Tensor:
        model.train()
        loss = torch.zeros(())
        for batch in here:
            with model.autocast():
                _, logits_NC = model(batch)
            assert batch.labels_N is not None, "the batch has labels"
            loss = tagging_loss(logits_NC, batch.labels_N)
            optimization.step(loss)
        return loss.detach()

    return steps


def packed_and_padded(
    model: TokenClassifier, batches: Sequence[Batch]
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Return the steps of a model without padding, and with it."""
    steps = steps_of(model, batches)

    def with_flag(packed: bool) -> Callable[[], Tensor]:
        def way() -> Tensor:
            model.is_packed = packed
            return steps()

        return way

    return with_flag(True), with_flag(False)


def drawn_stages(
    session: Session, make: Callable[[], TokenClassifier], sentences: int, steps: int
) -> dict[str, TeacherStage | StudentStage]:
    """Return a teacher and a student on drawn text; an epoch has so many steps.

    All that an epoch does besides is in it: batches are made and moved, prototypes and health
    checks computed, eight sentences scored.
    """
    model = make()
    vocabulary = int(model.encoder.config.vocab_size)  # type: ignore[union-attr,arg-type]
    lengths_S = lengths(session, sentences * steps, seed=0)
    source = drawn_corpus(lengths_S, vocabulary, labelled=True)
    target = replace(drawn_corpus(lengths_S, vocabulary, labelled=False, seed=1), language="nl")
    batches = {
        "batch_sentences": sentences,
        "batch_tokens": 10**9,
        "batch_pool": 50,
        "epochs": 100,
        "learning_rate": 1e-6,  # random weights, which shall stay finite
    }
    values = {f"{stage}__{k}": v for stage in ("teacher", "student") for k, v in batches.items()}
    config: Any = session.config(**values)
    common = {
        "config": config,
        "source_dev": split_of(drawn_corpus(lengths_S[:8], vocabulary, labelled=True)),
        "target_train": target,
        "pad_token_id": 0,
    }
    known_NC = np.random.default_rng(0).dirichlet(np.ones(7), size=int(target.word_offsets[-1]))
    return {
        "teacher": TeacherStage(model=model, source_train=source, **common),
        "student": StudentStage(model=make(), teacher_probabilities=known_NC, **common),
    }


def new_real_stage(name: str, config: Any, runtime: Any) -> Any:
    """Return a stage of the real text before its first epoch; what it needs must be trained."""
    from prokd.training.context import StageContext, new_stage
    from prokd.training.run import StageRun

    with StageRun(name, config, runtime) as run:
        seen = run.spec.view(run.config)
        context = StageContext(run.spec, seen, run.corpora, run.device, run.needed)
        return new_stage(context, run.spec)


def trained(name: str, config: Any, runtime: Any) -> Any:
    """Train a stage to its end; return its finished run, closed."""
    from prokd.training.run import StageRun

    with StageRun(name, config, runtime) as run:
        run.run()
    return run
