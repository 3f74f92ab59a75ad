"""Both stages of a round: a tagger of denoised translations, a student of denoised labels.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from prokd.data import Batch
from prokd.method import TARGET_TRAIN, TRANSLATED_TRAIN
from prokd.methods.colada.config import CoLaDaConfig
from prokd.methods.colada.effective import label_weight, rounds_of
from prokd.methods.colada.names import before, round_of, tagger_of
from prokd.methods.colada.objective import denoised_targets, soft_cross_entropy
from prokd.methods.colada.reliable import LabelReliability
from prokd.scoring.evaluation import probabilities
from prokd.stages.context import Context
from prokd.stages.distillation import DistillationStage, normalised
from prokd.stages.tagger import TaggerStage
from prokd.stages.weighted_labels import WeightedLabels


class DenoisedTaggerStage(TaggerStage):
    """Trains a tagger on translated sentences, whose labels are mixed with what another says.

    Args:
        teacher_NC: float, (num_kept_words, C), p of the translation by the tagger before.
        weights_N: float, (num_kept_words,), how reliable p is.
        label_weight: lambda.
        parts: Of `TaggerStage`.
    """

    def __init__(
        self, *, teacher_NC: Tensor, weights_N: Tensor, label_weight: float, **parts: Any
    ) -> None:
        """Put what the tagger before says on the device."""
        super().__init__(**parts)
        device = self.model.device
        self.teacher_NC, self.weights_N = teacher_NC.to(device), weights_N.to(device)
        self.label_weight = label_weight

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the soft cross-entropy of a batch."""
        assert batch.labels_N is not None, "translations carry labels"
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        targets_NC = denoised_targets(
            batch.labels_N,
            self.teacher_NC[batch.word_index_N],
            self.weights_N[batch.word_index_N],
            label_weight=self.label_weight,
        )
        loss = soft_cross_entropy(logits_NC, targets_NC)
        return loss, {"tagging_loss": loss}


class DenoisedStudentStage(DistillationStage):
    """Trains a student on a tagger's likeliest labels, each as reliable as its neighbours say.

    Args:
        weights_N: float, (num_kept_words,), w.
        parts: Of `DistillationStage`.
    """

    def __init__(self, *, weights_N: Tensor, **parts: Any) -> None:
        """Take the labels."""
        super().__init__(**parts)
        labels_N = self.teacher_probabilities.argmax(dim=-1)
        self.labels = WeightedLabels(labels_N, weights_N, self.model.device)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted cross-entropy of a batch."""
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        loss, _ = self.labels.loss(logits_NC, batch.word_index_N)
        return loss, {"label_loss": loss}


def build_tagger(context: Context) -> TaggerStage:
    """Build the tagger of a round; where labels stay as they are it asks nobody."""
    config: CoLaDaConfig = context.config
    number = round_of(context.name)
    model, teacher = context.model(), before(number)
    corpus, weight = context.corpus(TRANSLATED_TRAIN, model), label_weight(config, number)
    if weight < 1:
        found = context.outputs(teacher, probabilities, corpus=TRANSLATED_TRAIN)
        teacher_NC = normalised(found)
        weights_N = _weights(context, teacher, TRANSLATED_TRAIN, len(teacher_NC))
    else:
        teacher_NC = torch.zeros(int(corpus.word_offsets[-1]), model.num_classes)
        weights_N = torch.zeros(len(teacher_NC))
    return DenoisedTaggerStage(
        model=model,
        config=config,
        settings=config.student,
        source_train=corpus,
        source_dev=context.source_dev(model),
        pad_token_id=context.pad_token_id,
        name=context.name,
        teacher_NC=teacher_NC,
        weights_N=weights_N,
        label_weight=weight,
    )


def build_student(context: Context) -> DistillationStage:
    """Build the student of a round."""
    config: CoLaDaConfig = context.config
    number = rounds_of(config) if context.name == "student" else round_of(context.name)
    model, teacher = context.model(), tagger_of(number)
    known = context.outputs(teacher, probabilities)
    return DenoisedStudentStage(
        model=model,
        config=config,
        target_train=context.target_train(model),
        source_dev=context.source_dev(model),
        teacher_probabilities=known,
        pad_token_id=context.pad_token_id,
        name=context.name,
        weights_N=_weights(context, teacher, TARGET_TRAIN, len(known)),
    )


def _weights(context: Context, teacher: str, corpus: str, num_words: int) -> Tensor:
    """Return how reliable what a stage says of each word of a corpus is; 1 where none asks."""
    settings = context.config.denoising
    if settings.sharpness == 0:
        return torch.ones(num_words)
    rows = context.outputs(teacher, LabelReliability(settings), corpus=corpus)
    return torch.from_numpy(np.array(rows, dtype=np.float32)[:, 0])
