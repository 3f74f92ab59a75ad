"""How reliable what a finished tagger says of each word of a corpus is, by its neighbours.

# N kept words, D feature size
"""

from __future__ import annotations

import torch
from torch import Tensor

from prokd.data import EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.methods.colada.config import DenoisingConfig
from prokd.scoring.evaluation import looked_at
from prokd.terms.neighbours import agreeing_neighbours, reliability


class LabelReliability:
    """An output of a finished stage: w of `terms.neighbours.reliability` for each kept word.

    Labels are the tagger's own likeliest classes; neighbours are compared by type of entity.

    Args:
        settings: Number of neighbours, of layers, and the slope.
    """

    def __init__(self, settings: DenoisingConfig) -> None:
        """Name what it computes: outputs are kept under that name."""
        self.settings = settings
        self.__name__ = (
            f"reliability_{settings.neighbours}_{settings.layers}_{settings.sharpness!r}"
        )

    @torch.no_grad()
    def __call__(
        self, model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int
    ) -> Tensor:
        """Return the weights, float32, (N, 1), in (0, 1]."""
        num_words, last = int(encoded.word_offsets[-1]), model.num_layers
        first = max(last - self.settings.layers + 1, 1)
        layers = tuple(range(first, last + 1))
        features_ND = torch.zeros(num_words, model.num_features, device=model.device)
        types_N = torch.zeros(num_words, dtype=torch.int64, device=model.device)
        for _, batch in looked_at(model, encoded, pad_token_id):
            with model.autocast():
                found = layer_features(model, batch, layers)
            tokens_ND = found.tokens[last]
            mean_ND = torch.stack([found.tokens[number].float() for number in layers]).mean(dim=0)
            features_ND[batch.word_index_N] = mean_ND
            # "O" is 0, then B and I of each type.
            types_N[batch.word_index_N] = (model.logits(tokens_ND).argmax(dim=-1) + 1) // 2
        counts_N = agreeing_neighbours(
            features_ND, types_N, num_neighbours=self.settings.neighbours
        )
        weights_N = reliability(counts_N, types_N, sharpness=self.settings.sharpness)
        return weights_N[:, None].cpu()
