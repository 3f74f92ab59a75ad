import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.methods.prokd.student.pseudo_labels import (
    hard_labels,
    hybrid_probabilities,
    prototype_probabilities,
)
from prokd.terms.prototypes import PrototypeBank
from prokd.terms.sequences import Places
from tests.prokd import references

SHAPES = [(1, 1, 2), (8, 3, 2), (20, 6, 7), (15, 32, 9)]
DISTANCES = [("raw", 1.0), ("scaled", 1.0), ("unit", 1.0), ("unit", 12.0)]


def random_case(num_tokens: int, size: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features and prototypes."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num_tokens, size, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(num_classes, size, generator=generator, dtype=torch.float64)
    return 2 * features, 2 * prototypes + 0.5


def random_distribution(num_classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(300 + seed)
    return torch.softmax(2 * torch.randn(num_classes, generator=generator).double(), dim=0)


def assert_close(actual: Tensor, expected: object) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), np.asarray(expected), rtol=0, atol=1e-6)


class TestPrototypeProbabilities:
    @pytest.mark.parametrize(("distance", "scale"), DISTANCES)
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("temperature", [0.05, 0.5, 0.9])
    @pytest.mark.parametrize("with_prior", [False, True])
    @pytest.mark.parametrize("unknown", [None, 0, 1])
    def test_equals_the_reference(
        self,
        distance: Any,
        scale: float,
        shape: tuple[int, int, int],
        temperature: float,
        with_prior: bool,
        unknown: int | None,
    ) -> None:
        features, prototypes = random_case(*shape, seed=7)
        known = torch.ones(shape[2], dtype=torch.bool)
        if unknown is not None:
            known[unknown] = False
        prior = random_distribution(shape[2], 0) if with_prior else None
        actual = prototype_probabilities(
            features,
            prototypes,
            temperature=temperature,
            distance=distance,
            scale=scale,
            known_C=None if unknown is None else known,
            class_prior_C=prior,
        )
        expected = references.prototype_probabilities(
            features.numpy(),
            prototypes.numpy(),
            temperature,
            kind=distance,
            scale=scale,
            prior_C=None if prior is None else prior.tolist(),
            known_C=known.tolist(),
        )
        assert_close(actual, expected)
        assert_close(actual.sum(dim=-1), np.ones(shape[0]))

    def test_by_hand(self) -> None:
        # Distances 5 and 0 (3, 4, 5), not squared.
        features = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
        prototypes = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
        psi = prototype_probabilities(features, prototypes, temperature=2.5)
        assert_close(psi, [[1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))]])
        psi = prototype_probabilities(features, prototypes, temperature=2.5, distance="scaled")
        assert psi[0, 0].item() == pytest.approx(1 / (1 + math.exp(math.sqrt(2))))
        prior = torch.tensor([0.75, 0.25], dtype=torch.float64)
        psi = prototype_probabilities(features, prototypes, temperature=2.5, class_prior_C=prior)
        assert psi[0, 0].item() == pytest.approx(3 / (3 + math.exp(2)))

    def test_unit_by_hand(self) -> None:
        features = torch.tensor([[5.0, 0.0]], dtype=torch.float64)
        prototypes = torch.tensor([[0.1, 0.0], [0.0, 70.0], [-3.0, 0.0]], dtype=torch.float64)
        psi = prototype_probabilities(
            features, prototypes, temperature=0.5, distance="unit", scale=3.0
        )
        powers = [math.exp(-3 * length / 0.5) for length in (0.0, math.sqrt(2), 2.0)]
        assert_close(psi, [[power / sum(powers) for power in powers]])

    def test_length_plays_no_part_between_unit_vectors(self) -> None:
        features, prototypes = random_case(10, 4, 5, seed=0)
        factors = torch.linspace(0.1, 9, 10, dtype=torch.float64)[:, None]
        psi = prototype_probabilities(features, prototypes, temperature=0.5, distance="unit")
        other = prototype_probabilities(
            factors * features, 4 * prototypes, temperature=0.5, distance="unit"
        )
        assert_close(other, psi)

    def test_only_the_ratio_of_distance_and_temperature_counts(self) -> None:
        features, prototypes = random_case(10, 4, 5, seed=0)
        psi = prototype_probabilities(features, prototypes, temperature=0.5)
        assert_close(prototype_probabilities(6 * features, 6 * prototypes, temperature=3.0), psi)
        assert_close(
            prototype_probabilities(features, prototypes, temperature=0.25, distance="scaled"),
            psi,  # sqrt(4) = 2
        )

    def test_a_common_shift_plays_no_part(self) -> None:
        features, prototypes = random_case(10, 4, 5, seed=0)
        psi = prototype_probabilities(features, prototypes, temperature=0.5)
        shifted = prototype_probabilities(features + 3, prototypes + 3, temperature=0.5)
        assert_close(shifted, psi)

    @pytest.mark.parametrize(("distance", "scale"), DISTANCES)
    def test_class_permutation_and_token_order(self, distance: Any, scale: float) -> None:
        features, prototypes = random_case(10, 4, 5, seed=0)
        prior, known = random_distribution(5, 1), torch.tensor([1, 1, 0, 1, 1]).bool()
        classes, tokens = torch.tensor([2, 0, 4, 1, 3]), torch.arange(10).flip(0)
        settings: dict[str, Any] = {"temperature": 0.7, "distance": distance, "scale": scale}
        psi = prototype_probabilities(
            features, prototypes, known_C=known, class_prior_C=prior, **settings
        )
        permuted = prototype_probabilities(
            features[tokens],
            prototypes[classes],
            known_C=known[classes],
            class_prior_C=prior[classes],
            **settings,
        )
        assert_close(permuted, psi[tokens][:, classes])

    def test_the_nearest_prototype_is_the_likeliest(self) -> None:
        _, prototypes = random_case(1, 6, 7, seed=3)
        psi = prototype_probabilities(prototypes + 0.01, prototypes, temperature=0.5)
        assert hard_labels(psi).tolist() == list(range(7))

    def test_a_uniform_prior_changes_nothing(self) -> None:
        features, prototypes = random_case(10, 4, 5, seed=0)
        uniform = torch.full((5,), 0.2, dtype=torch.float64)
        psi = prototype_probabilities(features, prototypes, temperature=0.5)
        assert_close(
            prototype_probabilities(features, prototypes, temperature=0.5, class_prior_C=uniform),
            psi,
        )

    def test_a_class_of_prior_zero_gets_nothing(self) -> None:
        features, prototypes = random_case(10, 4, 3, seed=0)
        prior = torch.tensor([0.5, 0.0, 0.5])
        psi = prototype_probabilities(
            features.float(), prototypes.float(), temperature=0.5, class_prior_C=prior
        )
        assert torch.isfinite(psi).all()
        assert psi[:, 1].max() < 1e-20

    @pytest.mark.parametrize("known", [[1], [0, 2]])
    def test_an_unknown_class_gets_exactly_nothing(self, known: list[int]) -> None:
        features, prototypes = random_case(10, 4, 3, seed=0)
        known_C = torch.zeros(3, dtype=torch.bool)
        known_C[known] = True
        psi = prototype_probabilities(features, prototypes, temperature=0.5, known_C=known_C)
        assert (psi[:, ~known_C] == 0).all()
        assert_close(psi.sum(dim=-1), np.ones(10))

    @pytest.mark.parametrize(("distance", "scale"), DISTANCES)
    def test_nobody_known_gives_uniform_rows(self, distance: Any, scale: float) -> None:
        bank = PrototypeBank(4, 3)
        psi = prototype_probabilities(
            torch.randn(6, 3, generator=torch.Generator().manual_seed(0)),
            bank.prototypes_CD,
            temperature=0.5,
            distance=distance,
            scale=scale,
            known_C=bank.known_C,
        )
        assert_close(psi, np.full((6, 4), 0.25))

    def test_far_tokens_keep_a_distribution(self) -> None:
        _, prototypes = random_case(1, 6, 7, seed=3)
        psi = prototype_probabilities(torch.full((2, 6), 1e6), prototypes.float(), temperature=0.5)
        assert_close(psi.sum(dim=-1), np.ones(2))

    def test_no_tokens(self) -> None:
        psi = prototype_probabilities(torch.zeros(0, 4), torch.ones(3, 4), temperature=0.5)
        assert psi.shape == (0, 3)

    def test_a_token_on_its_prototype_has_a_finite_gradient(self) -> None:
        _, prototypes = random_case(1, 4, 3, seed=0)
        features = prototypes.clone().requires_grad_()
        prototype_probabilities(features, prototypes, temperature=0.5)[:, 0].sum().backward()
        assert features.grad is not None
        assert torch.isfinite(features.grad).all()

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_temperature_must_be_positive(self, temperature: float) -> None:
        message = f"`temperature > 0` must hold, but got temperature={temperature}"
        with pytest.raises(ValueError, match=message):
            prototype_probabilities(torch.ones(1, 2), torch.ones(2, 2), temperature=temperature)


class TestHardLabels:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_equals_the_reference(self, seed: int) -> None:
        scores, _ = random_case(30, 7, 2, seed)
        assert hard_labels(scores).tolist() == references.hard_labels(scores.numpy())

    def test_the_lowest_index_of_equals(self) -> None:
        assert hard_labels(torch.tensor([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 1]

    def test_no_gradient_and_no_tokens(self) -> None:
        labels = hard_labels(torch.rand(3, 2, requires_grad=True))
        assert labels.dtype == torch.int64
        assert not labels.requires_grad
        assert hard_labels(torch.zeros(0, 3)).shape == (0,)


class TestHybridProbabilities:
    def case(self, seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(2, 25, 6, generator=generator, dtype=torch.float64)
        return torch.softmax(logits[0], -1), torch.softmax(logits[1], -1)

    @pytest.mark.parametrize("beta", [0.0, 0.5, 0.7, 0.8, 0.9, 1.0])
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_equals_the_reference(self, beta: float, seed: int) -> None:
        psi, teacher = self.case(seed)
        phi = hybrid_probabilities(psi, teacher, fusion_weight=beta)
        expected = references.fuse(psi.numpy(), teacher.numpy(), beta)
        assert_close(phi, expected)
        assert_close(phi.sum(dim=-1), np.ones(25))
        assert hard_labels(phi).tolist() == references.hard_labels(expected)

    def test_by_hand(self) -> None:
        psi, teacher = torch.tensor([[0.6, 0.4]]), torch.tensor([[0.1, 0.9]])
        phi = hybrid_probabilities(psi, teacher, fusion_weight=0.7)
        assert_close(phi, [[0.45, 0.55]])  # the teacher changes the label
        assert hard_labels(phi).tolist() == [1]

    def test_weight_one_leaves_the_teacher_out_and_zero_the_prototypes(self) -> None:
        psi, teacher = self.case(0)
        assert torch.equal(hybrid_probabilities(psi, teacher, fusion_weight=1), psi)
        assert torch.equal(hybrid_probabilities(psi, teacher, fusion_weight=0), teacher)

    @pytest.mark.parametrize("beta", [0.6, 0.8])
    def test_a_one_hot_psi_is_never_overruled_above_one_half(self, beta: float) -> None:
        psi, teacher = self.case(0)
        certain = torch.nn.functional.one_hot(psi.argmax(-1), 6).double()
        phi = hybrid_probabilities(certain, teacher, fusion_weight=beta)
        assert torch.equal(hard_labels(phi), hard_labels(psi))

    def test_a_sure_teacher_overrules_near_prototypes_where_distances_are_scaled(self) -> None:
        features, prototypes = random_case(200, 384, 7, seed=0)
        features = features / 2 + prototypes[torch.arange(200) % 7] / 4  # near one of them
        sure = torch.eye(7, dtype=torch.float64)[torch.arange(200) % 5]

        def overruled(distance: Any) -> float:
            psi = prototype_probabilities(features, prototypes, temperature=0.5, distance=distance)
            labels = hard_labels(hybrid_probabilities(psi, sure, fusion_weight=0.8))
            differ = hard_labels(psi) != hard_labels(sure)
            return float((labels == hard_labels(sure))[differ].double().mean())

        assert overruled("raw") == 0
        assert overruled("scaled") > 0.9

    @pytest.mark.parametrize("beta", [-0.1, 1.1, math.nan])
    def test_weight_must_lie_in_the_unit_interval(self, beta: float) -> None:
        psi, teacher = self.case(0)
        message = f"`0 <= fusion_weight <= 1` must hold, but got fusion_weight={beta}"
        with pytest.raises(ValueError, match=message):
            hybrid_probabilities(psi, teacher, fusion_weight=beta)

    def test_no_tokens(self) -> None:
        empty = torch.zeros(0, 3)
        assert hybrid_probabilities(empty, empty, fusion_weight=0.5).shape == (0, 3)


def test_valid_hard_labels_keep_a_span_together() -> None:
    # B-X, then I-Y by itself: the second token joins the first one's span.
    probabilities = torch.tensor([[0.1, 0.8, 0.0, 0.1, 0.0], [0.1, 0.0, 0.4, 0.0, 0.5]])
    places = Places(torch.tensor([0, 0]), torch.tensor([0, 1]), 1, 2)
    assert hard_labels(probabilities).tolist() == [1, 4]
    assert hard_labels(probabilities, places).tolist() == [1, 2]
