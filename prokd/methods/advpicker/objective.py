"""The losses of the adversary (AdvPicker, Chen et al., ACL 2021, arXiv:2106.02300)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def discrimination_loss(source_N: Tensor, target_M: Tensor, *, deceived: bool = False) -> Tensor:
    """Return the mean binary cross-entropy of the tokens' languages: scalar.

    L_D = - mean log sigma(D(h)) over source tokens and log (1 - sigma(D(h))) over target tokens;
    the encoder's loss is that with the languages swapped.

    Args:
        source_N: float, (N,), the discriminator's logits of source tokens.
        target_M: float, (M,), those of target tokens.
        deceived: Whether the languages are swapped.
    """
    logits = torch.cat([source_N, target_M])
    labels = torch.cat([torch.ones_like(source_N), torch.zeros_like(target_M)])
    return nn.functional.binary_cross_entropy_with_logits(
        logits, 1 - labels if deceived else labels
    )
