import math

import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.terms.tagging_loss import denominator, tagging_loss
from tests.prokd import references


def random_case(num_tokens: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(num_tokens, num_classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(num_classes, (num_tokens,), generator=generator)


@pytest.mark.parametrize("shape", [(1, 2), (6, 3), (25, 7), (50, 9)])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("reduction", ["tokens", "sentences"])
def test_equals_the_reference(shape: tuple[int, int], seed: int, reduction: str) -> None:
    logits, labels = random_case(*shape, seed)
    loss = tagging_loss(logits, labels, num_sentences=4, reduction=reduction)  # type: ignore[arg-type]
    expected = references.cross_entropy(
        logits.numpy(), labels.tolist(), reduction=reduction, num_sentences=4
    )
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_by_hand() -> None:
    # p = (3/4, 1/4) for both tokens
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    loss = tagging_loss(logits, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, abs=1e-6)
    loss = tagging_loss(logits, torch.tensor([0, 1]), num_sentences=1, reduction="sentences")
    assert loss.item() == pytest.approx(math.log(4 / 3) + math.log(4), abs=1e-6)


def test_uniform_logits_cost_log_of_the_number_of_classes() -> None:
    assert tagging_loss(torch.zeros(5, 7), torch.arange(5)).item() == pytest.approx(math.log(7))


def test_class_permutation_and_token_order() -> None:
    logits, labels = random_case(20, 5, 0)
    order = torch.tensor([2, 0, 4, 1, 3])  # class k becomes order[k]
    loss = tagging_loss(logits, labels)
    assert torch.allclose(tagging_loss(logits[:, order.argsort()], order[labels]), loss)
    assert torch.allclose(tagging_loss(logits.flip(0), labels.flip(0)), loss)


def test_gradient() -> None:
    logits, labels = random_case(6, 4, 0)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: tagging_loss(x, labels), (logits,))
    tagging_loss(logits, labels).backward()
    expected = references.softmax_rows(logits.detach().numpy())
    expected[np.arange(6), labels.numpy()] -= 1
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected / 6, rtol=0, atol=1e-9)


@pytest.mark.parametrize("reduction", ["tokens", "sentences"])
def test_no_tokens(reduction: str) -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    empty = torch.zeros(0, dtype=torch.int64)
    loss = tagging_loss(logits, empty, num_sentences=0, reduction=reduction)  # type: ignore[arg-type]
    assert loss.item() == 0
    loss.backward()


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_precision_is_never_lowered(given: torch.dtype, computed: torch.dtype) -> None:
    assert tagging_loss(torch.zeros(2, 3, dtype=given), torch.tensor([0, 1])).dtype == computed


def test_denominator() -> None:
    assert denominator(12, 3, "tokens") == 12
    assert denominator(12, 3, "sentences") == 3
    assert denominator(0, 3, "tokens") == 1
    assert denominator(12, 0, "sentences") == 1
