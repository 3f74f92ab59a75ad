"""Both contrastive losses of a batch of sentences and their translations.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from prokd.data import Batch
from prokd.encoder.pooling import pooled
from prokd.methods.concner.config import ContrastConfig
from prokd.stages.stage import CONTRAST_STREAM, epoch_generator
from prokd.terms.contrast import label_contrast, translation_contrast


class Contrast:
    """L_TCL and L_LCL as an experiment's settings ask for them.

    Args:
        settings: Their factors and forms.
        seed: Of the tokens that are drawn.
    """

    def __init__(self, settings: ContrastConfig, seed: int) -> None:
        """Begin the first epoch."""
        self.settings, self.seed = settings, seed
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Begin an epoch: which tokens are compared is drawn anew in each."""
        self._random = epoch_generator(self.seed, epoch, CONTRAST_STREAM)

    def losses(
        self, cls_BD: Tensor, tokens_ND: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return L_TCL and L_LCL, 0 where their factor is, and what is told of them.

        Args:
            cls_BD: float, (2B, D), of each sentence's first subword, after the last layer.
            tokens_ND: float, (N, D), of the tokens.
            batch: Sentences, and behind them their translations.
        """
        settings, told = self.settings, {}
        sentences = labels = tokens_ND.sum() * 0.0
        if settings.sentences > 0:
            how = settings.sentence_features
            vectors_KD = pooled(cls_BD, tokens_ND, batch, how=how)
            first_BD, second_BD = vectors_KD.chunk(2)
            # Equal numbers for equal texts; padding is part of no text.
            texts_B = torch.unique(
                batch.input_ids_BT[: len(first_BD)], dim=0, return_inverse=True
            )[1]
            sentences = told["translation_contrast"] = translation_contrast(
                first_BD,
                second_BD,
                temperature=settings.temperature,
                form=settings.form,
                texts_B=texts_B,
            )
            told["pairing_accuracy"] = _pairing_accuracy(
                first_BD.detach(), second_BD.detach(), texts_B
            )
        if settings.labels > 0:
            labels = told["label_contrast"] = self._of_labels(tokens_ND, batch)
        return sentences, labels, told

    def _of_labels(self, tokens_ND: Tensor, batch: Batch) -> Tensor:
        """Return L_LCL of the tokens that are drawn for it."""
        settings = self.settings
        assert batch.labels_N is not None, "source batches carry labels"
        labels_N = batch.labels_N
        kept = self._random.random(len(labels_N)) < settings.outside_share
        is_kept_N = torch.from_numpy(kept).to(labels_N.device) | (labels_N > 0)
        chosen = is_kept_N.nonzero().flatten()
        if len(chosen) > settings.most_tokens:
            order = self._random.permutation(len(chosen))[: settings.most_tokens]
            chosen = chosen[torch.from_numpy(np.sort(order)).to(chosen.device)]
        classes_N = labels_N[chosen]
        if settings.classes == "type":  # "O" is 0, then B and I of each type
            classes_N = (classes_N + 1) // 2
        return label_contrast(tokens_ND[chosen], classes_N, temperature=settings.temperature)


def _pairing_accuracy(first_BD: Tensor, second_BD: Tensor, texts_B: Tensor) -> Tensor:
    """Return how often the nearest sentence of the other language is the translation."""
    nearest_B = (first_BD @ torch.nn.functional.normalize(second_BD, dim=-1).T).argmax(dim=-1)
    return (texts_B[nearest_B] == texts_B).float().mean()
