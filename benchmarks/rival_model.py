"""The rival's model and its padded batches.

# B sentences, T subwords (padding included), D feature size, C classes
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel

from benchmarks.rival_data import Features
from prokd.config import ExperimentConfig
from prokd.encoder.files import encoder_folder
from prokd.terms.sequences import Places


class TokenTagger(nn.Module):
    """An encoder, dropout and a linear layer over every subword."""

    def __init__(self, config: ExperimentConfig, num_classes: int) -> None:
        """Load the encoder; freeze what the configuration freezes."""
        super().__init__()
        torch.manual_seed(config.seed)
        folder = encoder_folder(config.encoder.name)
        self.encoder = AutoModel.from_pretrained(
            folder, dtype=torch.float32, add_pooling_layer=False
        )
        if config.encoder.freeze_embeddings:
            self.encoder.embeddings.requires_grad_(False)
        for layer in self.encoder.encoder.layer[: config.encoder.frozen_layers]:
            layer.requires_grad_(False)
        self.dropout = nn.Dropout(config.encoder.dropout)
        self.classifier = nn.Linear(self.encoder.config.hidden_size, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, input_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, T, D) and logits (B, T, C), padding included."""
        hidden_BTD = self.encoder(input_ids=input_ids_BT, attention_mask=mask_BT).last_hidden_state
        return hidden_BTD, self.classifier(self.dropout(hidden_BTD))


class PaddedBatch:
    """Padded tensors of some sentences, and where their words are."""

    def __init__(self, data: Features, indices: Any) -> None:
        """Take sentences of a split by their indices."""
        indices = torch.as_tensor(np.asarray(indices))
        self.input_ids_BT, self.mask_BT = data.input_ids[indices], data.masks[indices]
        self.labels_BT = torch.from_numpy(data.labels[indices.numpy()])
        lengths = [data.num_words[int(i)] for i in indices]
        self.places = Places.of_lengths(lengths)
        firsts = [data.first_row[int(i)] for i in indices]
        self.rows = np.concatenate(
            [np.arange(f, f + n) for f, n in zip(firsts, lengths, strict=True)]
        )
