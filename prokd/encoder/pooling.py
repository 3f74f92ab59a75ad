"""A sentence's features: [CLS], or the mean over its words.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from prokd.data import Batch


def pooled(
    cls_BD: Tensor, features_ND: Tensor, batch: Batch, *, how: Literal["cls", "mean"]
) -> Tensor:
    """Return the features of each sentence, float32, (B, D), before dropout.

    Args:
        cls_BD: Of the first subword, after the last layer.
        features_ND: Of the valid tokens, after the last layer.
        batch: Where the tokens stand.
        how: [CLS], or the mean of the sentence's tokens.
    """
    if how == "cls":
        return cls_BD.float()
    return sentence_means(features_ND, batch)


def sentence_means(values_ND: Tensor, batch: Batch) -> Tensor:
    """Return the mean over the valid tokens of each sentence, float32, (B, D); 0 without any."""
    sentence_N = batch.places.sentence_N
    num_sentences = len(batch.input_ids_BT)
    sums_BD = torch.zeros(num_sentences, values_ND.shape[-1], device=values_ND.device)
    sums_BD = sums_BD.index_add(0, sentence_N, values_ND.float())
    counts_B = torch.bincount(sentence_N, minlength=num_sentences)
    return sums_BD / counts_B.clamp_min(1)[:, None]
