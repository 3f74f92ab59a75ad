import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.methods.prokd.teacher.alignment import alignment_loss, with_gradient
from prokd.terms.prototypes import PrototypeBank, weighted_prototypes
from tests.prokd import references

READINGS = [
    {"summation": summation, "negatives": negatives, "positive_in_denominator": positive}
    for summation, negatives, positive in product(
        ["inside_log", "per_class"], ["within", "across"], [False, True]
    )
]
REPELLING = list(READINGS)
READINGS += [
    {"summation": summation, "negatives": "none", "positive_in_denominator": False}
    for summation in ("inside_log", "per_class")
]


ALL = torch.ones(5, dtype=torch.bool)


def name_of(reading: dict[str, Any]) -> str:
    positive = "infonce" if reading["positive_in_denominator"] else "printed"
    return f"{reading['summation']}-{reading['negatives']}-{positive}"


def random_prototypes(num_classes: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(num_classes, size, generator=generator, dtype=torch.float64)
    noise = torch.randn(num_classes, size, generator=generator, dtype=torch.float64)
    return 5 * source, 3 * source + 2 * noise


def expected_loss(source: Tensor, target: Tensor, temperature: float, **reading: Any) -> float:
    return references.alignment(
        source.detach().numpy(),
        target.detach().numpy(),
        temperature,
        sum_inside_log=reading.get("summation", "inside_log") == "inside_log",
        negatives=reading.get("negatives", "within"),
        positive_in_denominator=reading.get("positive_in_denominator", False),
        classes=reading.get("classes"),
    )


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
@pytest.mark.parametrize("shape", [(2, 1), (2, 3), (7, 5), (9, 32)])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_reference(
    reading: dict[str, Any], shape: tuple[int, int], temperature: float, seed: int
) -> None:
    source, target = random_prototypes(*shape, seed)
    loss = alignment_loss(source, target, temperature=temperature, **reading)
    expected = expected_loss(source, target, temperature, **reading)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
@pytest.mark.parametrize("classes", [[0, 1], [1, 2, 4], [4, 0, 6, 3]])
def test_a_subset_of_the_classes(reading: dict[str, Any], classes: list[int]) -> None:
    source, target = random_prototypes(7, 4, 3)
    chosen = torch.zeros(7, dtype=torch.bool)
    chosen[classes] = True
    loss = alignment_loss(source, target, temperature=0.7, classes_C=chosen, **reading)
    expected = expected_loss(source, target, 0.7, classes=classes, **reading)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    rest = ~chosen
    source[rest], target[rest] = 17.0, -4.0
    other = alignment_loss(source, target, temperature=0.7, classes_C=chosen, **reading)
    assert torch.equal(other, loss)


def test_as_printed_by_default() -> None:
    source, target = random_prototypes(7, 5, 1)
    loss = alignment_loss(source, target, temperature=0.5)
    assert loss.item() == pytest.approx(expected_loss(source, target, 0.5), abs=1e-6)


def test_by_hand() -> None:
    # Two orthogonal classes, both languages equal: every fraction is e / (1 + 1).
    axes = torch.eye(2, dtype=torch.float64)
    loss = alignment_loss(axes, axes, temperature=1.0)
    assert loss.item() == pytest.approx(-1.0)  # -log(2 e / 2): below zero, as printed
    loss = alignment_loss(axes, axes, temperature=1.0, summation="per_class")
    assert loss.item() == pytest.approx(math.log(2) - 1)
    loss = alignment_loss(
        axes, axes, temperature=1.0, summation="per_class", positive_in_denominator=True
    )
    assert loss.item() == pytest.approx(math.log(1 + 2 / math.e))
    # Three classes: four negatives, of similarity 0.
    axes = torch.eye(3, dtype=torch.float64)
    loss = alignment_loss(axes, axes, temperature=0.5, negatives="across")
    assert loss.item() == pytest.approx(-math.log(3 * math.exp(2) / 4))


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
def test_class_permutation(reading: dict[str, Any]) -> None:
    source, target = random_prototypes(6, 4, 0)
    order = torch.tensor([5, 2, 0, 1, 4, 3])
    loss = alignment_loss(source, target, temperature=0.5, **reading)
    permuted = alignment_loss(source[order], target[order], temperature=0.5, **reading)
    assert torch.allclose(permuted, loss)


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
def test_languages_may_be_swapped(reading: dict[str, Any]) -> None:
    source, target = random_prototypes(6, 4, 0)
    loss = alignment_loss(source, target, temperature=0.5, **reading)
    assert torch.allclose(alignment_loss(target, source, temperature=0.5, **reading), loss)


def test_length_of_prototypes_plays_no_part() -> None:
    source, target = random_prototypes(6, 4, 0)
    factors = torch.tensor([[0.1], [2.0], [30.0], [4.0], [5.0], [6.0]]).double()
    loss = alignment_loss(source, target, temperature=0.5)
    assert torch.allclose(alignment_loss(factors * source, 9 * target, temperature=0.5), loss)


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
def test_aligned_prototypes_cost_less(reading: dict[str, Any]) -> None:
    source, _ = random_prototypes(7, 16, 0)
    aligned = alignment_loss(source, source, temperature=0.5, **reading)
    shuffled = alignment_loss(source, source.roll(1, 0), temperature=0.5, **reading)
    assert aligned < shuffled


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("negatives", ["within", "across"])
def test_per_class_infonce_is_not_negative(positive: bool, negatives: Any) -> None:
    source, _ = random_prototypes(4, 16, 0)
    loss = alignment_loss(
        source,
        source,
        temperature=0.05,
        summation="per_class",
        negatives=negatives,
        positive_in_denominator=positive,
    )
    assert (loss >= 0) == positive


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
def test_gradient(reading: dict[str, Any]) -> None:
    source, target = random_prototypes(4, 3, 2)
    arguments = (source.requires_grad_(), target.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda s, t: alignment_loss(s, t, temperature=0.6, **reading), arguments
    )


@pytest.mark.parametrize("reading", REPELLING, ids=name_of)
@pytest.mark.parametrize("chosen", [[], [1]])
def test_fewer_than_two_classes_cost_nothing(reading: dict[str, Any], chosen: list[int]) -> None:
    source, target = random_prototypes(3, 4, 0)
    source.requires_grad_()
    target.requires_grad_()
    classes = torch.zeros(3, dtype=torch.bool)
    classes[chosen] = True
    loss = alignment_loss(source, target, temperature=0.5, classes_C=classes, **reading)
    assert loss.shape == ()
    assert loss.item() == 0
    loss.backward()
    assert source.grad is not None
    assert target.grad is not None
    assert source.grad.abs().sum() == 0
    assert target.grad.abs().sum() == 0


@pytest.mark.parametrize("summation", ["inside_log", "per_class"])
def test_attraction_alone_needs_one_class_and_has_no_effect_without_any(summation: Any) -> None:
    source, target = random_prototypes(3, 4, 0)
    classes = torch.tensor([False, True, False])
    settings = {"temperature": 0.5, "summation": summation, "negatives": "none"}
    cosine = torch.nn.functional.cosine_similarity(source[1], target[1], dim=0)
    loss = alignment_loss(source, target, classes_C=classes, **settings)
    assert loss.item() == pytest.approx(-cosine.item() / 0.5)
    assert alignment_loss(source, target, classes_C=~ALL[:3], **settings).item() == 0


@pytest.mark.parametrize("negatives", ["within", "across", "none"])
def test_classes_weigh_as_they_are_told(negatives: Any) -> None:
    source, target = random_prototypes(4, 3, 5)
    weights = [0.5, 0.0, 2.0, 7.5]
    loss = alignment_loss(
        source,
        target,
        temperature=0.6,
        weights_C=torch.tensor(weights, dtype=torch.float64),
        summation="per_class",
        negatives=negatives,
    )
    expected = references.alignment(
        source.numpy(),
        target.numpy(),
        0.6,
        sum_inside_log=False,
        negatives=negatives,
        weights=weights,
    )
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_no_weight_at_all_costs_nothing() -> None:
    source, target = random_prototypes(3, 4, 0)
    target.requires_grad_()
    loss = alignment_loss(
        source, target, temperature=0.5, weights_C=torch.zeros(3), summation="per_class"
    )
    loss.backward()
    assert loss.item() == 0
    assert target.grad is not None
    assert target.grad.abs().sum() == 0


@pytest.mark.parametrize("reading", READINGS, ids=name_of)
def test_a_zero_prototype_gives_finite_values(reading: dict[str, Any]) -> None:
    source, target = random_prototypes(4, 3, 2)
    target[1] = 0
    target.requires_grad_()
    loss = alignment_loss(source, target, temperature=0.5, **reading)
    loss.backward()
    assert torch.isfinite(loss)
    assert target.grad is not None
    assert torch.isfinite(target.grad).all()


def test_a_low_temperature_does_not_overflow() -> None:
    source, _ = random_prototypes(4, 3, 2)
    loss = alignment_loss(source.float(), source.float(), temperature=1e-3)
    assert torch.isfinite(loss)


@pytest.mark.parametrize("temperature", [0.0, -0.5, math.nan])
def test_temperature_must_be_positive(temperature: float) -> None:
    source, target = random_prototypes(3, 2, 0)
    message = f"`temperature > 0` must hold, but got temperature={temperature}"
    with pytest.raises(ValueError, match=message):
        alignment_loss(source, target, temperature=temperature)


@pytest.mark.parametrize(
    ("given", "computed"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64,) * 2],
)
def test_precision_is_never_lowered(given: torch.dtype, computed: torch.dtype) -> None:
    source, target = random_prototypes(3, 2, 0)
    assert alignment_loss(source.to(given), target.to(given), temperature=0.5).dtype == computed


class TestWithGradient:
    """How much of the alignment's gradient reaches the features of a target batch."""

    def case(self, rate: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Source prototypes, batch features, batch prototypes and their moving average."""
        source, target = random_prototypes(5, 6, 0)
        bank = PrototypeBank(5, 6).double()
        bank.replace(target, torch.ones(5))
        generator = torch.Generator().manual_seed(1)
        features = torch.randn(20, 6, generator=generator, dtype=torch.float64).requires_grad_()
        logits = torch.randn(20, 5, generator=generator, dtype=torch.float64)
        batch, mass = weighted_prototypes(features, torch.softmax(logits, -1))
        return source, features, batch, bank.averaged(batch, mass, update_rate=rate, weighs="new")

    def gradient_at(self, source: Tensor, averaged: Tensor) -> Tensor:
        """The gradient of the loss in the prototypes that it sees."""
        leaf = averaged.detach().requires_grad_()
        return torch.autograd.grad(alignment_loss(source, leaf, temperature=0.5), leaf)[0]

    @pytest.mark.parametrize("gradient", ["literal", "straight_through", "none"])
    def test_values_stay_equal(self, gradient: Any) -> None:
        _, _, batch, averaged = self.case(0.01)
        seen = with_gradient(averaged, batch, gradient=gradient, supported_C=ALL)
        assert torch.equal(seen, averaged)

    @pytest.mark.parametrize("rate", [0.0001, 0.0005, 0.001, 0.005, 0.3, 1.0])
    @pytest.mark.parametrize("gradient", ["literal", "straight_through"])
    def test_share_of_the_gradient(self, rate: float, gradient: Any) -> None:
        source, features, batch, averaged = self.case(rate)
        arriving = self.gradient_at(source, averaged)
        in_full = torch.autograd.grad(batch, features, arriving, retain_graph=True)[0]
        seen = with_gradient(averaged, batch, gradient=gradient, supported_C=ALL)
        loss = alignment_loss(source, seen, temperature=0.5)
        actual = torch.autograd.grad(loss, features)[0]
        share = rate if gradient == "literal" else 1.0
        np.testing.assert_allclose(actual.numpy(), share * in_full.numpy(), rtol=1e-9, atol=1e-15)
        assert (actual.norm() / in_full.norm()).item() == pytest.approx(share, rel=1e-9)

    def test_batch_is_the_batch_prototype_in_value_and_gradient(self) -> None:
        source, features, batch, averaged = self.case(0.001)
        seen = with_gradient(averaged, batch, gradient="batch", supported_C=ALL)
        assert torch.equal(seen, batch)
        arriving = self.gradient_at(source, batch)
        in_full = torch.autograd.grad(batch, features, arriving, retain_graph=True)[0]
        loss = alignment_loss(source, seen, temperature=0.5)
        actual = torch.autograd.grad(loss, features)[0]
        np.testing.assert_allclose(actual.numpy(), in_full.numpy(), rtol=1e-9, atol=1e-15)

    def test_none(self) -> None:
        source, _, batch, averaged = self.case(0.5)
        seen = with_gradient(averaged, batch, gradient="none", supported_C=ALL)
        assert not seen.requires_grad
        assert not alignment_loss(source, seen, temperature=0.5).requires_grad

    @pytest.mark.parametrize("gradient", ["literal", "straight_through", "batch"])
    def test_a_class_without_support_sends_nothing_back(self, gradient: Any) -> None:
        source, target = random_prototypes(3, 4, 0)
        bank = PrototypeBank(3, 4).double()
        bank.replace(target, torch.ones(3))
        features = torch.ones(2, 4, dtype=torch.float64, requires_grad=True)
        weights = torch.zeros(2, 3, dtype=torch.float64)
        weights[:, 0] = 1
        weights.requires_grad_()
        batch, mass = weighted_prototypes(features, weights)
        averaged = bank.averaged(batch, mass, update_rate=0.1, weighs="new")
        seen = with_gradient(averaged, batch, gradient=gradient, supported_C=mass > 0)
        assert torch.equal(seen[1:], target[1:])
        alignment_loss(source, seen, temperature=0.5).backward()
        assert features.grad is not None
        assert features.grad.abs().sum() > 0
        assert weights.grad is not None
        assert weights.grad[:, 1:].abs().sum() == 0
