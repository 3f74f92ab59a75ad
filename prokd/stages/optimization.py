"""Optimiser, learning-rate schedule and one training step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from prokd.config import OptimizationConfig
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.precision import autocast_type
from prokd.errors import CollapsedRun

MOST_SKIPPED = 20
"""Steps in a row that a loss scaler (fp16) may skip for infinite gradients: it halves its scale
each time, so that far more is no matter of scale."""


class Optimization:
    """Adam or AdamW with linear warm-up and decay, clipping and mixed precision."""

    def __init__(
        self,
        model: TokenClassifier,
        config: OptimizationConfig,
        *,
        num_steps: int,
    ) -> None:
        """Make the optimiser of a model's trained weights for ``num_steps`` steps."""
        self.parameters = [value for value in model.parameters() if value.requires_grad]
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        # One pass over all weights instead of one for each operation.
        self.optimizer = kind(_groups(model, config), lr=config.learning_rate, fused=True)
        warmup = max(round(config.warmup_fraction * num_steps), 1)

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return max(num_steps - step, 0) / max(num_steps - warmup, 1)

        self.schedule = LambdaLR(self.optimizer, factor)
        self.max_gradient_norm = config.max_gradient_norm
        half = autocast_type(model.precision, model.device) is torch.float16
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=half)
        # Kept on the device and looked at once an epoch: no step waits for an answer.
        self._bad_losses, self._bad_gradients, self._skipped = torch.zeros(
            3, dtype=torch.int64, device=model.device
        )

    def step(self, loss: Tensor) -> Tensor:
        """Take one step down a loss; return the gradient's L2 norm before clipping, on device.

        What is not finite, loss or gradient, is remembered for `check`.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.max_gradient_norm)
        self._watch(loss.detach(), norm.detach())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return norm.detach()

    def _watch(self, loss: Tensor, norm: Tensor) -> None:
        self._bad_losses += ~torch.isfinite(loss)
        is_bad = ~torch.isfinite(norm)
        if self.scaler.is_enabled():
            self._skipped = (self._skipped + 1) * is_bad
            is_bad = self._skipped > MOST_SKIPPED
        self._bad_gradients += is_bad

    def check(self, stage: str, epoch: int) -> None:
        """Raise CollapsedRun if any step since the last check, or a weight, was not finite.

        Args:
            stage: "teacher" or "student", for the sentence.
            epoch: Number of the epoch, from 1, for the sentence.
        """
        finite = torch.stack([torch.isfinite(value).all() for value in self.parameters]).all()
        counts = torch.stack([self._bad_losses, self._bad_gradients, (~finite).long()]).tolist()
        what = ("the loss", "the gradient", "a weight at its end")
        broken = [name for name, count in zip(what, counts, strict=True) if count]
        if broken:
            raise CollapsedRun(
                f"the {stage} diverged in epoch {epoch}: {broken[0]} is not finite "
                f"({counts[0]} steps with such a loss, {counts[1]} with such a gradient)."
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the state of optimiser, schedule and scaler, and its skipped steps in a row."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "skipped": self._skipped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        skipped = state.get("skipped", 0)  # checkpoints of before have none
        self._skipped = torch.as_tensor(skipped, device=self._bad_losses.device)


def _groups(model: TokenClassifier, config: OptimizationConfig) -> list[dict[str, Any]]:
    """Sort weights by decay (not on biases and normalisations) and by encoder or classifier."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            key = (value.ndim >= 2, name.startswith("classifier."))
            groups.setdefault(key, []).append(value)
    head = config.learning_rate * config.head_learning_rate_factor
    return [
        {
            "params": values,
            "weight_decay": config.weight_decay if decayed else 0.0,
            "lr": head if classifier else config.learning_rate,
        }
        for (decayed, classifier), values in sorted(groups.items())
    ]
