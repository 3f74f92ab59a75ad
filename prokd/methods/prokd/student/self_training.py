"""Self-training on hard pseudo-labels.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prokd.terms.tagging_loss import LossReduction, denominator


def self_training_loss(
    student_logits_NC: Tensor,
    pseudo_labels_N: Tensor,
    *,
    kept_N: Tensor | None = None,
    num_sentences: int = 1,
    reduction: LossReduction = "tokens",
) -> Tensor:
    """Return how badly the student predicts the pseudo-labels.

    Eq. (11), Ge et al. 2023, arXiv:2301.08855: L_CE(stu) = -sum_i xi(phi_i) log q_i.

    Args:
        student_logits_NC: float, (N, C), q = softmax of them.
        pseudo_labels_N: int64, (N,), hard labels of phi; no gradient.
        kept_N: bool, (N,), tokens that count (the others add 0); None = all, as printed.
        num_sentences: Sentences in the batch, used by the reduction ``sentences``.
        reduction: ``tokens`` divides by N, left-out tokens included.

    Returns:
        Scalar, nats per token (or sentence); 0 for no tokens.
    """
    logits_NC = student_logits_NC.to(torch.promote_types(student_logits_NC.dtype, torch.float32))
    losses_N = nn.functional.cross_entropy(logits_NC, pseudo_labels_N, reduction="none")
    if kept_N is not None:
        losses_N = losses_N * kept_N
    return losses_N.sum() / denominator(len(pseudo_labels_N), num_sentences, reduction)
