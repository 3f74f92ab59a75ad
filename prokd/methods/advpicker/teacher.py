"""The teacher: a tagger whose features shall not tell the language.

Where this differs from the paper:

A1. The discriminator reads a word's first subword, as all classifiers here do.
A2. A sentence's probabilities are those of one teacher, not of the surest of five seeds.
A3. Each target has a discriminator of its own; source dev chooses, never target dev.

# N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.precision import autocast_type
from prokd.errors import CollapsedRun
from prokd.methods.advpicker.config import AdvPickerConfig
from prokd.methods.advpicker.discriminator import discriminator_of, with_discriminator
from prokd.methods.advpicker.effective import deceives, is_plain
from prokd.methods.advpicker.objective import discrimination_loss
from prokd.stages.context import Context
from prokd.stages.stage import TARGET_STREAM, endless_batches, epoch_generator
from prokd.stages.tagger import TaggerStage, parts_of_tagger


class AdversarialTeacherStage(TaggerStage):
    """Trains a tagger; after each step a discriminator, and the encoder against it.

    Args:
        target_train: Target sentences without labels.
        parts: Of `TaggerStage`.
    """

    def __init__(self, *, target_train: EncodedCorpus, **parts: Any) -> None:
        """Put a discriminator beside the classifier; make both optimisers of the adversary."""
        super().__init__(**parts)
        self.target_train = target_train
        settings, model = self.settings.discriminator, self.model
        # Beside what the tagging step trains: it has an optimiser of its own.
        with_discriminator(model, settings, self.config.seed)
        self.discrimination = torch.optim.Adam(
            discriminator_of(model).parameters(), lr=settings.learning_rate
        )
        encoder = [value for value in model.encoder.parameters() if value.requires_grad]
        rate = settings.encoder_rate_factor * self.settings.learning_rate
        self.deception = torch.optim.Adam(encoder, lr=rate) if deceives(self.config) else None
        half = autocast_type(model.precision, model.device) is torch.float16
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=half)
        self._targets: Iterator[Batch] = iter(())

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch over the source sentences, target sentences beside them."""
        self._targets = self._target_batches(self.epoch)
        metrics = super().run_epoch()
        weights = discriminator_of(self.model).parameters()
        if not all(bool(torch.isfinite(value).all()) for value in weights):
            raise CollapsedRun(
                f"the discriminator diverged in epoch {self.epoch}: a weight is not finite."
            )
        return metrics

    def _target_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield batches of target sentences, again and again."""
        generator = epoch_generator(self.config.seed, epoch, TARGET_STREAM)
        place = self.pad_token_id, self.model.device
        return endless_batches(self.target_train, self.settings, generator, *place)

    def after_step(self, batch: Batch) -> dict[str, Tensor]:
        """Train the discriminator on features of both languages, then the encoder against it."""
        target, discriminator = next(self._targets), discriminator_of(self.model)
        deceives = self.deception is not None
        self.model.train(deceives)  # who only looks on draws no dropout: the tagger stays as it is
        with torch.set_grad_enabled(deceives), self.model.autocast():
            source_ND, _ = self.model(batch)
            target_MD, _ = self.model(target)
        self.model.train()
        loss = discrimination_loss(
            discriminator(source_ND.detach()), discriminator(target_MD.detach())
        )
        self.discrimination.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.discrimination.step()
        told = {"discrimination_loss": loss}
        if self.deception is not None:
            logits = discriminator(source_ND), discriminator(target_MD)
            deception = discrimination_loss(*logits, deceived=True)
            self.deception.zero_grad(set_to_none=True)
            self.scaler.scale(deception).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.deception)
            self.scaler.update()
            told["deception_loss"] = deception
        return told

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        return super().state_dict() | {
            "discrimination": self.discrimination.state_dict(),
            "deception": self.deception.state_dict() if self.deception else None,
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        super().load_state_dict(state)
        self.discrimination.load_state_dict(state["discrimination"])
        if self.deception is not None:
            self.deception.load_state_dict(state["deception"])
        self.scaler.load_state_dict(state["scaler"])


def build_teacher(context: Context) -> TaggerStage:
    """Build a teacher; where nobody asks a discriminator it is the plain one of TSL."""
    config: AdvPickerConfig = context.config
    model = context.model()
    parts = parts_of_tagger(context, model)
    if is_plain(config):
        return TaggerStage(**parts)
    return AdversarialTeacherStage(**parts, target_train=context.target_train(model))
