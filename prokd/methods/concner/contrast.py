"""Both contrastive losses of a batch of sentences and their translations.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.pooling import pooled
from prokd.methods.concner.config import ContrastConfig
from prokd.stages.stage import CONTRAST_STREAM, epoch_generator
from prokd.terms.contrast import label_contrast, translation_contrast


class Contrast:
    """L_TCL and L_LCL as an experiment's settings ask for them.

    Args:
        settings: Their factors and forms.
        seed: Of the tokens that are drawn.
        sentences: Source sentences, by which equal texts are known.
    """

    def __init__(self, settings: ContrastConfig, seed: int, sentences: EncodedCorpus) -> None:
        """Number the texts."""
        self.settings, self.seed = settings, seed
        self._texts = _numbered(sentences)
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Begin an epoch: which tokens are compared is drawn anew in each."""
        self._random = epoch_generator(self.seed, epoch, CONTRAST_STREAM)

    def losses(
        self,
        cls_BD: Tensor,
        tokens_ND: Tensor,
        batch: Batch,
        indices: npt.NDArray[np.int64],
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return L_TCL and L_LCL, 0 where their factor is, and what is told of them.

        Args:
            cls_BD: float, (2B, D), of each sentence's first subword, after the last layer.
            tokens_ND: float, (N, D), of the tokens.
            batch: Sentences, and behind them their translations.
            indices: (B,), the sentences' places in their corpus.
        """
        settings, told = self.settings, {}
        sentences = labels = tokens_ND.sum() * 0.0
        if settings.sentences > 0:
            how = settings.sentence_features
            vectors_KD = pooled(cls_BD, tokens_ND, batch, how=how)
            texts_B = torch.from_numpy(self._texts[indices]).to(vectors_KD.device)
            sentences = told["translation_contrast"] = translation_contrast(
                vectors_KD[: len(indices)],
                vectors_KD[len(indices) :],
                temperature=settings.temperature,
                form=settings.form,
                texts_B=texts_B,
            )
            told["pairing_accuracy"] = _pairing_accuracy(vectors_KD.detach(), texts_B)
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


def _pairing_accuracy(vectors_KD: Tensor, texts_B: Tensor) -> Tensor:
    """Return how often the nearest sentence of the other language is the translation."""
    first_BD, second_BD = vectors_KD[: len(texts_B)], vectors_KD[len(texts_B) :]
    nearest_B = (first_BD @ torch.nn.functional.normalize(second_BD, dim=-1).T).argmax(dim=-1)
    return (texts_B[nearest_B] == texts_B).float().mean()


def _numbered(encoded: EncodedCorpus) -> npt.NDArray[np.int64]:
    """Return a number for each sentence, the same for equal texts."""
    known: dict[bytes, int] = {}
    starts, ends = encoded.offsets[:-1], encoded.offsets[1:]
    texts = [encoded.input_ids[s:e].tobytes() for s, e in zip(starts, ends, strict=True)]
    return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)
