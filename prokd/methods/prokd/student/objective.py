"""The student's objective."""

from __future__ import annotations

from torch import Tensor


def student_objective(
    self_training_loss: Tensor | None, distillation_loss: Tensor, *, distillation_weight: float
) -> Tensor:
    """Weigh self-training against distillation.

    Eq. (13), Ge et al. 2023, arXiv:2301.08855: L_stu = (1 - alpha) L_CE(stu) + alpha L_KD.

    Args:
        self_training_loss: Scalar, Eq. (11); None where self-training takes no part.
        distillation_loss: Scalar, Eq. (2).
        distillation_weight: alpha of Eq. (12), in [0, 1]; 1 without self-training.

    Returns:
        Scalar.
    """
    if self_training_loss is None:
        return distillation_weight * distillation_loss
    return (1 - distillation_weight) * self_training_loss + distillation_weight * distillation_loss
