"""The objectives of teacher and student (section 3, Ma et al., EMNLP 2022, arXiv:2212.03506).

# N valid tokens (flattened), C classes, A layers with a classifier below the last
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from prokd.terms.distillation import distillation_loss
from prokd.terms.tagging_loss import LossReduction


def layer_distillation(
    teacher_ANC: Tensor,
    student_ANC: Tensor,
    *,
    class_reduction: Literal["sum", "mean"],
    num_sentences: int,
    reduction: LossReduction,
) -> Tensor:
    """Return L_m = MSE(p^m, q^m) of each layer, (A,); p is data, gradient flows into q alone."""
    losses = [
        distillation_loss(
            teacher_NC,
            student_NC,
            class_reduction=class_reduction,
            num_sentences=num_sentences,
            reduction=reduction,
        )
        for teacher_NC, student_NC in zip(teacher_ANC, student_ANC, strict=True)
    ]
    return torch.stack(losses)


def mixture(last: Tensor, layers_A: Tensor, weights_A: Tensor, *, heads_weight: float) -> Tensor:
    """Return L_L + alpha sum_m lambda_m L_m: the teacher's loss, and the student's distillation.

    Args:
        last: Scalar, the loss of the classifier on the last layer.
        layers_A: (A,), those of the layers below.
        weights_A: (A,), lambda, which sums to 1.
        heads_weight: alpha of the teacher, beta of the student, at least 0.
    """
    return last + weighted_layers(layers_A, weights_A, heads_weight=heads_weight)


def weighted_layers(layers_A: Tensor, weights_A: Tensor, *, heads_weight: float) -> Tensor:
    """Return alpha sum_m lambda_m L_m, what the layers below the last bring to `mixture`."""
    return heads_weight * (weights_A.to(layers_A.device) * layers_A).sum()


def student_objective(
    distillation: Tensor,
    across_models: Tensor,
    across_languages: Tensor,
    *,
    mmd_model: float,
    mmd_language: float,
) -> Tensor:
    """Return L = L_stu + alpha' MMD^2(H_S^tea, H_S^stu) + beta' MMD^2(H_S^tea, H_T^stu)."""
    return distillation + mmd_model * across_models + mmd_language * across_languages
