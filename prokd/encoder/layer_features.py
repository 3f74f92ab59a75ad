"""Features of chosen layers, and of [CLS], on whatever path an encoder runs.

# B sentences, T subwords, N valid tokens (flattened), M chosen subwords, D feature size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layers import Found, encoder_layers
from prokd.encoder.packed import Packing


@dataclass(frozen=True)
class LayerFeatures:
    """What `layer_features` returns.

    Args:
        tokens: float, (N, D), of the valid tokens, by number of the layer.
        cls_BD: float, (B, D), of the first subword of each sentence after the last layer.
    """

    tokens: Mapping[int, Tensor]
    cls_BD: Tensor


def layer_features(model: TokenClassifier, batch: Batch, layers: Sequence[int]) -> LayerFeatures:
    """Return features of chosen layers, and of [CLS], before dropout.

    They are the ``output_hidden_states`` of transformers, with gradient into what is trained.

    Args:
        model: Whose encoder it is; its ``micro_batch_tokens`` holds here too.
        batch: As the model takes it; what is kept of the frozen part is used where it serves.
        layers: Their numbers, none twice: 0 = the embeddings, L = the last layer.
    """
    run = partial(_layers, model, layers=tuple(layers))
    parts = batch.parts(model.micro_batch_tokens)
    if len(parts) > 1 and torch.is_grad_enabled():
        run = partial(checkpoint, run, use_reentrant=False)
    found = [run(part, model.packing(part)) for part in parts]
    tokens = [torch.cat(same) for same in zip(*(rows for rows, _ in found), strict=True)]
    cls_BD = torch.cat([cls for _, cls in found])
    return LayerFeatures(dict(zip(layers, tokens, strict=True)), cls_BD)


def _layers(
    model: TokenClassifier, batch: Batch, packing: Packing | None, *, layers: tuple[int, ...]
) -> tuple[list[Tensor], Tensor]:
    """Return the tokens (N, D) of each layer, and [CLS] (B, D) of the last."""
    num_sentences, length = batch.input_ids_BT.shape
    num_tokens = len(batch.token_index_N)
    first_B = torch.arange(num_sentences, device=batch.token_index_N.device) * length
    index_M = torch.cat([batch.token_index_N, first_B])
    found: Found = dict.fromkeys(layers)
    if model.is_layered:
        last_MD = _last_layer(model, batch, packing, index_M, found)
    else:
        output = model.encoder(
            input_ids=batch.input_ids_BT,
            attention_mask=batch.attention_mask_BT,
            output_hidden_states=True,
        )
        last_MD = output.last_hidden_state.flatten(0, 1)[index_M]
        found = {n: output.hidden_states[n].flatten(0, 1)[index_M] for n in layers}
    found[len(encoder_layers(model.encoder))] = last_MD
    rows = [row[:num_tokens] for row in map(found.get, layers) if row is not None]
    assert len(rows) == len(layers), f"the layers {layers} are not all there"
    return rows, last_MD[num_tokens:]


def _last_layer(
    model: TokenClassifier, batch: Batch, packing: Packing | None, index_M: Tensor, found: Found
) -> Tensor:
    """Return the last layer at chosen subwords, (M, D); note the layers that are wanted."""
    bottom_BTD = batch.bottom_BTD
    below: Found = {number: None for number in found if number <= model.num_frozen}
    if bottom_BTD is None or any(number < model.num_frozen for number in below):
        bottom_BTD = model.bottom(batch, below)
    for number, hidden_BTD in below.items():
        kept_BTD = bottom_BTD if number == model.num_frozen else hidden_BTD
        assert kept_BTD is not None, "each layer is passed once"
        found[number] = kept_BTD.flatten(0, 1)[index_M]
    return model.top(batch, packing, bottom_BTD, index_M, found)
