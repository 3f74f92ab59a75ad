"""Labels of target words that count more or less, for students that learn from them.

# N valid tokens of a batch (flattened)
"""

from __future__ import annotations

import torch
from torch import Tensor

from prokd.terms.votes import voted_cross_entropy


class WeightedLabels:
    """A label for each kept word of target train, and what it counts.

    Args:
        labels_N: int64, (num_kept_words,), given by teachers.
        weights_N: float, (num_kept_words,), at least 0; 0 = not learned from.
        device: Of the student.
    """

    def __init__(self, labels_N: Tensor, weights_N: Tensor, device: torch.device) -> None:
        """Put both on the device."""
        self.labels_N, self.weights_N = labels_N.to(device), weights_N.to(device)

    def loss(self, logits_NC: Tensor, words_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted cross-entropy of a batch, and the share of words that count.

        Args:
            logits_NC: float, (N, C), the student's.
            words_N: int64, (N,), which kept words they are of.
        """
        weights_N = self.weights_N[words_N]
        loss = voted_cross_entropy(logits_NC, self.labels_N[words_N], weights_N)
        return loss, (weights_N > 0).float().mean()
