"""Classifiers on layers below the last, and how much each of them counts.

# N valid tokens (flattened), D feature size, C classes, A layers with a classifier
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.errors import UserError
from prokd.methods.msd.config import MSDConfig
from prokd.scoring.evaluation import looked_at

NAME = "layer_heads"
"""Of the heads among the modules that stand beside a classifier."""


class LayerHeads(nn.Module):
    """A linear classifier for each of some layers, and the layers' weights.

    Args:
        layers: Their numbers, see `encoder.layer_features`.
        num_features: D.
        num_classes: C.
        learned: Whether the weights are trained; else all layers count alike.
    """

    def __init__(
        self, layers: Sequence[int], num_features: int, num_classes: int, *, learned: bool
    ) -> None:
        """Make new classifiers (normal, std 0.02; zero bias) and omega ~ U(-1, 1)."""
        super().__init__()
        self.layers = tuple(layers)
        self.classifiers = nn.ModuleList(nn.Linear(num_features, num_classes) for _ in layers)
        for linear in self.classifiers:
            nn.init.normal_(linear.weight, std=0.02)  # type: ignore[arg-type]
            nn.init.zeros_(linear.bias)  # type: ignore[arg-type]
        self.omega_A = nn.Parameter(torch.empty(len(layers)).uniform_(-1, 1)) if learned else None

    def layer_weights(self) -> Tensor:
        """Return lambda, (A,), which sums to 1: softmax(omega)."""
        if self.omega_A is None:
            return torch.full((len(self.layers),), 1 / len(self.layers))
        return torch.softmax(self.omega_A, dim=0)

    def forward(self, tokens: Mapping[int, Tensor], dropout: nn.Module) -> Tensor:
        """Return logits, float32, (A, N, C), of the features of each layer, (N, D)."""
        logits = [
            linear(dropout(tokens[number].float()))
            for number, linear in zip(self.layers, self.classifiers, strict=True)
        ]
        return torch.stack(logits)


def layers_of(config: MSDConfig, model: TokenClassifier) -> tuple[int, ...]:
    """Return which layers get a classifier: M in the paper.

    Raises:
        UserError: A layer that is not below the encoder's last, or no layer between the frozen
            ones and the last.
    """
    last, named = model.num_layers, config.heads.layers
    if named:
        if max(named) >= last:
            raise UserError(
                f"heads.layers must lie below the encoder's last layer, {last}, but got "
                f"{max(named)}."
            )
        return tuple(sorted(named))
    layers = tuple(range(config.encoder.frozen_layers + 1, last))
    if not layers:
        raise UserError(
            f"encoder.frozen_layers must leave a layer below the last, {last}, for method msd, "
            f"but got {config.encoder.frozen_layers} (or name them: heads.layers)."
        )
    return layers


def with_heads(model: TokenClassifier, config: MSDConfig) -> TokenClassifier:
    """Put new seeded heads beside a classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        heads = LayerHeads(
            layers_of(config, model),
            model.num_features,
            model.num_classes,
            learned=config.heads.weights == "learned",
        )
    model.beside[NAME] = heads.to(model.device)
    return model


def heads_of(model: TokenClassifier) -> LayerHeads:
    """Return the heads beside a classifier."""
    heads = model.beside[NAME]
    assert isinstance(heads, LayerHeads), "with_heads has put them there"
    return heads


@dataclass(frozen=True)
class Found:
    """What `all_logits` returns.

    Args:
        logits_ANC: float32, (A, N, C), of the layers below the last.
        logits_NC: float32, (N, C), of the last.
        tokens_ND: float, (N, D), features of the last layer, before dropout.
        cls_BD: float, (B, D), [CLS] of the last layer, before dropout.
    """

    logits_ANC: Tensor
    logits_NC: Tensor
    tokens_ND: Tensor
    cls_BD: Tensor


def all_logits(model: TokenClassifier, batch: Batch) -> Found:
    """Return what all classifiers say, with gradient; the same dropout stands before each."""
    heads, last = heads_of(model), model.num_layers
    with model.autocast():
        found = layer_features(model, batch, (*heads.layers, last))
    logits_NC = model.logits(found.tokens[last])
    with torch.autocast(model.device.type, enabled=False):
        logits_ANC = heads(found.tokens, model.dropout)
    return Found(logits_ANC, logits_NC, found.tokens[last], found.cls_BD)


def told_weights(model: TokenClassifier) -> dict[str, Tensor]:
    """Return the weight of each layer, for a stage's metrics."""
    heads = heads_of(model)
    weights_A = heads.layer_weights().detach()
    return {f"layer_weight/{n}": value for n, value in zip(heads.layers, weights_A, strict=True)}


@torch.no_grad()
def layer_probabilities(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int
) -> Tensor:
    """Return p^m of a corpus's kept words by all classifiers, (num_kept_words, A * C).

    One layer behind the other, from the lowest on.
    """
    width = len(heads_of(model).layers) * model.num_classes
    rows = torch.zeros(int(encoded.word_offsets[-1]), width)
    for _, batch in looked_at(model, encoded, pad_token_id):
        logits_ANC = all_logits(model, batch).logits_ANC
        found = torch.softmax(logits_ANC, dim=-1).movedim(0, 1).flatten(1)
        rows[batch.word_index_N.cpu()] = found.cpu()
    return rows
