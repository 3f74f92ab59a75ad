"""Pseudo-labels of target tokens from their distances to prototypes.

# N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from prokd.terms.sequences import Places, likeliest_tags

Distance = Literal["raw", "scaled", "unit"]


def prototype_probabilities(
    features_ND: Tensor,
    prototypes_CD: Tensor,
    *,
    temperature: float,
    distance: Distance = "raw",
    scale: float = 1.0,
    known_C: Tensor | None = None,
    class_prior_C: Tensor | None = None,
) -> Tensor:
    """Return the probability of each class by the distance of a token to its prototype.

    Eq. (8), Ge et al. 2023, arXiv:2301.08855:
    psi_k = exp(-||h - C_k||_2 / tau2) / sum_k' exp(-||h - C_k'||_2 / tau2).

    Args:
        features_ND: float, (N, D).
        prototypes_CD: float, (C, D).
        temperature: tau2, in (0, inf).
        distance: ``raw`` (as printed); ``scaled``: divided by sqrt(D); ``unit``: both sides
            L2-normalised and multiplied by ``scale``.
        scale: Length of unit vectors, in (0, inf).
        known_C: bool, (C,); classes that never had support get probability 0. None = all known.
        class_prior_C: float, (C,), a distribution whose logarithm is added to the exponent
            (a deviation from the paper); None = uniform, as printed.

    Returns:
        float, (N, C), rows sum to 1. If no class is known, all prototypes take part.

    Raises:
        ValueError: A temperature that is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"`temperature > 0` must hold, but got temperature={temperature}.")
    if distance == "unit":
        features_ND = scale * nn.functional.normalize(features_ND, dim=-1)
        prototypes_CD = scale * nn.functional.normalize(prototypes_CD, dim=-1)
    distances_NC = torch.cdist(
        features_ND, prototypes_CD, compute_mode="donot_use_mm_for_euclid_dist"
    )
    if distance == "scaled":
        distances_NC = distances_NC / math.sqrt(features_ND.shape[-1])
    exponent_NC = -distances_NC / temperature
    if class_prior_C is not None:
        floor = torch.finfo(class_prior_C.dtype).tiny
        exponent_NC = exponent_NC + class_prior_C.clamp_min(floor).log()
    if known_C is not None:
        # Nobody known: no mask at all, and equal (zero) prototypes give the uniform rows.
        hidden_C = ~known_C & known_C.any()
        exponent_NC = exponent_NC.masked_fill(hidden_C, -torch.inf)
    return torch.softmax(exponent_NC, dim=-1)


def hard_labels(probabilities_NC: Tensor, places: Places | None = None) -> Tensor:
    """Return the likeliest class of each token, the lowest index where several are.

    Eq. (9), Ge et al. 2023, arXiv:2301.08855: y = xi(psi), as class index, int64, (N,).

    Args:
        probabilities_NC: float, (N, C).
        places: Of the N tokens: the likeliest sequence of valid IOB2 tags for each sentence (a
            deviation from the paper). None = token by token, as printed.

    Example:
        >>> hard_labels(torch.tensor([[0.2, 0.8], [0.9, 0.1]])).tolist()
        [1, 0]
    """
    if places is not None:
        return likeliest_tags(probabilities_NC, places)
    return probabilities_NC.argmax(dim=-1)


def hybrid_probabilities(
    prototype_probabilities_NC: Tensor,
    teacher_probabilities_NC: Tensor,
    *,
    fusion_weight: float,
) -> Tensor:
    """Mix what prototypes say with what the teacher knew before (PK).

    Eq. (10), Ge et al. 2023, arXiv:2301.08855: phi = beta psi + (1 - beta) p.

    Args:
        prototype_probabilities_NC: float, (N, C), psi of Eq. (8).
        teacher_probabilities_NC: float, (N, C), p, fixed throughout.
        fusion_weight: beta, in [0, 1]; 1 leaves the teacher out (w/o PK).

    Returns:
        float, (N, C), rows sum to 1.

    Raises:
        ValueError: A weight outside [0, 1].
    """
    if not 0 <= fusion_weight <= 1:
        raise ValueError(
            f"`0 <= fusion_weight <= 1` must hold, but got fusion_weight={fusion_weight}."
        )
    return (
        fusion_weight * prototype_probabilities_NC + (1 - fusion_weight) * teacher_probabilities_NC
    )
