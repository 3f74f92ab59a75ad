"""Maximum mean discrepancy between two sets of vectors.

# N, M vectors of two sets, D feature size
"""

from __future__ import annotations

import torch
from torch import Tensor


def mmd_squared(first_ND: Tensor, second_MD: Tensor, *, num_kernels: int = 5) -> Tensor:
    """Return the squared MMD of two sets under a sum of Gaussian kernels.

    Ma et al., EMNLP 2022, arXiv:2212.03506 (after Gretton et al., JMLR 2012). The biased
    estimate, which is at least 0: mean K(X, X) + mean K(Y, Y) - 2 mean K(X, Y), diagonals in,
    with K(a, b) = sum_u exp(-||a - b||^2 / (2^u w)), u = 0 ... num_kernels - 1, and
    w = 1/4 of the mean of ||a - b||^2 over all pairs of vectors of both sets, a constant.

    Args:
        first_ND: float, (N, D), X.
        second_MD: float, (M, D), Y.
        num_kernels: At least 1.

    Returns:
        Scalar in [0, 2 num_kernels]; 0 where all vectors are equal, or a set is empty.
    """
    if not len(first_ND) or not len(second_MD):
        return first_ND.sum() * 0 + second_MD.sum() * 0
    all_KD = torch.cat([first_ND, second_MD])
    # By differences, not by products that would cancel; (K, K) of memory, not (K, K, D).
    distances_KK = torch.cdist(
        all_KD, all_KD, compute_mode="donot_use_mm_for_euclid_dist"
    ).square()
    num_first, num_all = len(first_ND), len(all_KD)
    width = distances_KK.detach().sum() / (num_all * (num_all - 1)) / 4
    width = torch.where(width > 0, width, torch.ones_like(width))
    kernel_KK = torch.zeros_like(distances_KK)
    for number in range(num_kernels):
        kernel_KK = kernel_KK + torch.exp(-distances_KK / (2**number * width))
    within = kernel_KK[:num_first, :num_first].mean() + kernel_KK[num_first:, num_first:].mean()
    return within - 2 * kernel_KK[:num_first, num_first:].mean()
