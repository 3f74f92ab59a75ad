"""torch.compile, and CUDA graphs, against eager layers, on padded batches of fixed shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_session.layer_stack import LayerStack, inputs_of
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus
from benchmarks.gpu_session.timing import in_turns, wait
from benchmarks.gpu_session.training import batches_of, steps_of
from benchmarks.table import Line
from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier

FIXED = ((E5, 32, 32), (MBERT, 32, 32), (E5, 512, 32), (E5, 32, 64))
"""Shape, sentences and subwords of a batch; the first are measured first."""
TINY_FIXED = ((E5, 4, 8),)


def measure(session: Session) -> Iterator[Line]:
    """Yield, by shape and mode, the ratio of an eager step to a compiled one."""
    for name, sentences, length in TINY_FIXED if session.tiny else FIXED:
        for mode in modes(session):
            torch._dynamo.reset()
            model = build(session, name)
            batch = fixed_batch(model, sentences, length).to(session.device)
            yield from _compared(session, f"{name}, {sentences} x {length}", model, batch, mode)
    if not session.on_gpu:
        text = "without a GPU there are no CUDA graphs, and the stand-in compiles nothing"
        yield Line("compiled", "CUDA graphs", "", "", text, "", 0, 0.0)


def modes(session: Session) -> tuple[str, ...]:
    """Return the ways of compiling; on a CPU the graph alone is captured, and run as it is."""
    return ("default", "reduce-overhead") if session.on_gpu else ("captured",)


def fixed_batch(model: TokenClassifier, sentences: int, length: int) -> Batch:
    """Return a batch of one shape, a third of it padding."""
    vocabulary = int(model.encoder.config.vocab_size)
    lengths_S = np.linspace(max(length // 3, 3), length, sentences).astype(np.int64)
    corpus = drawn_corpus(lengths_S, vocabulary, labelled=True)
    (batch,) = batches_of(corpus, sentences, 1)
    return batch


def _compared(
    session: Session, where: str, model: TokenClassifier, batch: Batch, mode: str
) -> Iterator[Line]:
    device, repeats = session.device, 4 * session.amounts.repeats
    started = perf_counter()
    compiled = fixed_step(model, batch, mode)
    for _ in range(3):  # graphs are recorded in the second call
        compiled()
    wait(device)
    seconds = perf_counter() - started
    ways = {"padded": fixed_step(model, batch, "eager"), "whole, packed": steps_of(model, [batch])}
    for name, way in ways.items():
        what = f"step, {where}: {mode} ({seconds:.0f} s to compile) / eager, {name}"
        yield in_turns("compiled", what, compiled, way, device, repeats)


def fixed_step(model: TokenClassifier, batch: Batch, mode: str) -> Callable[[], Tensor]:
    """Return a training step on a batch; what the frozen layers give is there before.

    Args:
        model: Its trained layers are copied.
        batch: On its device, labelled.
        mode: ``eager``, ``captured``, or one of torch.compile's.
    """
    stack = LayerStack(model, "sdpa").train()
    weights = list(stack.parameters())
    optimizer = torch.optim.Adam(weights, lr=1e-5, fused=True)
    seen, labels_N = inputs_of(model, batch), batch.labels_N
    assert labels_N is not None, "the batch has labels"
    forward = _compiled(stack, mode)

    def step() -> Tensor:
        if model.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        with model.autocast():
            logits_NC = forward(*seen)
        loss = nn.functional.cross_entropy(logits_NC.float(), labels_N)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        return loss.detach()

    return step


def _compiled(stack: LayerStack, mode: str) -> Callable[..., Tensor]:
    if mode == "eager":
        return stack
    if mode == "captured":
        return torch.compile(stack, backend="eager", dynamic=False, fullgraph=True)
    return torch.compile(stack, mode=mode, dynamic=False, fullgraph=True)
