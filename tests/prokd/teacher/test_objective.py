import pytest
import torch

from prokd.methods.prokd.teacher.objective import teacher_objective
from tests.prokd import references


@pytest.mark.parametrize("tagging", [0.0, 0.7, 2.5])
@pytest.mark.parametrize("alignment", [-0.3, 0.0, 1.9])
@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_equals_the_reference(tagging: float, alignment: float, weight: float) -> None:
    total = teacher_objective(
        torch.tensor(tagging).double(), torch.tensor(alignment).double(), alignment_weight=weight
    )
    expected = references.teacher_objective(tagging, alignment, weight)
    assert total.item() == pytest.approx(expected, abs=1e-6)


def test_as_printed_by_default() -> None:
    assert teacher_objective(torch.tensor(1.5), torch.tensor(-0.5)).item() == 1.0


def test_without_alignment_it_is_the_tagging_loss() -> None:
    tagging = torch.tensor(1.25, requires_grad=True)
    assert teacher_objective(tagging, None) is tagging


def test_gradient() -> None:
    tagging = torch.tensor(1.0, requires_grad=True)
    alignment = torch.tensor(2.0, requires_grad=True)
    teacher_objective(tagging, alignment, alignment_weight=0.25).backward()
    assert tagging.grad == 1
    assert alignment.grad == 0.25
