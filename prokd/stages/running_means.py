"""Means over the steps of an epoch that stay on the device until the epoch ends."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningMeans:
    """Weighted means of named scalars; reading a value waits for the device once per epoch."""

    def __init__(self, device: torch.device) -> None:
        """Start with nothing."""
        self.device = device
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor | float, weight: Tensor | float = 1.0) -> None:
        """Add a scalar with a weight, e.g. a mean over N tokens with weight N."""
        zero = torch.zeros((), device=self.device, dtype=torch.float64)
        if isinstance(value, Tensor):
            value = value.detach().double()
        self._sums[name] = self._sums.get(name, zero) + value * weight
        self._weights[name] = self._weights.get(name, zero) + weight

    def result(self) -> dict[str, float]:
        """Return all means; NaN where the weight is zero."""
        if not self._sums:
            return {}
        means = torch.stack([self._sums[name] / self._weights[name] for name in self._sums])
        return dict(zip(self._sums, means.tolist(), strict=True))
