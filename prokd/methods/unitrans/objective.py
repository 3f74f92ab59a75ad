"""The student's objective (UniTrans, Wu et al., IJCAI 2020, arXiv:2007.07683)."""

from __future__ import annotations

from torch import Tensor


def student_objective(
    distillation: Tensor, voted: Tensor, *, distillation_weight: float, voted_weight: float
) -> Tensor:
    """Return L = lambda MSE(p, q) + mu sum_i v_i CE(q_i, y_i) / sum_i v_i: scalar.

    Args:
        distillation: Scalar, squared error to the main teacher's probabilities.
        voted: Scalar, `terms.votes.voted_cross_entropy`.
        distillation_weight: lambda, at least 0.
        voted_weight: mu, at least 0.
    """
    return distillation_weight * distillation + voted_weight * voted
