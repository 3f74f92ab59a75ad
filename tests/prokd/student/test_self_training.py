import math

import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.methods.prokd.student.pseudo_labels import (
    hard_labels,
    hybrid_probabilities,
    prototype_probabilities,
)
from prokd.methods.prokd.student.self_training import self_training_loss
from prokd.terms.tagging_loss import tagging_loss
from tests.prokd import references


def random_case(num_tokens: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, num_tokens, num_classes, generator=generator, dtype=torch.float64)
    return logits[0], logits[1].argmax(dim=-1)


@pytest.mark.parametrize("shape", [(1, 2), (6, 3), (25, 7), (50, 9)])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("reduction", ["tokens", "sentences"])
def test_equals_the_reference(shape: tuple[int, int], seed: int, reduction: str) -> None:
    logits, labels = random_case(*shape, seed)
    loss = self_training_loss(logits, labels, num_sentences=4, reduction=reduction)  # type: ignore[arg-type]
    expected = references.cross_entropy(
        logits.numpy(), labels.tolist(), reduction=reduction, num_sentences=4
    )
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_equals_the_tagging_loss_on_the_same_labels() -> None:
    logits, labels = random_case(20, 5, 0)
    assert torch.allclose(self_training_loss(logits, labels), tagging_loss(logits, labels))


def test_by_hand() -> None:
    # q = (3/4, 1/4); -log 3/4 and -log 1/4
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    loss = self_training_loss(logits, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, abs=1e-6)


@pytest.mark.parametrize("reduction", ["tokens", "sentences"])
def test_tokens_left_out_add_nothing_but_count(reduction: str) -> None:
    logits, labels = random_case(10, 4, 0)
    kept = torch.tensor([1, 0, 1, 1, 0, 0, 1, 1, 1, 0]).bool()
    loss = self_training_loss(
        logits,
        labels,
        kept_N=kept,
        num_sentences=3,
        reduction=reduction,  # type: ignore[arg-type]
    )
    total = references.cross_entropy(
        logits[kept].numpy(), labels[kept].tolist(), reduction="sentences", num_sentences=1
    )
    assert loss.item() == pytest.approx(total / (10 if reduction == "tokens" else 3), abs=1e-6)


def test_nobody_kept() -> None:
    logits, labels = random_case(10, 4, 0)
    logits.requires_grad_()
    loss = self_training_loss(logits, labels, kept_N=torch.zeros(10, dtype=torch.bool))
    assert loss.item() == 0
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_everybody_kept_is_the_default() -> None:
    logits, labels = random_case(10, 4, 0)
    kept = torch.ones(10, dtype=torch.bool)
    assert torch.equal(
        self_training_loss(logits, labels, kept_N=kept), self_training_loss(logits, labels)
    )


def test_no_tokens() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = self_training_loss(logits, torch.zeros(0, dtype=torch.int64))
    assert loss.item() == 0
    loss.backward()


def test_class_permutation_and_token_order() -> None:
    logits, labels = random_case(20, 5, 0)
    order = torch.tensor([2, 0, 4, 1, 3])  # class k becomes order[k]
    loss = self_training_loss(logits, labels)
    assert torch.allclose(self_training_loss(logits[:, order.argsort()], order[labels]), loss)
    assert torch.allclose(self_training_loss(logits.flip(0), labels.flip(0)), loss)


def test_gradient() -> None:
    logits, labels = random_case(5, 4, 1)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: self_training_loss(x, labels), (logits,))


def test_no_gradient_through_the_pseudo_labels() -> None:
    """Features, prototypes and teacher make the labels and learn nothing from them."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    prototypes = torch.randn(4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    head = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    teacher = torch.full((12, 4), 0.25, dtype=torch.float64, requires_grad=True)
    psi = prototype_probabilities(features, prototypes, temperature=0.5)
    labels = hard_labels(hybrid_probabilities(psi, teacher, fusion_weight=0.8))
    logits = features @ head
    self_training_loss(logits, labels).backward()
    assert prototypes.grad is None
    assert teacher.grad is None
    rows = references.softmax_rows(logits.detach().numpy())
    rows[np.arange(12), labels.numpy()] -= 1
    assert features.grad is not None
    np.testing.assert_allclose(
        features.grad.numpy(), rows @ head.numpy().T / 12, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("given", "computed"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64,) * 2],
)
def test_precision_is_never_lowered(given: torch.dtype, computed: torch.dtype) -> None:
    loss = self_training_loss(torch.zeros(2, 3, dtype=given), torch.tensor([0, 1]))
    assert loss.dtype == computed
