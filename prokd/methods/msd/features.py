"""A sentence's features, H in the paper: [CLS], or the mean over its words.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.scoring.evaluation import looked_at


def pooled(
    cls_BD: Tensor, features_ND: Tensor, batch: Batch, *, how: Literal["cls", "mean"]
) -> Tensor:
    """Return the features of each sentence, float32, (B, D), before dropout.

    Args:
        cls_BD: Of the first subword, after the last layer.
        features_ND: Of the valid tokens, after the last layer.
        batch: Where the tokens stand.
        how: [CLS], or the mean of the sentence's tokens.
    """
    if how == "cls":
        return cls_BD.float()
    num_sentences, length = batch.input_ids_BT.shape
    sentence_N = batch.token_index_N // length
    sums_BD = torch.zeros(num_sentences, features_ND.shape[-1], device=features_ND.device)
    sums_BD = sums_BD.index_add(0, sentence_N, features_ND.float())
    counts_B = torch.bincount(sentence_N, minlength=num_sentences)
    return sums_BD / counts_B.clamp_min(1)[:, None]


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
