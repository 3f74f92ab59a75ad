"""A sentence's features, H in the paper: [CLS], or the mean over its words.

# D feature size
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from prokd.data import EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.encoder.pooling import pooled
from prokd.scoring.evaluation import looked_at


def cls_features(model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int) -> Tensor:
    """Return [CLS] of each sentence of a corpus, float32, (num_sentences, D)."""
    return _of_corpus(model, encoded, pad_token_id, "cls")


def mean_word_features(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int
) -> Tensor:
    """Return the mean over the words of each sentence, float32, (num_sentences, D)."""
    return _of_corpus(model, encoded, pad_token_id, "mean")


@torch.no_grad()
def _of_corpus(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int, how: Literal["cls", "mean"]
) -> Tensor:
    last = model.num_layers
    found = torch.zeros(len(encoded), model.num_features)
    for indices, batch in looked_at(model, encoded, pad_token_id):
        with model.autocast():
            layers = layer_features(model, batch, (last,))
        rows = pooled(layers.cls_BD, layers.tokens[last], batch, how=how)
        found[torch.from_numpy(indices)] = rows.cpu()
    return found


SENTENCE_FEATURES = {"cls": cls_features, "mean": mean_word_features}
"""What gives the features of all sentences, by ``student.mmd_features``."""
