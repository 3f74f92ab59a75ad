"""The teacher's objective (after the abstract of ConCNER, Fu et al., NLPCC 2022)."""

from __future__ import annotations

from torch import Tensor


def teacher_objective(
    tagging: Tensor,
    translated: Tensor,
    sentences: Tensor,
    labels: Tensor,
    *,
    sentences_weight: float,
    labels_weight: float,
) -> Tensor:
    """Return L = CE(source) + CE(translation) + lambda1 L_TCL + lambda2 L_LCL: scalar.

    Args:
        tagging: Scalar, tagging loss of source sentences.
        translated: Scalar, that of their translations; 0 where there are none.
        sentences: Scalar, `terms.contrast.translation_contrast`.
        labels: Scalar, `terms.contrast.label_contrast`.
        sentences_weight: lambda1, at least 0.
        labels_weight: lambda2, at least 0.
    """
    return tagging + translated + sentences_weight * sentences + labels_weight * labels
