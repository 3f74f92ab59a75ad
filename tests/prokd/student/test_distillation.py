import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.terms.distillation import distillation_loss
from tests.prokd import references


def random_case(num_tokens: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """The teacher's probabilities and the student's logits."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, num_tokens, num_classes, generator=generator, dtype=torch.float64)
    return torch.softmax(logits[0], dim=-1), logits[1]


@pytest.mark.parametrize("shape", [(1, 2), (5, 3), (30, 7), (64, 9)])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("class_reduction", ["sum", "mean"])
@pytest.mark.parametrize("reduction", ["tokens", "sentences"])
def test_equals_the_reference(
    shape: tuple[int, int], seed: int, class_reduction: str, reduction: str
) -> None:
    teacher, logits = random_case(*shape, seed)
    loss = distillation_loss(
        teacher,
        torch.softmax(logits, dim=-1),
        class_reduction=class_reduction,  # type: ignore[arg-type]
        num_sentences=3,
        reduction=reduction,  # type: ignore[arg-type]
    )
    expected = references.distillation(
        teacher.numpy(),
        logits.numpy(),
        class_reduction=class_reduction,
        reduction=reduction,
        num_sentences=3,
    )
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_by_hand() -> None:
    teacher = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    student = torch.tensor([[0.0, 1.0], [0.25, 0.75]])
    # (1 + 1) and (1/16 + 1/16)
    assert distillation_loss(teacher, student).item() == pytest.approx(2.125 / 2)
    assert distillation_loss(teacher, student, class_reduction="mean").item() == pytest.approx(
        2.125 / 4
    )
    loss = distillation_loss(teacher, student, num_sentences=1, reduction="sentences")
    assert loss.item() == pytest.approx(2.125)


def test_zero_where_student_equals_teacher_and_at_most_two() -> None:
    teacher, logits = random_case(40, 5, 0)
    assert distillation_loss(teacher, teacher).item() == 0
    certain = torch.nn.functional.one_hot(logits.argmax(-1), 5).double()
    assert distillation_loss(certain.roll(1, -1), certain).item() == 2


def test_class_permutation_and_token_order() -> None:
    teacher, logits = random_case(12, 5, 0)
    student = torch.softmax(logits, -1)
    classes, tokens = torch.tensor([2, 0, 4, 1, 3]), torch.arange(12).flip(0)
    loss = distillation_loss(teacher, student)
    assert torch.allclose(distillation_loss(teacher[:, classes], student[:, classes]), loss)
    assert torch.allclose(distillation_loss(teacher[tokens], student[tokens]), loss)


def test_gradient_reaches_the_student_alone() -> None:
    teacher, logits = random_case(6, 4, 1)
    teacher.requires_grad_()
    student = torch.softmax(logits, -1).requires_grad_()
    distillation_loss(teacher, student).backward()
    assert teacher.grad is None
    assert student.grad is not None
    expected = 2 * (student.detach() - teacher.detach()) / 6
    np.testing.assert_allclose(student.grad.numpy(), expected.numpy(), rtol=0, atol=1e-12)


def test_gradient_in_the_logits() -> None:
    teacher, logits = random_case(4, 3, 1)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: distillation_loss(teacher, torch.softmax(x, -1)), (logits,)
    )


def test_no_tokens() -> None:
    student = torch.zeros(0, 3, requires_grad=True)
    loss = distillation_loss(torch.zeros(0, 3), student)
    assert loss.item() == 0
    loss.backward()
