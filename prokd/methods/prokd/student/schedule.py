"""The cumulative schedule: distillation first, self-training later."""

from __future__ import annotations

from typing import Literal


def distillation_weight(epoch: int, num_epochs: int, *, first_epoch: Literal[0, 1] = 0) -> float:
    """Return the weight of distillation in an epoch.

    Eq. (12), Ge et al. 2023, arXiv:2301.08855: alpha = 1 - (e / E_max)^2.

    Args:
        epoch: Zero-based number of the epoch, in [0, num_epochs).
        num_epochs: E_max.
        first_epoch: What the first epoch is called: 0 (alpha starts at 1) or 1 (alpha ends at 0).

    Returns:
        alpha, in [0, 1], falling.

    Raises:
        ValueError: An epoch outside [0, num_epochs).

    Example:
        >>> [distillation_weight(epoch, 4) for epoch in range(4)]
        [1.0, 0.9375, 0.75, 0.4375]
    """
    if not 0 <= epoch < num_epochs:
        raise ValueError(
            "`0 <= epoch < num_epochs` must hold, "
            f"but got (epoch={epoch}, num_epochs={num_epochs})."
        )
    return 1.0 - ((epoch + first_epoch) / num_epochs) ** 2
