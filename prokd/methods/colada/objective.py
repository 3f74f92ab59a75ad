"""The loss of translated text (CoLaDa, Ma et al., ACL 2023, arXiv:2305.14913).

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def denoised_targets(
    labels_N: Tensor, teacher_NC: Tensor, weights_N: Tensor, *, label_weight: float
) -> Tensor:
    """Return lambda onehot(y_i) + (1 - lambda) w_i p_i: float, (N, C).

    Args:
        labels_N: int64, (N,), y, that came with the translation.
        teacher_NC: float, (N, C), p of the tagger before.
        weights_N: float, (N,), w, how reliable p is.
        label_weight: lambda, in [0, 1].
    """
    onehot_NC = nn.functional.one_hot(labels_N, teacher_NC.shape[-1]).to(teacher_NC.dtype)
    return label_weight * onehot_NC + (1 - label_weight) * weights_N[:, None] * teacher_NC


def soft_cross_entropy(logits_NC: Tensor, targets_NC: Tensor) -> Tensor:
    """Return - mean_i sum_c t_ic log q_ic: scalar."""
    log_NC = torch.log_softmax(logits_NC.float(), dim=-1)
    return -(targets_NC * log_NC).sum(dim=-1).mean()
