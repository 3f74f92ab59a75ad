"""Layers of an encoder run without any padding, and so without a mask: the way of a CPU.

The subwords of a batch lie behind one another as rows, sentences of the same length together.
Attention runs over the sentences of one length at a time, all else over the rows at once.

# B sentences, T subwords of the longest, M rows, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

ROWS = 32
"""There are multiples of this many rows, the last ones idle: a product of a shape that was not
seen before costs its preparation, half a millisecond, and a thousand are remembered."""
_HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")


@dataclass(frozen=True)
class Packing:
    """The order in which the subwords of a batch are laid out, the shortest sentences first.

    Args:
        subwords: int64, (M,), place of each row in the (B*T, ...) view; of idle rows: any.
        row_of: int64, (B*T,), row of each subword; of padding: any.
        groups: Sentences of one length: their number, and that length.
    """

    subwords: Tensor
    row_of: Tensor
    groups: list[tuple[int, int]]

    @classmethod
    def of(cls, attention_mask_BT: Tensor) -> Packing:
        """Return the packing of a batch that is padded on the right."""
        lengths_B, order_B = attention_mask_BT.sum(dim=1).sort(stable=True)
        places_BT = torch.arange(attention_mask_BT.numel()).view_as(attention_mask_BT)
        subwords = places_BT[order_B][attention_mask_BT[order_B].bool()]
        row_of = torch.zeros(attention_mask_BT.numel(), dtype=torch.int64)
        row_of[subwords] = torch.arange(len(subwords))
        groups = [(len(list(same)), length) for length, same in groupby(lengths_B.tolist())]
        return cls(_filled_up(subwords), row_of, groups)


def run_packed(
    layers: Sequence[nn.Module],
    hidden_BTD: Tensor,
    attention_mask_BT: Tensor,
    token_index_N: Tensor,
    found: dict[int, Tensor | None] | None = None,
    *,
    below: int = 0,
) -> Tensor:
    """Return the features (N, D) of chosen tokens, what `layers.run_top` does but for rounding.

    Args:
        layers: One or more of a BERT-like encoder, from the bottom up.
        hidden_BTD: float, (B, T, D), what the first of them is given.
        attention_mask_BT: int64, (B, T), 1 for subwords, 0 for padding, which is on the right.
        token_index_N: int64, (N,), places in the (B*T, ...) view.
        found: See `layers.run_top`.
        below: Number of layers below the first of them.
    """
    packing = Packing.of(attention_mask_BT)
    hidden_MD = hidden_BTD.flatten(0, 1)[packing.subwords]
    chosen = _filled_up(packing.row_of[token_index_N])
    for number, layer in enumerate(layers[:-1], start=below + 1):
        attended_MD = _attention(cast(Any, layer).attention.self, hidden_MD, packing.groups)
        hidden_MD = _each_row(layer, attended_MD, hidden_MD)
        if found is not None and number in found:
            found[number] = hidden_MD[chosen][: len(token_index_N)]
    last = cast(Any, layers[-1])
    # Attention mixes all subwords; what follows acts on each by itself.
    attended_MD = _attention(last.attention.self, hidden_MD, packing.groups)
    features_MD = _each_row(last, attended_MD[chosen], hidden_MD[chosen])
    return features_MD[: len(token_index_N)]


def _filled_up(index: Tensor) -> Tensor:
    return nn.functional.pad(index, (0, -len(index) % ROWS))


def _attention(attention: Any, hidden_MD: Tensor, groups: list[tuple[int, int]]) -> Tensor:
    """Return what the heads make of the hidden states, (M, D)."""
    heads = (attention.num_attention_heads, attention.attention_head_size)
    modules = (attention.query, attention.key, attention.value)
    parts = [_linear(module, hidden_MD) for module in modules]
    dropout = attention.dropout.p if attention.training else 0.0
    attended = []
    first = 0
    for num_sentences, length in groups:
        shape = (num_sentences, length, *heads)
        rows = slice(first, first + num_sentences * length)
        query, key, value = (part[rows].view(shape).transpose(1, 2) for part in parts)
        found = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        attended.append(found.transpose(1, 2).reshape(-1, parts[0].shape[1]))
        first = rows.stop
    idle = attended[0].new_zeros(len(hidden_MD) - first, attended[0].shape[1])
    return torch.cat([*attended, idle])


def _each_row(layer: Any, attended_MD: Tensor, hidden_MD: Tensor) -> Tensor:
    """Return a layer's output for each row by itself, from what its heads gave."""
    hidden_MD = _added(layer.attention.output, attended_MD, hidden_MD)
    inner = _linear(layer.intermediate.dense, hidden_MD, layer.intermediate.intermediate_act_fn)
    return _added(layer.output, inner, hidden_MD)


def _added(output: Any, values: Tensor, hidden_MD: Tensor) -> Tensor:
    result: Tensor = output.LayerNorm(output.dropout(_linear(output.dense, values)) + hidden_MD)
    return result


def _linear(module: nn.Linear, values: Tensor, act: nn.Module | None = None) -> Tensor:
    """Return a linear layer's output, activated.

    Where no gradient is asked for, oneDNN's product is faster, and takes bias and GELU along: what
    `torch.compile` would make of it.
    """
    if (
        not _HAS_ONEDNN
        or torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or values.dtype != torch.float32
    ):
        result: Tensor = module(values)
        return result if act is None else cast(Tensor, act(result))
    is_gelu = isinstance(act, GELUActivation)
    name, kind = ("gelu", "none") if is_gelu else ("none", "")
    result = torch.ops.mkldnn._linear_pointwise(values, module.weight, module.bias, name, [], kind)
    return result if act is None or is_gelu else cast(Tensor, act(result))
