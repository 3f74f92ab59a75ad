"""A BERT-like encoder run in two parts: what is never trained, and the layers above it.

The frozen part never changes, so it runs without dropout, and its output is the same whenever a
sentence is seen. The last layer is asked for valid tokens alone: half of all subwords.

# B sentences, T subwords, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast
from transformers.masking_utils import create_bidirectional_mask

from prokd.errors import UserError

FAMILY = ("bert", "roberta", "xlm-roberta", "camembert")
"""Model types whose layers can be called one by one."""
AFTER_PADDING = (
    *("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "data2vec-text", "mpnet"),
    *("roberta-prelayernorm", "longformer", "luke", "xmod", "ibert", "esm"),
)
"""Model types that count positions from after the padding index."""
ALIGNMENT = 16
"""The frozen layers see lengths that are multiples of this (one vector register): then the bits
of a sentence's features do not depend on the lengths of its neighbours in the batch."""


def encoder_layers(encoder: nn.Module) -> nn.ModuleList:
    """Return the stack of layers, from the bottom: the longest list of modules of one kind."""
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise UserError(f"the layers of a {type(encoder).__name__} cannot be found.")
    return max(lists, key=len)


def freeze(encoder: nn.Module, *, layers: int, embeddings: bool) -> None:
    """Stop the training of an encoder's embeddings and bottom layers.

    Raises:
        UserError: More layers than there are, or an encoder whose layers cannot be found.
    """
    if embeddings:
        for part in (getattr(encoder, "embeddings", None), _input_embeddings(encoder)):
            if part is not None:
                part.requires_grad_(False)
    if layers == 0:
        return
    stack = encoder_layers(encoder)
    number = getattr(encoder.config, "num_hidden_layers", len(stack))
    if number != len(stack):
        raise UserError(
            f"encoder.frozen_layers must be 0 for an encoder of type "
            f"{encoder.config.model_type!r}, whose layers share weights or have no plain order, "  # type: ignore[union-attr]
            f"but got {layers}."
        )
    if layers > len(stack):
        raise UserError(
            f"encoder.frozen_layers must be at most the {len(stack)} layers of the encoder, "
            f"but got {layers}."
        )
    for part in _beside(encoder, stack):
        for layer in part[:layers]:
            layer.requires_grad_(False)


def _beside(encoder: nn.Module, stack: nn.ModuleList) -> list[nn.ModuleList]:
    """Return all lists of one length that lie where a list lies: XLM has one for each part."""
    for module in encoder.modules():
        parts = [part for part in module.children() if isinstance(part, nn.ModuleList)]
        if any(part is stack for part in parts):
            return [part for part in parts if len(part) == len(stack)]
    return [stack]


def _input_embeddings(encoder: nn.Module) -> nn.Module | None:
    getter = getattr(encoder, "get_input_embeddings", None)
    return getter() if getter is not None else None


def is_layered(encoder: nn.Module) -> bool:
    """Return whether an encoder can be run in two parts."""
    return getattr(encoder.config, "model_type", None) in FAMILY and not getattr(
        encoder.config, "is_decoder", False
    )


def frozen_parts(encoder: nn.Module) -> list[nn.Module]:
    """Return what no gradient can reach: frozen embeddings and the frozen layers upon them."""
    embeddings = getattr(encoder, "embeddings", None)
    if not isinstance(embeddings, nn.Module) or _is_trained(embeddings):
        return []
    parts: list[nn.Module] = [embeddings]
    for layer in encoder_layers(encoder):
        if _is_trained(layer):
            break
        parts.append(layer)
    return parts


def _is_trained(module: nn.Module) -> bool:
    return any(value.requires_grad for value in module.parameters())


Found = dict[int, Tensor | None]
"""Layers whose hidden states are wanted, by number as in ``output_hidden_states`` of transformers:
0 = the embeddings, n = the n-th layer. The values are filled in."""


def run_bottom(
    encoder: nn.Module,
    num_layers: int,
    input_ids_BT: Tensor,
    attention_mask_BT: Tensor,
    found: Found | None = None,
) -> Tensor:
    """Return the hidden states (B, T, D) upon the embeddings and the bottom layers.

    Args:
        encoder: A layered encoder.
        num_layers: Bottom layers that are run.
        input_ids_BT: int64, (B, T).
        attention_mask_BT: int64, (B, T), 1 for subwords, 0 for padding.
        found: Gets the hidden states (B, T, D) of the layers that it names.
    """
    length = input_ids_BT.shape[1]
    if num_layers:
        ceiling = -(-length // ALIGNMENT) * ALIGNMENT
        padding = (0, max(min(ceiling, _longest(encoder)) - length, 0))
        pad_token_id = int(getattr(encoder.config, "pad_token_id", None) or 0)
        input_ids_BT = nn.functional.pad(input_ids_BT, padding, value=pad_token_id)
        attention_mask_BT = nn.functional.pad(attention_mask_BT, padding)
    hidden_BTD: Tensor = cast(Any, encoder).embeddings(input_ids=input_ids_BT)
    mask = _mask(encoder, hidden_BTD, attention_mask_BT) if num_layers else None
    _keep(found, 0, hidden_BTD[:, :length])
    for number, layer in enumerate(encoder_layers(encoder)[:num_layers], start=1):
        hidden_BTD = layer(hidden_BTD, mask)
        _keep(found, number, hidden_BTD[:, :length])
    return hidden_BTD[:, :length].contiguous()


def _keep(found: Found | None, number: int, hidden: Tensor) -> None:
    if found is not None and number in found:
        found[number] = hidden


def run_top(
    encoder: nn.Module,
    num_layers: int,
    hidden_BTD: Tensor,
    attention_mask_BT: Tensor,
    token_index_N: Tensor,
    found: Found | None = None,
) -> Tensor:
    """Return the features (N, D) of chosen tokens from hidden states of the bottom part.

    `packed.run_packed` does the same without padding.

    Args:
        encoder: A layered encoder.
        num_layers: Bottom layers that the hidden states have passed.
        hidden_BTD: float, (B, T, D).
        attention_mask_BT: int64, (B, T), 1 for subwords, 0 for padding.
        token_index_N: int64, (N,), places in the (B*T, ...) view.
        found: Gets the features (N, D) of the layers that it names, the last one's not.
    """
    layers = list(encoder_layers(encoder)[num_layers:])
    if not layers:
        return hidden_BTD.flatten(0, 1)[token_index_N]
    mask = _mask(encoder, hidden_BTD, attention_mask_BT)
    for number, layer in enumerate(layers[:-1], start=num_layers + 1):
        hidden_BTD = layer(hidden_BTD, mask)
        if found is not None and number in found:
            found[number] = hidden_BTD.flatten(0, 1)[token_index_N]
    last = cast(Any, layers[-1])
    # Attention mixes all subwords; what follows acts on each by itself.
    attended_BTD, _ = last.attention.self(hidden_BTD, mask)
    chosen_ND = hidden_BTD.flatten(0, 1)[token_index_N]
    attended_ND = attended_BTD.flatten(0, 1)[token_index_N]
    features_ND: Tensor = last.feed_forward_chunk(last.attention.output(attended_ND, chosen_ND))
    return features_ND


def usable_positions(settings: Any) -> int | None:
    """Return how many subwords an encoder takes; None where its configuration does not say.

    Encoders of the RoBERTa family count positions from after the padding index.
    """
    positions: int | None = getattr(settings, "max_position_embeddings", None)
    if positions is not None and positions < 0:  # how XLNet says that it has no limit
        return None
    if positions is not None and settings.model_type in AFTER_PADDING:
        # MPNet has a padding index of its own, whatever its tokenizer's is.
        padding = 1 if settings.model_type == "mpnet" else settings.pad_token_id or 0
        positions -= padding + 1
    return positions


def most_subwords(settings: Any, tokenizer: PreTrainedTokenizerFast) -> int:
    """Return how many subwords a model tags at once that does not say what it was trained on."""
    return min(usable_positions(settings) or 512, tokenizer.model_max_length, 512)


def _longest(encoder: nn.Module) -> int:
    positions = usable_positions(encoder.config)
    assert positions is not None, "encoders of this family say how many positions they have"
    return positions


def _mask(encoder: nn.Module, hidden_BTD: Tensor, attention_mask_BT: Tensor) -> Any:
    with torch.no_grad():
        return create_bidirectional_mask(
            config=cast(Any, encoder.config),
            inputs_embeds=hidden_BTD,
            attention_mask=attention_mask_BT,
        )
