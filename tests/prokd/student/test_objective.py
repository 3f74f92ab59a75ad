import pytest
import torch

from prokd.methods.prokd.student.objective import student_objective
from tests.prokd import references


@pytest.mark.parametrize("self_training", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("distillation", [0.0, 0.1, 1.5])
@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_equals_the_reference(self_training: float, distillation: float, alpha: float) -> None:
    total = student_objective(
        torch.tensor(self_training).double(),
        torch.tensor(distillation).double(),
        distillation_weight=alpha,
    )
    expected = references.student_objective(self_training, distillation, alpha)
    assert total.item() == pytest.approx(expected, abs=1e-6)


def test_by_hand() -> None:
    total = student_objective(torch.tensor(2.0), torch.tensor(4.0), distillation_weight=0.75)
    assert total.item() == 3.5


def test_without_self_training_it_is_the_distillation() -> None:
    total = student_objective(None, torch.tensor(0.3), distillation_weight=1.0)
    assert total.item() == pytest.approx(0.3)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_gradient(alpha: float) -> None:
    self_training = torch.tensor(1.0, requires_grad=True)
    distillation = torch.tensor(2.0, requires_grad=True)
    student_objective(self_training, distillation, distillation_weight=alpha).backward()
    assert self_training.grad == 1 - alpha
    assert distillation.grad == alpha
