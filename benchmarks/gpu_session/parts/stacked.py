"""Many students of one teacher in one process: their layers stacked, against one after another.

They see the same batches, and share what is frozen; dropout draws for each by itself.

# K students, N valid tokens (flattened), C classes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.gpu_session.comparing import BF16, FP32, near
from benchmarks.gpu_session.layer_stack import Inputs, LayerStack, inputs_of
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, MBERT, build, drawn_corpus, lengths
from benchmarks.gpu_session.timing import in_turns, peak_bytes
from benchmarks.gpu_session.training import batches_of
from benchmarks.table import Line
from prokd.encoder.classifier import TokenClassifier

BATCHES = 4
Seen = Sequence[tuple[Inputs, Tensor]]
"""Batches as the trained layers see them, and their labels."""


def measure(session: Session) -> Iterator[Line]:
    """Yield, by shape and number of students, the ratio of one after another to stacked."""
    sentences, _ = session.amounts.batches
    for name in (E5, MBERT):
        model = build(session, name)
        vocabulary = int(model.encoder.config.vocab_size)
        drawn = lengths(session, BATCHES * sentences, 0)
        corpus = drawn_corpus(drawn, vocabulary, labelled=True)
        batches = [b.to(session.device) for b in batches_of(corpus, sentences, BATCHES)]
        seen = [(inputs_of(model, batch), batch.labels_N) for batch in batches]
        yield same_logits(session, model, seen[0][0])
        for number in session.amounts.stacked:
            where = f"{BATCHES} steps of {number} students, {name}, {sentences} sentences, padded"
            yield from _compared(session, where, model, number, seen)


def _compared(
    session: Session, where: str, model: TokenClassifier, number: int, seen: Any
) -> Iterator[Line]:
    device = session.device
    together = stacked_steps(model, number, seen)
    one_by_one = separate_steps(model, number, seen)
    what = f"{where}: stacked / one by one"
    yield in_turns("stacked", what, together, one_by_one, device, session.amounts.repeats)
    if session.on_gpu:
        peak = peak_bytes(together, device) / 2**20
        yield Line("stacked", f"most memory, {where}", f"{peak:.0f} MiB", "", "", "", 1, peak)


def separate_steps(model: TokenClassifier, number: int, seen: Seen) -> Callable[[], None]:
    """Return a function that takes one step on each batch with each student by itself."""
    students = [LayerStack(model, "sdpa").train() for _ in range(number)]
    optimizers = [torch.optim.Adam(each.parameters(), lr=1e-5, fused=True) for each in students]

    def steps() -> None:
        for student, optimizer in zip(students, optimizers, strict=True):
            for inputs, labels_N in seen:
                optimizer.zero_grad(set_to_none=True)
                with model.autocast():
                    logits_NC = student(*inputs)
                _loss(logits_NC, labels_N).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    return steps


def stacked_steps(model: TokenClassifier, number: int, seen: Seen) -> Callable[[], None]:
    """Return a function that takes one step on each batch with all students at once."""
    weights, forward = stacked([LayerStack(model, "eager").train() for _ in range(number)])
    optimizer = torch.optim.Adam(list(weights.values()), lr=1e-5, fused=True)

    def steps() -> None:
        for inputs, labels_N in seen:
            optimizer.zero_grad(set_to_none=True)
            with model.autocast():
                logits_KNC = forward(*inputs)
            # A sum over students: the gradient of each is that of its own mean.
            loss = number * _loss(logits_KNC.flatten(0, 1), labels_N.repeat(number))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return steps


def stacked(students: list[LayerStack]) -> tuple[dict[str, Tensor], Callable[..., Tensor]]:
    """Return the weights of all students, K in front, and their forward pass to (K, N, C)."""
    weights, buffers = stack_module_state(students)  # type: ignore[arg-type]
    base = students[0]

    def one(own: dict[str, Tensor], rest: dict[str, Tensor], *seen: Tensor) -> Any:
        return functional_call(base, (own, rest), seen)

    all_of_them = vmap(one, in_dims=(0, 0, None, None, None), randomness="different")
    return weights, lambda *seen: all_of_them(weights, buffers, *seen)


def same_logits(session: Session, model: TokenClassifier, inputs: Inputs) -> Line:
    """Return the check that stacked students compute what each computes by itself."""
    alone = [LayerStack(model, "sdpa").eval() for _ in range(2)]
    together = [LayerStack(model, "eager").eval() for _ in range(2)]
    for students in (alone, together):
        students[1].load_state_dict({n: 1.1 * v for n, v in students[1].state_dict().items()})
    with torch.no_grad(), model.autocast():
        _, forward = stacked(together)
        found, right = forward(*inputs), torch.stack([each(*inputs) for each in alone])
    what = f"logits of stacked students, {model.num_features} features, against one by one"
    return near(what, found, right, BF16 if session.on_gpu else FP32)


def _loss(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits_NC.float(), labels_N)
