"""A multilingual encoder with a linear classifier on top.

# B sentences, T subwords, N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

from prokd.config import EncoderConfig
from prokd.config.settings import Precision
from prokd.data import Batch
from prokd.encoder.check import check_length, check_weights
from prokd.encoder.files import encoder_folder, encoder_settings
from prokd.encoder.layers import (
    Found,
    encoder_layers,
    freeze,
    frozen_parts,
    is_layered,
    run_bottom,
    run_top,
)
from prokd.encoder.packed import Packing, can_attend, run_packed
from prokd.encoder.plain_model import POOLER, check_family, options_without_pooler
from prokd.encoder.precision import autocast_type
from prokd.errors import UserError

# Many workers share one terminal: no bar for every encoder that is loaded.
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


class TokenClassifier(nn.Module):
    """An encoder, dropout and a linear layer over the first subword of each word.

    What of the encoder is frozen from the bottom on runs without dropout, in training too.

    Attributes:
        num_frozen: Frozen layers upon frozen embeddings; 0 where the embeddings are trained.
        precision: See `autocast_type`.
        is_packed: Whether its layers see no padding where they can be run so (`packed`).
        micro_batch_tokens: Most subwords, padding in, of one pass through the encoder; None = all
            of a batch. A larger batch goes through in parts, whose activations are computed again
            for the gradient: the same features and the same gradient, in less memory.
        beside: Modules of a method that are trained and kept with it, by name. They are no part
            of its tags, and no export has them.
    """

    def __init__(
        self,
        encoder: nn.Module,
        num_classes: int,
        *,
        dropout: float,
        precision: Precision = "fp32",
    ) -> None:
        """Put a new classifier (normal, std 0.02; zero bias) on an encoder."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.num_features: int = encoder.config.hidden_size  # type: ignore[union-attr,assignment]
        self.classifier = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)
        self.is_layered = is_layered(encoder)
        self._frozen_parts = tuple(frozen_parts(encoder))
        self.num_frozen = max(len(self._frozen_parts) - 1, 0)
        self.top_layers = (
            tuple(encoder_layers(encoder)[self.num_frozen :]) if self.is_layered else ()
        )
        self.precision: Precision = precision
        self.is_packed = True
        self.micro_batch_tokens: int | None = None
        self.beside = nn.ModuleDict()

    @property
    def num_classes(self) -> int:
        """C."""
        return self.classifier.out_features

    @property
    def num_layers(self) -> int:
        """L, which is also the number of the last layer for `layer_features`."""
        return len(encoder_layers(self.encoder))

    @property
    def has_bottom(self) -> bool:
        """Whether there is a frozen part that can be run by itself."""
        return self.is_layered and bool(self._frozen_parts)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.classifier.weight.device

    def train(self, mode: bool = True) -> TokenClassifier:
        """Switch dropout on or off; the frozen part never has any."""
        super().train(mode)
        for part in self._frozen_parts:
            part.eval()
        return self

    def autocast(self) -> AbstractContextManager[None]:
        """Return the mixed-precision context of a forward pass."""
        chosen = autocast_type(self.precision, self.device)
        return torch.autocast(
            self.device.type, dtype=chosen or torch.bfloat16, enabled=chosen is not None
        )

    def with_bottom(self, batch: Batch) -> Batch:
        """Return the batch with the output of the frozen part, for several forward passes."""
        if batch.bottom_BTD is not None or not self.has_bottom:
            return batch
        with self.autocast():
            return replace(batch, bottom_BTD=self.bottom(batch))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features (N, D), before dropout, and logits (N, C), float32, of valid tokens."""
        parts = batch.parts(self.micro_batch_tokens)
        features = self._features
        if len(parts) > 1 and torch.is_grad_enabled():
            features = partial(checkpoint, features, use_reentrant=False)
        found = [features(part, self.packing(part)) for part in parts]
        features_ND = found[0] if len(found) == 1 else torch.cat(found)
        return features_ND, self.logits(features_ND)

    def logits(self, features_ND: Tensor) -> Tensor:
        """Return logits (N, C), float32, of features of the last layer, after dropout."""
        # Probabilities of bf16 logits would be wrong in the third digit.
        with torch.autocast(self.device.type, enabled=False):
            logits_NC: Tensor = self.classifier(self.dropout(features_ND.float()))
            return logits_NC

    def packing(self, batch: Batch) -> Packing | None:
        """Return how the layers above the frozen part are to see a batch; None = padded."""
        if not self.is_packed or not self.top_layers:
            return None
        attention = cast(Any, self.top_layers[0]).attention.self
        kind = autocast_type(self.precision, self.device) or torch.float32
        heads = attention.num_attention_heads, attention.attention_head_size
        if not can_attend(self.device, kind, *heads):
            return None
        return Packing.of(batch.lengths_B, batch.input_ids_BT.shape[1], self.device)

    def _features(self, batch: Batch, packing: Packing | None) -> Tensor:
        if not self.is_layered:
            hidden_BTD = self.encoder(
                input_ids=batch.input_ids_BT, attention_mask=batch.attention_mask_BT
            ).last_hidden_state
            chosen_ND: Tensor = hidden_BTD.flatten(0, 1)[batch.token_index_N]
            return chosen_ND
        bottom_BTD = self.bottom(batch) if batch.bottom_BTD is None else batch.bottom_BTD
        return self.top(batch, packing, bottom_BTD, batch.token_index_N)

    def bottom(self, batch: Batch, found: Found | None = None) -> Tensor:
        """Return the hidden states (B, T, D) upon the frozen part; see `layers.run_bottom`."""
        hidden_BTD = run_bottom(
            self.encoder, self.num_frozen, batch.input_ids_BT, batch.attention_mask_BT, found
        )
        chosen = autocast_type(self.precision, self.device)
        return hidden_BTD if chosen is None or not self._frozen_parts else hidden_BTD.to(chosen)

    def top(
        self,
        batch: Batch,
        packing: Packing | None,
        bottom_BTD: Tensor,
        index_M: Tensor,
        found: Found | None = None,
    ) -> Tensor:
        """Return the features (M, D) of chosen subwords from the output of the frozen part.

        Args:
            batch: The sentences.
            packing: As `packing` returns it for them.
            bottom_BTD: float, (B, T, D), as `bottom` returns it.
            index_M: int64, (M,), places in the (B*T, ...) view.
            found: See `layers.run_top`.
        """
        below = self.num_frozen
        if packing is None:
            mask_BT = batch.attention_mask_BT
            return run_top(self.encoder, below, bottom_BTD, mask_BT, index_M, found)
        return run_packed(self.top_layers, bottom_BTD, packing, index_M, found, below=below)

    def trained_state(self) -> dict[str, Tensor]:
        """Return the weights that training may change, by name; frozen ones are the base's."""
        return {
            name: value.detach() for name, value in self.named_parameters() if value.requires_grad
        }


def build_classifier(
    config: EncoderConfig, num_classes: int, *, max_length: int, seed: int
) -> TokenClassifier:
    """Load an encoder, freeze its lower part and put a seeded new classifier on it.

    Args:
        config: The encoder and what of it is frozen.
        num_classes: C.
        max_length: Longest sentence in subwords.
        seed: Of the classifier's first weights.

    Raises:
        UserError: The encoder cannot be loaded whole, has fewer layers than are to be frozen, or
            fewer positions than a sentence may have subwords.
    """
    settings = encoder_settings(config.name)
    check_length(settings, config.name, max_length)
    encoder = _load_encoder(config.name)
    freeze(encoder, layers=config.frozen_layers, embeddings=config.freeze_embeddings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return TokenClassifier(
            encoder, num_classes, dropout=config.dropout, precision=config.precision
        )


def _load_encoder(name: str) -> nn.Module:
    folder, settings = encoder_folder(name), encoder_settings(name)
    check_family(settings, name)
    check_weights(folder)
    try:
        encoder, report = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            output_loading_info=True,
            **options_without_pooler(settings),
        )
    except Exception as error:  # which errors come through depends on the format of the file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"no encoder can be loaded from {folder}: {reason}") from None
    missing = sorted(weight for weight in report["missing_keys"] if not weight.startswith(POOLER))
    if missing:  # transformers would go on with random ones
        raise UserError(
            f"the weights in {folder} must be those of a {type(encoder).__name__}, but "
            f"{len(missing)} are missing, {missing[0]} among them."
        )
    result: nn.Module = encoder
    return result
