"""Class prototypes: means of features, their moving average, and the bank that keeps them.

# N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

# A class whose mass is smaller has none: the derivative of Eq. (4), a mean divided by the mass,
# would leave the range of float32.
SMALLEST_WEIGHT = 1e-30


def labelled_prototypes(
    features_ND: Tensor, labels_N: Tensor, *, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Return the mean feature of the tokens of each gold class.

    Eq. (3), Ge et al. 2023, arXiv:2301.08855: C_k = (1 / n_k) sum_i 1[y_i = k] h_i.

    Args:
        features_ND: float, (N, D).
        labels_N: int64, (N,), in [0, num_classes).
        num_classes: C.

    Returns:
        Prototypes, (C, D), and the number of tokens of each class, (C,). The row of a class
        without tokens is zero, and so is its count.

    Relations: Eq. (4) with one-hot weights.

    Example:
        >>> features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
        >>> labelled_prototypes(features, torch.tensor([0, 0, 1]), num_classes=3)[0].tolist()
        [[2.0, 0.0], [0.0, 5.0], [0.0, 0.0]]
    """
    weights_NC = nn.functional.one_hot(labels_N, num_classes).to(features_ND.dtype)
    return weighted_prototypes(features_ND, weights_NC)


def weighted_prototypes(features_ND: Tensor, weights_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean feature of each class, every token weighted by its class probability.

    Eq. (4), Ge et al. 2023, arXiv:2301.08855: C_k = sum_i p_ik h_i / sum_i p_ik.

    Args:
        features_ND: float, (N, D).
        weights_NC: float, (N, C), >= 0; class probabilities or what `class_weights` makes of them.

    Returns:
        Prototypes, (C, D), and the mass sum_i p_ik of each class, (C,). The row of a class
        without mass is zero. Differentiable in both arguments.

    Relations: with one-hot weights, Eq. (3).
    """
    sums_CD, mass_C = class_sums(features_ND, weights_NC)
    return means_of_sums(sums_CD, mass_C), mass_C


def class_sums(features_ND: Tensor, weights_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Return numerator (C, D) and denominator (C,) of Eq. (4), which add up over batches."""
    return weights_NC.T @ features_ND, weights_NC.sum(dim=0)


def means_of_sums(sums_CD: Tensor, mass_C: Tensor) -> Tensor:
    """Divide numerator by denominator of Eq. (4); zero rows, with zero gradient, without mass."""
    supported_C = mass_C > 0
    safe_C = torch.where(supported_C, mass_C, torch.ones_like(mass_C))
    means_CD = sums_CD / safe_C[:, None]
    return torch.where(supported_C[:, None], means_CD, torch.zeros_like(means_CD))


def class_weights(
    probabilities_NC: Tensor,
    *,
    weights: Literal["soft", "hard"] = "soft",
    sharpness: float = 1.0,
    confidence: float = 0.0,
) -> Tensor:
    """Turn probabilities into the weights of Eq. (4).

    Args:
        probabilities_NC: float, (N, C), rows sum to 1.
        weights: ``soft`` keeps probabilities (as printed); ``hard`` takes the one-hot of the
            likeliest class.
        sharpness: Power on soft weights, rows normalised again; 1 is Eq. (4) as printed.
        confidence: Tokens whose highest probability is below this weigh nothing, in [0, 1).

    Returns:
        float, (N, C), >= 0; weights below `SMALLEST_WEIGHT` are zero. Gradient flows through
        soft weights, none through hard ones.
    """
    if weights == "hard":
        weights_NC = nn.functional.one_hot(
            probabilities_NC.argmax(dim=-1), probabilities_NC.shape[-1]
        ).to(probabilities_NC.dtype)
    elif sharpness != 1.0:
        # Divided by the row's maximum first: powers of small numbers underflow.
        top_N1 = probabilities_NC.max(dim=-1, keepdim=True).values
        ratios_NC = probabilities_NC / top_N1.detach()
        # The derivative of a power below 1 is infinite at zero: zeros stay out of it.
        positive_NC = ratios_NC > 0
        powers_NC = torch.where(positive_NC, ratios_NC, 1.0).pow(sharpness) * positive_NC
        weights_NC = powers_NC / powers_NC.sum(dim=-1, keepdim=True)
    else:
        weights_NC = probabilities_NC
    if confidence > 0:
        sure_N = probabilities_NC.max(dim=-1).values >= confidence
        weights_NC = weights_NC * sure_N[:, None]
    return weights_NC * (weights_NC >= SMALLEST_WEIGHT)


def with_class_shares(probabilities_NC: Tensor, *, expected_C: Tensor, found_C: Tensor) -> Tensor:
    """Correct probabilities for classes that are found more or less often than expected.

    A deviation from the paper: p_k <- p_k pi_k / m_k, rows normalised again, which corrects a
    classifier's outputs for a new class distribution (Saerens et al. 2002).

    Args:
        probabilities_NC: float, (N, C), rows sum to 1.
        expected_C: float, (C,), pi, the share that each class should have.
        found_C: float, (C,), m, >= 0, the mean probability that it does have.

    Returns:
        float, (N, C), rows sum to 1; as they were where both shares are equal, and where every
        class of a token is expected never.

    Example:
        >>> p, half = torch.tensor([[0.8, 0.2]]), torch.tensor([0.5, 0.5])
        >>> with_class_shares(p, expected_C=half, found_C=torch.tensor([0.8, 0.2])).tolist()
        [[0.5, 0.5]]
    """
    smallest = torch.finfo(found_C.dtype).tiny
    weighted_NC = probabilities_NC * (expected_C / found_C.clamp_min(smallest))
    total_N1 = weighted_NC.sum(dim=-1, keepdim=True)
    return torch.where(total_N1 > 0, weighted_NC / total_N1.clamp_min(smallest), probabilities_NC)


def moving_average(
    new_CD: Tensor,
    old_CD: Tensor,
    *,
    update_rate: float,
    supported_C: Tensor,
    weighs: Literal["new", "old"] = "new",
) -> Tensor:
    """Move prototypes towards new values.

    Eq. (5), Ge et al. 2023, arXiv:2301.08855: C <- lambda C_new + (1 - lambda) C_old.

    Args:
        new_CD: float, (C, D), e.g. the prototypes of a batch.
        old_CD: float, (C, D), the prototypes so far.
        update_rate: lambda, in (0, 1].
        supported_C: bool, (C,); classes without support in the new value keep the old one.
        weighs: What lambda multiplies: the ``new`` value (as printed) or the ``old`` one.

    Returns:
        float, (C, D). Gradient flows into ``new_CD``, scaled by its weight.
    """
    rate = update_rate if weighs == "new" else 1.0 - update_rate
    return torch.where(supported_C[:, None], rate * new_CD + (1.0 - rate) * old_CD, old_CD)


class PrototypeBank(nn.Module):
    """Prototypes (C, D) that change only when told to, and which of them are known.

    A class is known once it had support; before its first value there is nothing to average
    with, so its first supported value is taken whole.
    """

    prototypes_CD: Tensor
    known_C: Tensor

    def __init__(self, num_classes: int, num_features: int) -> None:
        """Make a bank of zero prototypes, none of them known."""
        super().__init__()
        self.register_buffer("prototypes_CD", torch.zeros(num_classes, num_features))
        self.register_buffer("known_C", torch.zeros(num_classes, dtype=torch.bool))

    @torch.no_grad()
    def replace(self, prototypes_CD: Tensor, mass_C: Tensor) -> None:
        """Take new values for all classes with mass; the others stay as they are."""
        supported_C = mass_C > 0
        self.prototypes_CD = torch.where(
            supported_C[:, None], prototypes_CD.to(self.prototypes_CD.dtype), self.prototypes_CD
        )
        self.known_C = self.known_C | supported_C

    def averaged(
        self, new_CD: Tensor, mass_C: Tensor, *, update_rate: float, weighs: Literal["new", "old"]
    ) -> Tensor:
        """Return Eq. (5) of new values and the bank, with gradient; the bank is unchanged."""
        old_CD = torch.where(self.known_C[:, None], self.prototypes_CD, new_CD)
        return moving_average(
            new_CD, old_CD, update_rate=update_rate, supported_C=mass_C > 0, weighs=weighs
        )
