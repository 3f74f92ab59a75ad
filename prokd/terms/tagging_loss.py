"""Cross-entropy of tags.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

LossReduction = Literal["tokens", "sentences"]


def tagging_loss(
    logits_NC: Tensor,
    labels_N: Tensor,
    *,
    num_sentences: int = 1,
    reduction: LossReduction = "tokens",
) -> Tensor:
    """Return how badly gold tags are predicted.

    Eq. (1), Ge et al. 2023, arXiv:2301.08855: L_CE = -(1/n) sum_i y_i log p_i,
    p = softmax(logits).

    Args:
        logits_NC: float, (N, C).
        labels_N: int64, (N,), in [0, C).
        num_sentences: Sentences in the batch, used by the reduction ``sentences`` (as printed).
        reduction: ``tokens`` divides by N, so that all terms of a sum are per token.

    Returns:
        Scalar, nats per token (or per sentence); 0, with gradient 0, for no tokens.

    Example:
        >>> tagging_loss(torch.zeros(3, 2), torch.tensor([0, 1, 1])).item()  # doctest: +ELLIPSIS
        0.693147...
    """
    logits_NC = logits_NC.to(torch.promote_types(logits_NC.dtype, torch.float32))
    total = nn.functional.cross_entropy(logits_NC, labels_N, reduction="sum")
    return total / denominator(len(labels_N), num_sentences, reduction)


def denominator(num_tokens: int, num_sentences: int, reduction: LossReduction) -> int:
    """Return what a sum over tokens is divided by, at least 1."""
    return max(num_tokens if reduction == "tokens" else num_sentences, 1)
