"""Distillation of the teacher's probabilities.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from prokd.terms.tagging_loss import LossReduction, denominator


def distillation_loss(
    teacher_probabilities_NC: Tensor,
    student_probabilities_NC: Tensor,
    *,
    class_reduction: Literal["sum", "mean"] = "sum",
    num_sentences: int = 1,
    reduction: LossReduction = "tokens",
) -> Tensor:
    """Return the squared distance of the student's probabilities from the teacher's.

    Eq. (2), Ge et al. 2023, arXiv:2301.08855: L_KD = (1/L) sum_x sum_i (p_i - q_i)^2.

    Args:
        teacher_probabilities_NC: float, (N, C), p: fixed, computed once per teacher and corpus.
        student_probabilities_NC: float, (N, C), q; gradient flows here alone.
        class_reduction: Squared differences are summed (as printed) or averaged over classes.
        num_sentences: Sentences in the batch, used by the reduction ``sentences``.
        reduction: ``tokens`` divides by N.

    Returns:
        Scalar, squared probability per token (or sentence); 0 for no tokens.
    """
    difference_NC = teacher_probabilities_NC.detach() - student_probabilities_NC
    total = difference_NC.square().sum()
    if class_reduction == "mean":
        total = total / difference_NC.shape[-1]
    return total / denominator(len(difference_NC), num_sentences, reduction)
