"""The teacher's objective."""

from __future__ import annotations

from torch import Tensor


def teacher_objective(
    tagging_loss: Tensor, alignment_loss: Tensor | None, *, alignment_weight: float = 1.0
) -> Tensor:
    """Add tagging loss and alignment loss.

    Eq. (7), Ge et al. 2023, arXiv:2301.08855: L_tea = L_CE + L_CA.

    Args:
        tagging_loss: Scalar, Eq. (1).
        alignment_loss: Scalar, Eq. (6); None where alignment takes no part.
        alignment_weight: Factor of the alignment loss, >= 0; 1 is the equation as printed.

    Returns:
        Scalar.
    """
    if alignment_loss is None:
        return tagging_loss
    return tagging_loss + alignment_weight * alignment_loss
