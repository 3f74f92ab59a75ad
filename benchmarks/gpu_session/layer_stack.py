"""What of a classifier is trained, as a function of tensors alone: to be compiled, or stacked.

# B sentences, T subwords, N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

import copy
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier

Inputs = tuple[Tensor, Tensor, Tensor]
"""What the trained layers see of a padded batch: what the frozen ones give, float, (B, T, D); a
mask, float, (B, 1, 1, T), 0 for subwords and the lowest number for padding; places of the valid
tokens in a (B*T, ...) view, int64, (N,)."""


class LayerStack(nn.Module):
    """The trained layers and the classifier of a model, whose weights it copies.

    The last layer goes on, after its attention, with valid tokens alone, as `layers.run_top`.

    Args:
        model: Of a layered encoder.
        attention: How transformers computes it: by PyTorch's own function, or (eager) by products
            that can be stacked.
    """

    def __init__(self, model: TokenClassifier, attention: Literal["sdpa", "eager"]) -> None:
        """Copy the weights."""
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(list(model.top_layers)))
        self.classifier = copy.deepcopy(model.classifier)
        self.dropout = nn.Dropout(model.dropout.p)
        for layer in self.layers:
            cast(Any, layer).attention.self.config._attn_implementation = attention

    def forward(self, bottom_BTD: Tensor, mask_B11T: Tensor, index_N: Tensor) -> Tensor:
        """Return logits (N, C)."""
        hidden_BTD = bottom_BTD
        for layer in self.layers[:-1]:
            hidden_BTD = layer(hidden_BTD, mask_B11T)
        last = cast(Any, self.layers[-1])
        attended_BTD, _ = last.attention.self(hidden_BTD, mask_B11T)
        attended_ND, chosen_ND = (
            each.flatten(0, 1)[index_N] for each in (attended_BTD, hidden_BTD)
        )
        features_ND = last.feed_forward_chunk(last.attention.output(attended_ND, chosen_ND))
        logits_NC: Tensor = self.classifier(self.dropout(features_ND))
        return logits_NC


@torch.no_grad()
def inputs_of(model: TokenClassifier, batch: Batch) -> Inputs:
    """Return what the trained layers see of a batch, on the model's device."""
    bottom_BTD = model.with_bottom(batch).bottom_BTD
    assert bottom_BTD is not None, "some layers are frozen"
    is_padding = batch.attention_mask_BT[:, None, None, :] == 0
    mask_B11T = torch.zeros(is_padding.shape, dtype=bottom_BTD.dtype, device=bottom_BTD.device)
    lowest = torch.finfo(bottom_BTD.dtype).min
    return bottom_BTD, mask_B11T.masked_fill(is_padding, lowest), batch.token_index_N
