"""How reliable a token's label is, by the labels of its nearest neighbours.

CoLaDa (Ma et al., ACL 2023, arXiv:2305.14913).

# N tokens, D feature size
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2**26
"""Cosines that are held at a time, most: 256 MiB."""


def agreeing_neighbours(features_ND: Tensor, types_N: Tensor, *, num_neighbours: int) -> Tensor:
    """Count the nearest neighbours of each token that have its type: int64, (N,).

    Neighbours are the tokens with the highest cosine, the token itself left out. Takes time of
    N^2 D: a second for 4,000 tokens of 768 features on one core, half an hour for 160,000.

    Args:
        features_ND: float, (N, D); their length does not matter.
        types_N: int64, (N,).
        num_neighbours: K, at least 1; all others where there are fewer.
    """
    unit_ND = torch.nn.functional.normalize(features_ND.float(), dim=-1)
    num_tokens = len(unit_ND)
    number = min(num_neighbours, num_tokens - 1)
    counts_N = torch.zeros(num_tokens, dtype=torch.int64, device=unit_ND.device)
    if number < 1:
        return counts_N
    rows_at_once = max(1, BLOCK // num_tokens)
    for start in range(0, num_tokens, rows_at_once):
        end = min(start + rows_at_once, num_tokens)
        rows = torch.arange(start, end, device=unit_ND.device)
        cosine_RN = unit_ND[rows] @ unit_ND.T
        cosine_RN[torch.arange(len(rows)), rows] = -torch.inf
        nearest_RK = cosine_RN.topk(number, dim=-1).indices
        counts_N[rows] = (types_N[nearest_RK] == types_N[rows][:, None]).sum(dim=-1)
    return counts_N


SMALLEST = 2.0**-24
"""The smallest weight: it is not zero when it is kept in float16 either."""


def reliability(counts_N: Tensor, types_N: Tensor, *, sharpness: float) -> Tensor:
    """Return w_i = sigma(s (c_i - mean c)) over its largest value, each within i's type: (N,).

    c_i is the number of neighbours that agree over the largest such number of the type.

    Args:
        counts_N: int, (N,), of `agreeing_neighbours`.
        types_N: int64, (N,).
        sharpness: s, at least 0.

    Returns:
        float32, in (0, 1]; 1 for every token of a type whose tokens all have equal counts.
    """
    weights_N = torch.ones(len(counts_N), device=counts_N.device)
    for kind in torch.unique(types_N):
        is_kind_N = types_N == kind
        share = counts_N[is_kind_N].float() / counts_N[is_kind_N].max().clamp(min=1)
        values = torch.sigmoid(sharpness * (share - share.mean()))
        weights_N[is_kind_N] = (values / values.max()).clamp_min(SMALLEST)
    return weights_N
