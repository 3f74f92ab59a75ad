"""Contrastive alignment of class prototypes across languages.

# C classes, D feature size
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Gradient = Literal["literal", "straight_through", "batch", "none"]


def alignment_loss(
    source_CD: Tensor,
    target_CD: Tensor,
    *,
    temperature: float,
    classes_C: Tensor | None = None,
    weights_C: Tensor | None = None,
    summation: Literal["inside_log", "per_class"] = "inside_log",
    negatives: Literal["within", "across", "none"] = "within",
    positive_in_denominator: bool = False,
) -> Tensor:
    """Return how far the prototypes of a class in two languages are from each other.

    Eq. (6), Ge et al. 2023, arXiv:2301.08855, z = L2-normalised prototypes:
    L_CA = -log sum_i [ exp(zs_i . zt_i / tau1)
    / (sum_neg exp(zs_i . zs_neg / tau1) + sum_neg exp(zt_i . zt_neg / tau1)) ].

    Args:
        source_CD: float, (C, D), source prototypes.
        target_CD: float, (C, D), target prototypes.
        temperature: tau1, in (0, inf).
        classes_C: bool, (C,), the classes that take part; None = all.
        weights_C: float, (C,), >= 0, of the classes in the mean of ``per_class``; None = alike.
        summation: ``inside_log`` sums over classes inside the logarithm (as printed);
            ``per_class`` is the mean over classes of -log of each fraction.
        negatives: ``within`` each language (as printed): zs.zs and zt.zt; ``across``: zs_i.zt_neg
            and zt_i.zs_neg; ``none``: the denominator is 1, and -log of the fraction is
            -zs_i.zt_i / tau1.
        positive_in_denominator: Add the positive pair to the denominator (InfoNCE); as printed it
            is not there, and the loss can be negative. Acts where there are negatives.

    Returns:
        Scalar, nats; 0, with gradient 0, where fewer than two classes take part (no negative; one
        is enough for ``none``) or all weights are 0.

    Raises:
        ValueError: A temperature that is not positive.

    Relations: Eq. (5) gives both arguments; Eq. (7) adds it to Eq. (1).

    Example:
        >>> z = torch.eye(2)
        >>> round(alignment_loss(z, z, temperature=1.0, summation="per_class").item(), 4)
        -0.3069
    """
    if not temperature > 0:
        raise ValueError(f"`temperature > 0` must hold, but got temperature={temperature}.")
    if classes_C is None:
        classes_C = torch.ones(len(source_CD), dtype=torch.bool, device=source_CD.device)
    # Masks, not indexing: the number of classes stays on the device, and nothing waits for it.
    enough = classes_C.sum() >= (1 if negatives == "none" else 2)
    precision = torch.promote_types(source_CD.dtype, torch.float32)
    zs_CD = nn.functional.normalize(source_CD.to(precision), dim=-1)
    zt_CD = nn.functional.normalize(target_CD.to(precision), dim=-1)
    log_fraction_C = (zs_CD * zt_CD).sum(dim=-1) / temperature
    if negatives != "none":
        similarity = _negatives(zs_CD, zt_CD, within=negatives == "within") / temperature
        itself_CC = torch.eye(len(classes_C), dtype=torch.bool, device=classes_C.device)
        excluded = (itself_CC | ~classes_C).repeat(1, 2)
        similarity = similarity.masked_fill(excluded & enough, -torch.inf)
        if positive_in_denominator:
            similarity = torch.cat([similarity, log_fraction_C[:, None]], dim=1)
        log_fraction_C = log_fraction_C - torch.logsumexp(similarity, dim=1)
    takes_part_C = classes_C | ~enough
    if summation == "inside_log":
        loss = -torch.logsumexp(log_fraction_C.masked_fill(~takes_part_C, -torch.inf), dim=0)
    else:
        shares_C = takes_part_C.to(precision)
        if weights_C is not None:
            shares_C = shares_C * weights_C.to(precision)
        total = shares_C.sum()
        loss = -(log_fraction_C * shares_C).sum() / torch.where(total > 0, total, 1.0)
    return torch.where(enough, loss, torch.zeros_like(loss))


def _negatives(zs_CD: Tensor, zt_CD: Tensor, *, within: bool) -> Tensor:
    """Return cosines of each class with all others, (C, 2C), from both languages' side."""
    if within:
        return torch.cat([zs_CD @ zs_CD.T, zt_CD @ zt_CD.T], dim=1)
    across_CC = zs_CD @ zt_CD.T
    return torch.cat([across_CC, across_CC.T], dim=1)


def with_gradient(
    averaged_CD: Tensor, batch_CD: Tensor, *, gradient: Gradient, supported_C: Tensor
) -> Tensor:
    """Choose what Eq. (6) sees of the target, and with which gradient.

    Args:
        averaged_CD: float, (C, D), Eq. (5) with gradient into the batch prototypes.
        batch_CD: float, (C, D), Eq. (4) of the batch.
        gradient: ``literal`` = that of the moving average, lambda times the batch's;
            ``straight_through`` = value of the average, gradient of the batch prototypes in full;
            ``batch`` = value and gradient of the batch prototypes, those of the average where a
            class has no support in the batch; ``none``.
        supported_C: bool, (C,), classes with support in the batch.

    Returns:
        float, (C, D), equal to ``averaged_CD`` but for ``batch``.
    """
    if gradient == "literal":
        return averaged_CD
    if gradient == "batch":
        return torch.where(supported_C[:, None], batch_CD, averaged_CD.detach())
    if gradient == "none":
        return averaged_CD.detach()
    return averaged_CD.detach() + (batch_CD - batch_CD.detach())
