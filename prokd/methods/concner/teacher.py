"""The teacher: a tagger of sentences and their translations, whose features are contrasted.

# B sentences, N valid tokens (flattened), D feature size
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.encoder.pooling import pooled
from prokd.method import PAIRED_TRAIN
from prokd.methods.concner.config import ConCNERConfig
from prokd.methods.concner.effective import is_plain, translates
from prokd.methods.concner.objective import teacher_objective
from prokd.stages.context import Context
from prokd.stages.stage import CONTRAST_STREAM, epoch_generator
from prokd.stages.tagger import TaggerStage, parts_of_tagger
from prokd.terms.contrast import label_contrast, translation_contrast


class ContrastedTeacherStage(TaggerStage):
    """Trains a tagger on source sentences, each beside its translation.

    Args:
        source_train: Labelled source sentences.
        paired: Source sentences, then their translations in the same order; None where nothing is
            translated.
        parts: Of `TaggerStage`.
    """

    def __init__(
        self, *, source_train: EncodedCorpus, paired: EncodedCorpus | None, **parts: Any
    ) -> None:
        """Number the texts, so that equal ones are known."""
        super().__init__(source_train=source_train, **parts)
        self.paired = paired
        self.texts = _numbered(source_train)
        self._texts_of_batch: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._random = epoch_generator(self.config.seed, 0, CONTRAST_STREAM)

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch; which tokens are compared is drawn anew in each."""
        self._random = epoch_generator(self.config.seed, self.epoch, CONTRAST_STREAM)
        return super().run_epoch()

    def _collated(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return a batch of sentences, and behind them their translations."""
        self._texts_of_batch = self.texts[indices]
        if self.paired is None:
            return super()._collated(indices)
        both = np.concatenate([indices, np.asarray(indices) + len(self.corpus)])
        return collate(self.paired, both, self.pad_token_id)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L_tea of a batch of sentences, and of their translations behind them."""
        settings, last = self.settings.contrast, self.model.num_layers
        with self.model.autocast():
            found = layer_features(self.model, batch, (last,))
        tokens_ND, zero = found.tokens[last], found.tokens[last].sum() * 0.0
        logits_NC = self.model.logits(tokens_ND)
        tagging, translated = self._of_both(logits_NC, batch, num_sentences)
        told = {"tagging_loss": tagging, "translated_loss": translated}
        sentences = labels = zero
        if settings.sentences > 0:
            how = settings.sentence_features
            vectors_BD = pooled(found.cls_BD, tokens_ND, batch, how=how)
            sentences = self._of_sentences(vectors_BD, num_sentences, told)
        if settings.labels > 0:
            labels = self._of_labels(tokens_ND, batch)
            told["label_contrast"] = labels
        loss = teacher_objective(
            tagging,
            translated,
            sentences,
            labels,
            sentences_weight=settings.sentences,
            labels_weight=settings.labels,
        )
        return loss, told

    def _of_both(
        self, logits_NC: Tensor, batch: Batch, num_sentences: int
    ) -> tuple[Tensor, Tensor]:
        """Return the tagging losses of source sentences and of translations, 0 without any."""
        if self.paired is None:
            return self._tagging_loss(logits_NC, batch, num_sentences), logits_NC.sum() * 0.0
        assert batch.labels_N is not None, "source batches carry labels"
        is_source_N = batch.token_index_N // batch.input_ids_BT.shape[1] < num_sentences
        source, translated = (
            self._loss_of_tokens(logits_NC[part_N], batch.labels_N[part_N], num_sentences)
            for part_N in (is_source_N, ~is_source_N)
        )
        return source, translated

    def _of_sentences(self, vectors_BD: Tensor, num_pairs: int, told: dict[str, Tensor]) -> Tensor:
        """Return L_TCL; how often a translation is the nearest one is told."""
        settings = self.settings.contrast
        first_BD, second_BD = vectors_BD[:num_pairs], vectors_BD[num_pairs:]
        texts_B = torch.from_numpy(self._texts_of_batch).to(vectors_BD.device)
        loss = translation_contrast(
            first_BD,
            second_BD,
            temperature=settings.temperature,
            form=settings.form,
            texts_B=texts_B,
        )
        with torch.no_grad():
            normal_BD = torch.nn.functional.normalize(second_BD, dim=-1)
            nearest_B = (first_BD @ normal_BD.T).argmax(dim=-1)
            told["pairing_accuracy"] = (texts_B[nearest_B] == texts_B).float().mean()
        told["translation_contrast"] = loss
        return loss

    def _of_labels(self, tokens_ND: Tensor, batch: Batch) -> Tensor:
        """Return L_LCL of the tokens that are drawn for it."""
        settings = self.settings.contrast
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


def _numbered(encoded: EncodedCorpus) -> npt.NDArray[np.int64]:
    """Return a number for each sentence, the same for equal texts."""
    known: dict[bytes, int] = {}
    starts, ends = encoded.offsets[:-1], encoded.offsets[1:]
    texts = [encoded.input_ids[s:e].tobytes() for s, e in zip(starts, ends, strict=True)]
    return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)


def build_teacher(context: Context) -> TaggerStage:
    """Build a teacher; without translation and contrast it is the plain one of TSL."""
    config: ConCNERConfig = context.config
    model: TokenClassifier = context.model()
    parts = parts_of_tagger(context, model)
    if is_plain(config):
        return TaggerStage(**parts)
    paired = context.corpus(PAIRED_TRAIN, model) if translates(config) else None
    return ContrastedTeacherStage(**parts, paired=paired)
