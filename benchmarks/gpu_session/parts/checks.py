"""Whether the GPU computes what the CPU computes, and the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_session.comparing import BF16, FP32, GRADIENT, equal, near
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.training import new_real_stage, trained
from benchmarks.table import Line
from prokd.data import Batch, collate
from prokd.encoder.artifact import load
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.encoder.packed import can_attend
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun

STAGES = ("teacher", "student")
HEADS = 12, 64
"""Of an encoder of mBERT's shape, and their size."""


def measure(session: Session) -> Iterator[Line]:
    """Yield a line for each check: it holds, or it fails, and by how much."""
    yield from kernels(session)
    yield from forward(session)
    yield from gradients(session)
    yield from repeated(session)


def forward(session: Session) -> Iterator[Line]:
    """Compare features and logits: with the CPU's, padded with packed, bf16 with fp32."""
    right, batch = _model_and_batch(session, "cpu", "fp32")
    expected = _forward(right, batch)
    for what, precision, packed, most in (
        ("fp32, packed", "fp32", True, FP32),
        ("fp32, padded", "fp32", False, FP32),
        ("bf16, packed", "bf16", True, BF16),
        ("bf16, padded", "bf16", False, BF16),
    ):
        model, batch = _model_and_batch(session, session.kind, precision)
        model.is_packed = packed
        for name, one, two in zip(
            ("features", "logits"), _forward(model, batch), expected, strict=True
        ):
            yield near(f"{name}, {what}, against the CPU's in fp32", one, two, most)


def gradients(session: Session) -> Iterator[Line]:
    """Compare the gradients of a teacher's and a student's step behind their first epoch."""
    changes = {f"{stage}__{k}": v for stage in STAGES for k, v in _ONE_STEP.items()}
    one_step = _config(session, encoder__precision="fp32", **changes)
    runtime = session.runtime("checks-gradients")
    trained("teacher", one_step, runtime.model_copy(update={"device": "cpu"}))
    for name in STAGES:
        right = _gradient(session, name, one_step, "cpu", packed=True)
        for packed in (True, False):
            found = _gradient(session, name, one_step, session.kind, packed=packed)
            way = "packed" if packed else "padded"
            what = f"gradient of a {name}'s step, fp32, {way}, against the CPU's"
            yield near(what, found, right, GRADIENT)


_ONE_STEP = {"epochs": 2, "batch_sentences": 4096, "learning_rate": 1e-7}
"""One batch an epoch; so small a rate that the second one starts from the same weights."""


def repeated(session: Session) -> Iterator[Line]:
    """Train the same twice, and once with an interruption: the weights are equal to the bit."""
    config, runtime = _config(session), session.runtime("checks-whole")
    whole = {name: trained(name, config, runtime) for name in STAGES}
    for name in STAGES:
        for packed in (True, False):
            one, other = (_after_two_epochs(name, config, runtime, packed) for _ in range(2))
            way = "packed" if packed else "padded"
            yield equal(f"a {name} trained twice from one seed, {way}", one, other)
    runtime = session.runtime("checks-resumed")
    for name in STAGES:
        with StageRun(name, config, runtime) as run:
            run.step()
        resumed = load(trained(name, config, runtime).folder.path).trained_state()
        right = load(whole[name].folder.path).trained_state()
        yield equal(f"a {name} resumed behind its first epoch", resumed, right)


def _after_two_epochs(name: str, config: Any, runtime: Any, packed: bool) -> dict[str, Tensor]:
    stage = new_real_stage(name, config, runtime)
    stage.model.is_packed = packed
    for _ in range(2):
        stage.run_epoch()
    return {key: value.cpu() for key, value in stage.model.trained_state().items()}


def kernels(session: Session) -> Iterator[Line]:
    """Say whether layers run without padding here: if not, both ways are the padded one."""
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        there = can_attend(session.device, kind, *HEADS)
        told = "there is one" if there else "there is none"
        what = f"a kernel for attention without padding, {name}"
        yield Line("checks", what, "", "", told, "", 1, float(there))


def _config(session: Session, **overrides: Any) -> Any:
    names = ("source_train_limit", "target_train_limit", "evaluation_limit")
    values: dict[str, Any] = {f"data__{name}": session.amounts.checked for name in names}
    values |= {f"{stage}__epochs": 2 for stage in STAGES}
    return session.config(**values | overrides)


def _model_and_batch(session: Session, kind: str, precision: str) -> tuple[TokenClassifier, Batch]:
    config = _config(session, encoder__precision=precision)
    corpora = Corpora(config, session.runtime("checks", device=kind))
    model = build_classifier(config.encoder, 7, max_length=config.data.max_length, seed=0).to(kind)
    batch = collate(corpora.source_train, list(range(min(32, len(corpora.source_train)))), 0)
    return model.eval(), batch.to(kind)


@torch.no_grad()
def _forward(model: TokenClassifier, batch: Batch) -> tuple[Tensor, Tensor]:
    with model.autocast():
        features_ND, logits_NC = model(batch)
    return features_ND.float(), logits_NC.float()


def _gradient(session: Session, name: str, config: Any, kind: str, *, packed: bool) -> Tensor:
    """Return the clipped gradient of a stage's second step, as one vector."""
    runtime = session.runtime("checks-gradients", device=kind)
    stage = new_real_stage(name, config, runtime)
    stage.model.is_packed = packed
    for module in stage.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # devices draw other random numbers
    for _ in range(2):
        stage.run_epoch()
    return torch.cat([p.grad.flatten().cpu() for p in stage.optimization.parameters])
