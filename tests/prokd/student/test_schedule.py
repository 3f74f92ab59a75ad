import pytest

from prokd.methods.prokd.student.schedule import distillation_weight
from tests.prokd import references


@pytest.mark.parametrize("num_epochs", [1, 2, 3, 10, 37])
@pytest.mark.parametrize("first", [0, 1])
def test_equals_the_reference(num_epochs: int, first: int) -> None:
    for epoch in range(num_epochs):
        weight = distillation_weight(epoch, num_epochs, first_epoch=first)  # type: ignore[arg-type]
        expected = references.cumulative_weight(epoch, num_epochs, first=first)
        assert weight == pytest.approx(expected, abs=1e-12)


def test_by_hand() -> None:
    assert [distillation_weight(e, 4) for e in range(4)] == [1, 15 / 16, 3 / 4, 7 / 16]
    assert [distillation_weight(e, 4, first_epoch=1) for e in range(4)] == [
        15 / 16,
        3 / 4,
        7 / 16,
        0,
    ]


@pytest.mark.parametrize("num_epochs", [2, 5, 20])
@pytest.mark.parametrize("first", [0, 1])
def test_falls_within_the_unit_interval(num_epochs: int, first: int) -> None:
    weights = [
        distillation_weight(epoch, num_epochs, first_epoch=first)  # type: ignore[arg-type]
        for epoch in range(num_epochs)
    ]
    assert weights == sorted(set(weights), reverse=True)
    assert 0 <= weights[-1] <= weights[0] <= 1
    assert weights[0] == 1 if first == 0 else weights[-1] == 0


@pytest.mark.parametrize(("epoch", "num_epochs"), [(-1, 3), (3, 3), (0, 0)])
def test_epoch_must_be_one_of_the_epochs(epoch: int, num_epochs: int) -> None:
    message = rf"`0 <= epoch < num_epochs` must hold, but got \(epoch={epoch}, num_epochs"
    with pytest.raises(ValueError, match=message):
        distillation_weight(epoch, num_epochs)
