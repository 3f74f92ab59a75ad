"""Labels that several teachers agree on (UniTrans, Wu et al., IJCAI 2020, arXiv:2007.07683).

# N valid tokens (flattened), C classes, A teachers
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Rule = Literal["all", "majority", "none"]


def voted_for(probabilities_ANC: Tensor, labels_N: Tensor, rule: Rule) -> Tensor:
    """Return v, whether a token's label is voted for: bool, (N,).

    v_i = 1 where the likeliest class of every teacher is the label ("all"), or that of more than
    half of them ("majority"), or anyway ("none").

    Args:
        probabilities_ANC: float, (A, N, C), of the teachers that vote.
        labels_N: int64, (N,), the likeliest class by the main teacher.
        rule: How many must agree.
    """
    if rule == "none":
        return torch.ones_like(labels_N, dtype=torch.bool)
    agreeing_N = (probabilities_ANC.argmax(dim=-1) == labels_N).sum(dim=0)
    num_teachers = len(probabilities_ANC)
    return agreeing_N == num_teachers if rule == "all" else 2 * agreeing_N > num_teachers


def voted_cross_entropy(logits_NC: Tensor, labels_N: Tensor, weights_N: Tensor) -> Tensor:
    """Return sum_i v_i w_i CE(q_i, y_i) / sum_i v_i: scalar; 0 where no token is voted for.

    Args:
        logits_NC: float, (N, C), the student's; gradient flows into them alone.
        labels_N: int64, (N,), y.
        weights_N: float, (N,), v_i w_i: 0 for a token that is not voted for, above 0 for others.
    """
    losses_N = nn.functional.cross_entropy(logits_NC.float(), labels_N, reduction="none")
    num_voted = (weights_N > 0).sum().clamp(min=1)
    return (weights_N * losses_N).sum() / num_voted
