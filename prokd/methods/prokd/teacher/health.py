"""Whether the alignment is going well: measured every epoch, without any target label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from prokd.errors import CollapsedRun
from prokd.stages.running_means import RunningMeans


def add_gradient_norms(
    means: RunningMeans, terms: Mapping[str, Tensor], parameters: Sequence[nn.Parameter]
) -> None:
    """Measure how hard each term of a loss pulls at the weights.

    Args:
        means: The epoch's means; gets ``teacher/<term>_gradient_norm``, the L2 norm.
        terms: Scalars by name; one without gradient is left out.
        parameters: The trained weights.
    """
    for name, loss in terms.items():
        if not loss.requires_grad:
            continue
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        norms = [gradient.norm() for gradient in gradients if gradient is not None]
        if norms:
            means.add(f"teacher/{name}_gradient_norm", torch.stack(norms).norm())


def check_fall(
    *,
    token_f1: tuple[float, float],
    entity_share: tuple[float, float | None],
    keeps: float,
    epoch: int,
) -> None:
    """Raise CollapsedRun where alignment has undone the tagging of either language.

    Args:
        token_f1: On source dev, now and the best of earlier epochs.
        entity_share: Share of target tokens taken for a part of an entity, now and before the
            alignment began (None = it began before there was anything to know).
        keeps: Least share of the earlier value that must be left, in [0, 1]; 0 = no check.
        epoch: Number of the epoch, from 1, for the sentence.
    """
    start = f"the alignment collapsed the teacher in epoch {epoch}:"
    now, best = token_f1
    if now < keeps * best:
        raise CollapsedRun(
            f"{start} source-dev token F1 is {now:.2f}, after {best:.2f} in an earlier epoch."
        )
    share, before = entity_share
    if before is not None and share < keeps * before:
        raise CollapsedRun(
            f"{start} it finds entities in {share:.3f} of the target's tokens, after "
            f"{before:.3f} before the alignment began."
        )
