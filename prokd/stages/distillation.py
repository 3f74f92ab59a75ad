"""A student that learns what a teacher says of unlabelled target text, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring.evaluation import LabelledSplit, probabilities
from prokd.stages.context import Context
from prokd.stages.criteria import unlabelled_criteria
from prokd.stages.one_corpus import OneCorpusStage
from prokd.stages.stage import STUDENT_STREAM
from prokd.terms.distillation import distillation_loss

Loss = Callable[[Tensor, Tensor, int], Tensor]
"""From p and logits, float, (N, C), and the number of sentences of a batch to a scalar."""


class DistillationStage(OneCorpusStage):
    """Trains a student on a frozen teacher's probabilities, by Eq. (2) or a loss of one's own.

    Args:
        model: The classifier to train.
        config: The experiment; its section ``student`` says how.
        target_train: Target sentences without labels.
        source_dev: Labelled source sentences to score on.
        teacher_probabilities: float, (num_kept_words, C), p for target train.
        pad_token_id: Of the tokenizer.
        name: Of the stage, in front of its metrics.
        loss: What is trained down; None = Eq. (2).
    """

    def __init__(
        self,
        *,
        model: TokenClassifier,
        config: Any,
        target_train: EncodedCorpus,
        source_dev: LabelledSplit,
        teacher_probabilities: npt.NDArray[np.floating],
        pad_token_id: int,
        name: str = "student",
        loss: Loss | None = None,
    ) -> None:
        """Make the optimiser; put the teacher's probabilities on the device."""
        self.loss = loss or self._distillation
        self.loss_name = "loss" if loss else "distillation_loss"
        self.target_train = target_train
        self.teacher_probabilities = normalised(teacher_probabilities).to(model.device)
        super().__init__(
            model=model,
            config=config,
            settings=config.student,
            corpus=target_train,
            stream=STUDENT_STREAM,
            source_dev=source_dev,
            pad_token_id=pad_token_id,
            name=name,
        )

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the distillation loss of a batch, or the loss of one's own."""
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        teacher_NC = self.teacher_probabilities[batch.word_index_N]
        loss = self.loss(teacher_NC, logits_NC, num_sentences)
        return loss, {self.loss_name: loss}

    def _distillation(self, teacher_NC: Tensor, logits_NC: Tensor, num_sentences: int) -> Tensor:
        return distillation_loss(
            teacher_NC,
            torch.softmax(logits_NC.float(), dim=-1),
            class_reduction=self.settings.distillation_reduction,
            num_sentences=num_sentences,
            reduction=self.settings.loss_reduction,
        )

    def criteria(self) -> dict[str, float]:
        """Return `criteria.unlabelled_criteria` of the student as it is now."""
        return unlabelled_criteria(
            self.model, self.target_train, self.pad_token_id, self.teacher_probabilities
        )


def normalised(probabilities_NC: npt.NDArray[np.floating]) -> torch.Tensor:
    """Return stored probabilities as float32, (N, C), rows summing to 1 again."""
    values_NC = torch.from_numpy(np.array(probabilities_NC, dtype=np.float32))
    return values_NC / values_NC.sum(dim=-1, keepdim=True)


def start_of(config: Any) -> str | None:
    """Return the stage whose weights a student starts from; None = the encoder's."""
    return "teacher" if config.student.start == "teacher" else None


def parts_of_student(context: Context, *, teacher: str = "teacher") -> dict[str, Any]:
    """Return what any student of a teacher is built from, by argument."""
    known = context.outputs(teacher, probabilities)
    model = context.model(start_of(context.config))
    return {
        "model": model,
        "config": context.config,
        "target_train": context.target_train(model),
        "source_dev": context.source_dev(model),
        "teacher_probabilities": known,
        "pad_token_id": context.pad_token_id,
    }


def build_distillation(context: Context, *, teacher: str = "teacher") -> DistillationStage:
    """Build a student of a teacher."""
    return DistillationStage(**parts_of_student(context, teacher=teacher), name=context.name)
