"""Contrastive losses of sentences and their translations, and of tokens of one class.

After the abstract of ConCNER (Fu et al., NLPCC 2022, arXiv:2204.00796); their forms are those of
InfoNCE (van den Oord et al., 2018; NT-Xent: Chen et al., ICML 2020) and of supervised contrast
(Khosla et al., NeurIPS 2020).

# B sentences, N tokens, D feature size
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


def translation_contrast(
    first_BD: Tensor,
    second_BD: Tensor,
    *,
    temperature: float,
    form: Literal["across", "all"] = "across",
    texts_B: Tensor | None = None,
) -> Tensor:
    """Return L_TCL, which pulls each sentence towards its translation and away from the others.

    With unit vectors z and z', L = - 1/(2B) sum_j [log softmax_k(z_j . z'_k / tau) at k = j +
    log softmax_k(z'_j . z_k / tau) at k = j] ("across"); or every vector of both languages is an
    anchor, all other ones are in its denominator, those of its language too ("all").

    Args:
        first_BD: float, (B, D), features of sentences; their length does not matter.
        second_BD: float, (B, D), of their translations.
        temperature: tau, above 0.
        form: What stands in the denominators.
        texts_B: int, (B,), equal where sentences are equal texts: those are no negatives of each
            other. None = all differ.

    Returns:
        Scalar, at least 0; 0 where there is one sentence.
    """
    num_pairs = len(first_BD)
    if texts_B is None:
        texts_B = torch.arange(num_pairs, device=first_BD.device)
    all_KD = nn.functional.normalize(torch.cat([first_BD, second_BD]).float(), dim=-1)
    similarity_KK = all_KD @ all_KD.T / temperature
    texts_K = torch.cat([texts_B, texts_B])
    number_K = torch.arange(2 * num_pairs, device=first_BD.device)
    partner_K = (number_K + num_pairs) % (2 * num_pairs)
    is_partner_KK = number_K[None, :] == partner_K[:, None]
    allowed_KK = texts_K[None, :] != texts_K[:, None]
    if form == "across":
        allowed_KK &= (number_K[None, :] < num_pairs) != (number_K[:, None] < num_pairs)
    masked_KK = similarity_KK.masked_fill(~(allowed_KK | is_partner_KK), -torch.inf)
    return nn.functional.cross_entropy(masked_KK, partner_K)


def label_contrast(features_ND: Tensor, labels_N: Tensor, *, temperature: float) -> Tensor:
    """Return L_LCL, which pulls tokens of one class together.

    With unit vectors f, P(i) the other tokens of i's class and A the tokens that have any,
    L = - 1/|A| sum_{i in A} 1/|P(i)| sum_{r in P(i)} log [exp(f_i . f_r / tau) /
    sum_{a != i} exp(f_i . f_a / tau)].

    Args:
        features_ND: float, (N, D); their length does not matter.
        labels_N: int, (N,).
        temperature: tau, above 0.

    Returns:
        Scalar; 0 where no token has another one of its class.
    """
    unit_ND = nn.functional.normalize(features_ND.float(), dim=-1)
    similarity_NN = unit_ND @ unit_ND.T / temperature
    itself_NN = torch.eye(len(labels_N), dtype=torch.bool, device=labels_N.device)
    log_NN = torch.log_softmax(similarity_NN.masked_fill(itself_NN, -torch.inf), dim=-1)
    positive_NN = (labels_N[None, :] == labels_N[:, None]) & ~itself_NN
    num_positive_N = positive_NN.sum(dim=-1)
    losses_N = -torch.where(positive_NN, log_NN, 0.0).sum(dim=-1) / num_positive_N.clamp(min=1)
    return losses_N.sum() / (num_positive_N > 0).sum().clamp(min=1)
