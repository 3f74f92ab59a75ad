"""Layers of an encoder run without any padding, and so without a mask.

The subwords of a batch lie behind one another as rows, sentences of the same length together.
Attention alone knows of sentences: on a CPU it runs over those of one length at a time, on a GPU
over all at once, as jagged tensors (https://docs.pytorch.org/docs/stable/nested.html), whose
kernels take lengths that vary. All else runs over the rows.

# B sentences, T subwords of the longest, M rows, N valid tokens (flattened), D feature size,
# H heads, E size of a head
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nested import nested_tensor_from_jagged
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.activations import GELUActivation

logger = logging.getLogger(__name__)
KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
"""What must be there for jagged tensors: the way without a kernel cuts them into sentences."""

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
        offsets: int64, (B+1,), first row of each sentence, and the first idle one.
        groups: Sentences of one length: their number, and that length.
    """

    subwords: Tensor
    row_of: Tensor
    offsets: Tensor
    groups: list[tuple[int, int]]

    @classmethod
    def of(cls, lengths_B: Tensor, longest: int, device: torch.device | str = "cpu") -> Packing:
        """Return the packing of a batch that is padded on the right.

        Args:
            lengths_B: int64, (B,), subwords of each sentence, on the CPU: a GPU is not waited for.
            longest: T.
            device: Where the tensors are wanted.
        """
        lengths_B, order_B = lengths_B.sort(stable=True)
        places_BT = torch.arange(len(lengths_B) * longest).view(-1, longest)
        subwords = places_BT[order_B][torch.arange(longest) < lengths_B[:, None]]
        row_of = torch.zeros(places_BT.numel(), dtype=torch.int64)
        row_of[subwords] = torch.arange(len(subwords))
        offsets = nn.functional.pad(lengths_B.cumsum(dim=0), (1, 0))
        groups = [(len(list(same)), length) for length, same in groupby(lengths_B.tolist())]
        index = _moved(_filled_up(subwords), device)
        return cls(index, _moved(row_of, device), _moved(offsets, device), groups)

    @property
    def num_rows(self) -> int:
        """Rows that are subwords, the idle ones left out."""
        return sum(number * length for number, length in self.groups)


def _moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    if torch.device(device).type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def run_packed(
    layers: Sequence[nn.Module],
    hidden_BTD: Tensor,
    packing: Packing,
    token_index_N: Tensor,
    found: dict[int, Tensor | None] | None = None,
    *,
    below: int = 0,
) -> Tensor:
    """Return the features (N, D) of chosen tokens, what `layers.run_top` does but for rounding.

    Args:
        layers: One or more of a BERT-like encoder, from the bottom up.
        hidden_BTD: float, (B, T, D), what the first of them is given.
        packing: Of the batch, on the device. Who computes a pass again for its gradient gives the
            same one: jagged tensors are alike by their offsets.
        token_index_N: int64, (N,), places in the (B*T, ...) view.
        found: See `layers.run_top`.
        below: Number of layers below the first of them.
    """
    hidden_MD = hidden_BTD.flatten(0, 1)[packing.subwords]
    chosen = _filled_up(packing.row_of[token_index_N])
    for number, layer in enumerate(layers[:-1], start=below + 1):
        attended_MD = _attention(cast(Any, layer).attention.self, hidden_MD, packing)
        hidden_MD = _each_row(layer, attended_MD, hidden_MD)
        if found is not None and number in found:
            found[number] = hidden_MD[chosen][: len(token_index_N)]
    last = cast(Any, layers[-1])
    # Attention mixes all subwords; what follows acts on each by itself.
    attended_MD = _attention(last.attention.self, hidden_MD, packing)
    features_MD = _each_row(last, attended_MD[chosen], hidden_MD[chosen])
    return features_MD[: len(token_index_N)]


def _filled_up(index: Tensor) -> Tensor:
    return nn.functional.pad(index, (0, -len(index) % ROWS))


def _attention(attention: Any, hidden_MD: Tensor, packing: Packing) -> Tensor:
    """Return what the heads make of the hidden states, (M, D)."""
    heads = (attention.num_attention_heads, attention.attention_head_size)
    modules = (attention.query, attention.key, attention.value)
    parts = [_linear(module, hidden_MD).view(-1, *heads) for module in modules]
    dropout = attention.dropout.p if attention.training else 0.0
    return ATTEND[hidden_MD.device.type](parts, packing, dropout)


def attend_by_length(parts: Sequence[Tensor], packing: Packing, dropout: float) -> Tensor:
    """Return the heads' output (M, D), idle rows zero, by a call for each length.

    Args:
        parts: Queries, keys and values, float, each (M, H, E).
        packing: The order of the rows.
        dropout: Of attention's probabilities.
    """
    sizes = [number * length for number, length in packing.groups]
    sizes.append(len(parts[0]) - packing.num_rows)
    *pieces, (idle, _, _) = zip(*(torch.split(part, sizes) for part in parts), strict=True)
    attended = []
    for group, own in zip(packing.groups, pieces, strict=True):
        query, key, value = (part.view(*group, *part.shape[1:]).transpose(1, 2) for part in own)
        found = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        attended.append(found.transpose(1, 2).flatten(0, 1).flatten(1))
    return torch.cat([*attended, torch.zeros_like(idle).flatten(1)])


def attend_jagged(parts: Sequence[Tensor], packing: Packing, dropout: float) -> Tensor:
    """Return what `attend_by_length` does, by one call for all lengths."""
    shortest, longest = packing.groups[0][1], packing.groups[-1][1]
    query, key, value = (
        nested_tensor_from_jagged(
            part[: packing.num_rows], packing.offsets, min_seqlen=shortest, max_seqlen=longest
        ).transpose(1, 2)
        for part in parts
    )
    found = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    attended_MD = found.transpose(1, 2).values().flatten(1)
    return nn.functional.pad(attended_MD, (0, 0, 0, len(parts[0]) - packing.num_rows))


ATTEND: dict[str, Callable[[Sequence[Tensor], Packing, float], Tensor]] = {
    "cpu": attend_by_length,
    "cuda": attend_jagged,
}
"""By kind of device: a call for each length is many small ones, which a GPU minds."""


@lru_cache(maxsize=16)
def can_attend(device: torch.device, kind: torch.dtype, heads: int, size: int) -> bool:
    """Return whether a device has kernels for attention without padding: tried once, backward too.

    Where it has none, one line says so, and the padded layers of the library serve. Whatever a
    process did before, and however it asks, the answer is the same, and no random number is drawn.

    Args:
        device: Of the model.
        kind: Type of queries, keys and values.
        heads: H.
        size: E.
    """
    if device.type == "cpu":
        return True
    devices = [device] if device.type == "cuda" else []
    try:
        with (
            torch.random.fork_rng(devices=devices),
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            sdpa_kernel(KERNELS),
        ):
            packing = Packing.of(torch.tensor([2, 3, 3]), 3, device)
            shape = (packing.num_rows, heads, size)
            parts = [torch.ones(shape, device=device, dtype=kind) for _ in range(3)]
            attended = ATTEND[device.type]([p.requires_grad_() for p in parts], packing, 0.1)
            torch.autograd.backward(attended.sum())
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        logger.warning("no attention without padding on %s, it is padded: %s", device, reason)
        return False
    return True


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
