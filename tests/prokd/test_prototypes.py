import numpy as np
import pytest
import torch
from torch import Tensor

from prokd.terms.prototypes import (
    PrototypeBank,
    class_sums,
    class_weights,
    labelled_prototypes,
    means_of_sums,
    moving_average,
    weighted_prototypes,
)
from tests.prokd import references

SHAPES = [(1, 1, 2), (7, 3, 2), (12, 5, 7), (40, 16, 9)]
SEEDS = [0, 1, 2]


def random_features(num_tokens: int, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(num_tokens, size, generator=generator, dtype=torch.float64)


def random_probabilities(num_tokens: int, num_classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(100 + seed)
    logits = torch.randn(num_tokens, num_classes, generator=generator, dtype=torch.float64)
    return torch.softmax(2 * logits, dim=-1)


def random_labels(num_tokens: int, num_classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(200 + seed)
    return torch.randint(num_classes, (num_tokens,), generator=generator)


def assert_close(actual: Tensor, expected: object) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), np.asarray(expected), rtol=0, atol=1e-6)


class TestLabelledPrototypes:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("seed", SEEDS)
    def test_equals_the_reference(self, shape: tuple[int, int, int], seed: int) -> None:
        num_tokens, size, num_classes = shape
        features = random_features(num_tokens, size, seed)
        labels = random_labels(num_tokens, num_classes, seed)
        means, counts = labelled_prototypes(features, labels, num_classes=num_classes)
        expected, expected_counts = references.source_prototypes(
            features.numpy(), labels.tolist(), num_classes
        )
        assert_close(means, expected)
        assert counts.tolist() == expected_counts

    def test_by_hand(self) -> None:
        features = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 5.0]])
        means, counts = labelled_prototypes(features, torch.tensor([2, 2, 0]), num_classes=3)
        assert means.tolist() == [[0.0, 5.0], [0.0, 0.0], [2.0, 2.0]]
        assert counts.tolist() == [1, 0, 2]

    def test_no_tokens(self) -> None:
        empty = torch.zeros(0, dtype=torch.int64)
        means, counts = labelled_prototypes(torch.zeros(0, 4), empty, num_classes=3)
        assert means.tolist() == [[0.0] * 4] * 3
        assert counts.tolist() == [0, 0, 0]

    def test_only_one_class(self) -> None:
        features = random_features(6, 3, 0)
        means, counts = labelled_prototypes(
            features, torch.ones(6, dtype=torch.int64), num_classes=3
        )
        assert_close(means[1], features.mean(dim=0))
        assert means[[0, 2]].abs().sum() == 0
        assert counts.tolist() == [0, 6, 0]

    def test_class_permutation(self) -> None:
        features, labels = random_features(20, 4, 1), random_labels(20, 5, 1)
        order = torch.tensor([3, 0, 4, 1, 2])
        straight, _ = labelled_prototypes(features, labels, num_classes=5)
        permuted, _ = labelled_prototypes(features, order[labels], num_classes=5)
        assert_close(permuted[order], straight)

    def test_token_order(self) -> None:
        features, labels = random_features(20, 4, 1), random_labels(20, 5, 1)
        order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
        straight, _ = labelled_prototypes(features, labels, num_classes=5)
        shuffled, _ = labelled_prototypes(features[order], labels[order], num_classes=5)
        assert_close(shuffled, straight)


class TestWeightedPrototypes:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("seed", SEEDS)
    def test_equals_the_reference(self, shape: tuple[int, int, int], seed: int) -> None:
        num_tokens, size, num_classes = shape
        features = random_features(num_tokens, size, seed)
        weights = random_probabilities(num_tokens, num_classes, seed)
        means, mass = weighted_prototypes(features, weights)
        expected, expected_mass = references.target_prototypes(features.numpy(), weights.numpy())
        assert_close(means, expected)
        assert_close(mass, expected_mass)

    def test_by_hand(self) -> None:
        features = torch.tensor([[1.0], [5.0]])
        means, mass = weighted_prototypes(features, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
        assert means.tolist() == [[2.0], [4.0]]
        assert mass.tolist() == [1.0, 1.0]

    def test_one_hot_weights_give_equation_3(self) -> None:
        features, labels = random_features(15, 4, 2), random_labels(15, 3, 2)
        one_hot = torch.nn.functional.one_hot(labels, 3).double()
        assert_close(
            weighted_prototypes(features, one_hot)[0],
            labelled_prototypes(features, labels, num_classes=3)[0].numpy(),
        )

    def test_uniform_weights_make_all_prototypes_equal(self) -> None:
        features = random_features(9, 4, 0)
        means, _ = weighted_prototypes(features, torch.full((9, 3), 1 / 3).double())
        assert_close(means, features.mean(dim=0).expand(3, 4))

    def test_a_common_factor_of_the_weights_cancels(self) -> None:
        features, weights = random_features(9, 4, 0), random_probabilities(9, 3, 0)
        assert_close(
            weighted_prototypes(features, 7 * weights)[0],
            weighted_prototypes(features, weights)[0].numpy(),
        )

    def test_sums_add_up_over_batches(self) -> None:
        features, weights = random_features(11, 4, 0), random_probabilities(11, 3, 0)
        parts = [class_sums(features[i : i + 4], weights[i : i + 4]) for i in (0, 4, 8)]
        sums, mass = sum(part[0] for part in parts), sum(part[1] for part in parts)
        assert isinstance(sums, Tensor)
        assert isinstance(mass, Tensor)
        assert_close(means_of_sums(sums, mass), weighted_prototypes(features, weights)[0].numpy())

    def test_no_tokens(self) -> None:
        means, mass = weighted_prototypes(torch.zeros(0, 4), torch.zeros(0, 3))
        assert means.tolist() == [[0.0] * 4] * 3
        assert mass.tolist() == [0.0] * 3

    def test_gradient_in_both_arguments(self) -> None:
        features = random_features(5, 3, 0).requires_grad_()
        weights = random_probabilities(5, 4, 0).requires_grad_()
        assert torch.autograd.gradcheck(weighted_prototypes, (features, weights))

    def test_a_class_without_mass_has_a_zero_row_and_no_gradient(self) -> None:
        features = random_features(5, 3, 0).requires_grad_()
        weights = torch.zeros(5, 2, dtype=torch.float64)
        weights[:, 0] = 1
        weights.requires_grad_()
        means, mass = weighted_prototypes(features, weights)
        assert means[1].abs().sum() == 0
        assert mass.tolist() == [5.0, 0.0]
        means[1].sum().backward()
        assert features.grad is not None
        assert weights.grad is not None
        assert features.grad.abs().sum() == 0
        assert weights.grad.abs().sum() == 0


class TestClassWeights:
    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("confidence", [0.0, 0.5, 0.9])
    @pytest.mark.parametrize(
        ("weights", "sharpness", "kind"),
        [
            ("soft", 1.0, "soft"),
            ("hard", 1.0, "hard"),
            ("soft", 2.0, "sharpened"),
            ("soft", 6.0, "sharpened"),
            ("soft", 0.5, "sharpened"),
        ],
    )
    def test_equals_the_reference(
        self, seed: int, confidence: float, weights: str, sharpness: float, kind: str
    ) -> None:
        probabilities = random_probabilities(30, 5, seed)
        actual = class_weights(
            probabilities,
            weights=weights,  # type: ignore[arg-type]
            sharpness=sharpness,
            confidence=confidence,
        )
        expected = references.class_weights(
            probabilities.numpy(), kind=kind, power=sharpness, threshold=confidence
        )
        assert_close(actual, expected)

    def test_by_hand(self) -> None:
        probabilities = torch.tensor([[0.75, 0.25], [0.4, 0.6]], dtype=torch.float64)
        assert_close(class_weights(probabilities, weights="hard"), [[1, 0], [0, 1]])
        assert_close(class_weights(probabilities, sharpness=2), [[0.9, 0.1], [4 / 13, 9 / 13]])
        assert_close(class_weights(probabilities, confidence=0.7), [[0.75, 0.25], [0, 0]])

    def test_soft_weights_are_the_probabilities(self) -> None:
        probabilities = random_probabilities(10, 4, 0)
        assert torch.equal(class_weights(probabilities), probabilities)

    def test_a_token_at_the_threshold_counts(self) -> None:
        probabilities = torch.tensor([[0.75, 0.25]])
        assert class_weights(probabilities, confidence=0.75).tolist() == [[0.75, 0.25]]

    @pytest.mark.parametrize("sharpness", [1.0, 3.0, 20.0])
    def test_rows_sum_to_one(self, sharpness: float) -> None:
        weights = class_weights(random_probabilities(10, 4, 0), sharpness=sharpness)
        assert_close(weights.sum(dim=-1), np.ones(10))

    def test_sharp_weights_do_not_underflow(self) -> None:
        probabilities = torch.full((1, 1000), 1e-3)  # 1e-3 ** 20 is no float32
        assert_close(class_weights(probabilities, sharpness=20.0), np.full((1, 1000), 1e-3))

    @pytest.mark.parametrize("sharpness", [1.0, 2.5, 0.5])
    def test_gradient_through_soft_weights(self, sharpness: float) -> None:
        logits = random_features(4, 3, 0).requires_grad_()

        def of_logits(logits: Tensor) -> Tensor:
            return class_weights(torch.softmax(logits, dim=-1), sharpness=sharpness)

        assert torch.autograd.gradcheck(of_logits, (logits,))

    @pytest.mark.parametrize("sharpness", [0.5, 6.0])
    def test_gradient_is_finite_where_a_probability_is_zero(self, sharpness: float) -> None:
        logits = torch.tensor([[0.0, 0.3, -500.0]], requires_grad=True)
        weights = class_weights(torch.softmax(logits, dim=-1), sharpness=sharpness)
        assert weights[0, 2] == 0
        weights[0, 0].backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()
        assert logits.grad[0, 0] > 0

    @pytest.mark.parametrize(
        ("sharpness", "gap"), [(1.0, 95.0), (1.0, 101.0), (6.0, 15.8), (6.0, 17)]
    )
    def test_a_class_of_vanishing_probability_has_no_mass(
        self, sharpness: float, gap: float
    ) -> None:
        # Its mass would be a subnormal float32, and the gradient of its mean infinite.
        logits = random_features(20, 3, 0).float() / 30
        logits[:, 2] -= gap
        logits.requires_grad_()
        weights = class_weights(torch.softmax(logits, dim=-1), sharpness=sharpness)
        means, mass = weighted_prototypes(5 + random_features(20, 4, 1).float(), weights)
        assert mass[2] == 0
        assert means[2].abs().sum() == 0
        means.sum().backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()

    @pytest.mark.parametrize(("sharpness", "gap"), [(1.0, 60.0), (6.0, 10.0)])
    def test_a_class_of_tiny_probability_keeps_its_mean(
        self, sharpness: float, gap: float
    ) -> None:
        logits = random_features(20, 3, 0).float() / 30
        logits[:, 2] -= gap
        features = 5 + random_features(20, 4, 1)
        gradients, means = [], []
        for dtype in (torch.float32, torch.float64):
            leaf = logits.to(dtype).requires_grad_()
            weights = class_weights(torch.softmax(leaf, dim=-1), sharpness=sharpness)
            mean = weighted_prototypes(features.to(dtype), weights)[0]
            gradients.append(torch.autograd.grad(mean[2].sum(), leaf)[0].double())
            means.append(mean.double())
        torch.testing.assert_close(means[0], means[1], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)

    def test_no_gradient_through_hard_weights(self) -> None:
        probabilities = random_probabilities(4, 3, 0).requires_grad_()
        assert not class_weights(probabilities, weights="hard").requires_grad

    @pytest.mark.parametrize(
        "settings",
        [{}, {"weights": "hard"}, {"sharpness": 2.0}, {"confidence": 0.5}],
        ids=["soft", "hard", "sharp", "confident"],
    )
    def test_no_tokens(self, settings: dict[str, float]) -> None:
        assert class_weights(torch.zeros(0, 3), **settings).shape == (0, 3)  # type: ignore[arg-type]


class TestMovingAverage:
    @pytest.mark.parametrize("weighs", ["new", "old"])
    @pytest.mark.parametrize("rate", [0.0001, 0.001, 0.3, 1.0])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_equals_the_reference(self, weighs: str, rate: float, seed: int) -> None:
        new, old = random_features(5, 4, seed), random_features(5, 4, 10 + seed)
        actual = moving_average(
            new,
            old,
            update_rate=rate,
            supported_C=torch.ones(5, dtype=torch.bool),
            weighs=weighs,  # type: ignore[arg-type]
        )
        expected = references.moving_average(new.numpy(), old.numpy(), rate, rate_weighs=weighs)
        assert_close(actual, expected)

    def test_by_hand(self) -> None:
        new, old = torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [5.0]])
        supported = torch.tensor([True, False])
        result = moving_average(new, old, update_rate=0.25, supported_C=supported)
        assert result.tolist() == [[0.25], [5.0]]
        result = moving_average(new, old, update_rate=0.25, supported_C=supported, weighs="old")
        assert result.tolist() == [[0.75], [5.0]]

    def test_rate_one_replaces(self) -> None:
        new, old = random_features(3, 2, 0), random_features(3, 2, 1)
        supported = torch.ones(3, dtype=torch.bool)
        replaced = moving_average(new, old, update_rate=1.0, supported_C=supported)
        kept = moving_average(new, old, update_rate=1.0, supported_C=supported, weighs="old")
        assert torch.equal(replaced, new)
        assert torch.equal(kept, old)

    def test_gradient_is_scaled_by_the_weight_of_the_new_value(self) -> None:
        new = random_features(3, 2, 0).requires_grad_()
        supported = torch.tensor([True, True, False])
        result = moving_average(
            new, random_features(3, 2, 1), update_rate=0.2, supported_C=supported
        )
        result.sum().backward()
        assert new.grad is not None
        assert_close(new.grad, [[0.2, 0.2], [0.2, 0.2], [0, 0]])


class TestPrototypeBank:
    def test_starts_with_nothing_known(self) -> None:
        bank = PrototypeBank(3, 2)
        assert bank.prototypes_CD.tolist() == [[0.0, 0.0]] * 3
        assert not bank.known_C.any()

    def test_replace_takes_classes_with_mass_alone(self) -> None:
        bank = PrototypeBank(3, 1)
        bank.replace(torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([1.0, 0.5, 0.0]))
        assert bank.prototypes_CD.tolist() == [[1.0], [2.0], [0.0]]
        assert bank.known_C.tolist() == [True, True, False]
        bank.replace(torch.tensor([[7.0], [0.0], [3.0]]), torch.tensor([0.0, 0.0, 2.0]))
        assert bank.prototypes_CD.tolist() == [[1.0], [2.0], [3.0]]
        assert bank.known_C.all()

    def test_replace_keeps_no_graph_and_does_not_alias(self) -> None:
        bank = PrototypeBank(2, 1)
        values = torch.tensor([[1.0], [2.0]], requires_grad=True)
        bank.replace(values, torch.ones(2))
        assert not bank.prototypes_CD.requires_grad
        with torch.no_grad():
            values.fill_(50)
        assert bank.prototypes_CD.tolist() == [[1.0], [2.0]]

    def test_replace_keeps_the_dtype_of_the_bank(self) -> None:
        bank = PrototypeBank(2, 1)
        bank.replace(torch.ones(2, 1, dtype=torch.bfloat16), torch.ones(2))
        assert bank.prototypes_CD.dtype == torch.float32

    def test_first_value_is_taken_whole(self) -> None:
        bank = PrototypeBank(2, 1)
        new = torch.tensor([[4.0], [6.0]])
        for weighs in ("new", "old"):
            result = bank.averaged(new, torch.tensor([1.0, 0.1]), update_rate=0.001, weighs=weighs)
            assert_close(result, new)

    def test_later_values_are_averaged_and_the_bank_stays(self) -> None:
        bank = PrototypeBank(3, 1)
        bank.replace(torch.tensor([[4.0], [8.0], [0.0]]), torch.tensor([1.0, 1.0, 0.0]))
        new, mass = torch.tensor([[0.0], [0.0], [5.0]]), torch.tensor([1.0, 0.0, 1.0])
        result = bank.averaged(new, mass, update_rate=0.25, weighs="new")
        assert result.tolist() == [[3.0], [8.0], [5.0]]  # averaged, no support, first value
        assert bank.prototypes_CD.tolist() == [[4.0], [8.0], [0.0]]
        assert bank.known_C.tolist() == [True, True, False]

    def test_unknown_and_unsupported_stays_zero(self) -> None:
        bank = PrototypeBank(2, 1)
        means, mass = weighted_prototypes(torch.ones(3, 1), torch.tensor([[1.0, 0.0]] * 3))
        result = bank.averaged(means, mass, update_rate=0.5, weighs="new")
        assert result.tolist() == [[1.0], [0.0]]
        bank.replace(result, mass)
        assert bank.known_C.tolist() == [True, False]

    def test_many_updates_equal_the_reference(self) -> None:
        bank = PrototypeBank(4, 3).double()
        expected = random_features(4, 3, 99)
        bank.replace(expected, torch.ones(4))
        values = expected.numpy()
        for seed in range(20):
            new = random_features(4, 3, seed)
            bank.replace(
                bank.averaged(new, torch.ones(4), update_rate=0.1, weighs="new"), torch.ones(4)
            )
            values = references.moving_average(new.numpy(), values, 0.1, rate_weighs="new")
        assert_close(bank.prototypes_CD, values)

    def test_gradient_of_the_average_is_lambda(self) -> None:
        bank = PrototypeBank(2, 3)
        bank.replace(torch.ones(2, 3), torch.ones(2))
        new = torch.zeros(2, 3, requires_grad=True)
        bank.averaged(new, torch.ones(2), update_rate=0.001, weighs="new").sum().backward()
        assert new.grad is not None
        assert_close(new.grad, np.full((2, 3), 0.001))

    def test_state_round_trip(self) -> None:
        bank, other = PrototypeBank(3, 2), PrototypeBank(3, 2)
        bank.replace(random_features(3, 2, 0), torch.tensor([1.0, 0.0, 2.0]))
        other.load_state_dict(bank.state_dict())
        assert torch.equal(other.prototypes_CD, bank.prototypes_CD)
        assert torch.equal(other.known_C, bank.known_C)
        assert set(bank.state_dict()) == {"prototypes_CD", "known_C"}
        assert not list(bank.parameters())
