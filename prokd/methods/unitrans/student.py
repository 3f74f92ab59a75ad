"""The student: distillation of the main teacher, and of labels that the teachers agree on.

# N valid tokens (flattened), C classes, A teachers
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch
from prokd.methods.unitrans.config import UniTransConfig
from prokd.methods.unitrans.effective import (
    TEACHER,
    TRANSLATED,
    distils_alone,
    main_teacher,
    teachers_of,
    votes,
)
from prokd.methods.unitrans.objective import student_objective
from prokd.scoring.evaluation import probabilities
from prokd.stages.context import Context
from prokd.stages.distillation import (
    DistillationStage,
    build_distillation,
    normalised,
    parts_of_student,
)
from prokd.stages.weighted_labels import WeightedLabels
from prokd.terms.votes import voted_for


class VotedStudentStage(DistillationStage):
    """Trains a student on a main teacher and on the labels that teachers agree on.

    Args:
        weights_N: float, (num_kept_words,), what the label of each word of target train counts: 0
            where the teachers do not agree.
        parts: Of `DistillationStage`; its probabilities are the main teacher's.
    """

    def __init__(self, *, weights_N: Tensor, **parts: Any) -> None:
        """Take the votes."""
        super().__init__(**parts)
        labels_N = self.teacher_probabilities.argmax(dim=-1)
        self.labels = WeightedLabels(labels_N, weights_N, self.model.device)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the objective on a batch of target sentences."""
        settings, words_N = self.settings, batch.word_index_N
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        distillation = self._distillation(
            self.teacher_probabilities[words_N], logits_NC, num_sentences
        )
        voted, share = self.labels.loss(logits_NC, words_N)
        told = {"distillation_loss": distillation, "voted_loss": voted, "voted_share": share}
        loss = student_objective(
            distillation,
            voted,
            distillation_weight=settings.distillation_weight,
            voted_weight=settings.voted_weight,
        )
        return loss, told


def build_student(context: Context) -> DistillationStage:
    """Build a student; without votes and mean of teachers it is the plain one of TSL."""
    config: UniTransConfig = context.config
    if distils_alone(config):
        return build_distillation(context, teacher=main_teacher(config))
    parts = parts_of_student(context, teacher=main_teacher(config))
    parts["teacher_probabilities"], weights_N = taught(context, config)
    return VotedStudentStage(**parts, name=context.name, weights_N=weights_N)


def taught(
    context: Context, config: UniTransConfig
) -> tuple[npt.NDArray[np.floating[Any]], Tensor]:
    """Return the main teacher's probabilities of target train, and what each label counts.

    Returns:
        p, float, (num_kept_words, C), and v, float32, (num_kept_words,): 0 where the teachers do
        not agree, or nothing is learned from votes.
    """
    names = teachers_of(config)
    voters_ANC = torch.stack([normalised(context.outputs(n, probabilities)) for n in names])
    of_name = dict(zip(names, voters_ANC, strict=True))
    if config.student.main_teacher == "mean":
        main_NC = (of_name[TEACHER] + of_name[TRANSLATED]) / 2
    else:
        main_NC = of_name[main_teacher(config)]
    weights_N = voted_for(voters_ANC, main_NC.argmax(dim=-1), config.student.vote).float()
    if not votes(config):
        weights_N = torch.zeros_like(weights_N)
    if config.student.voted_confidence:
        weights_N = weights_N * main_NC.amax(dim=-1)
    return main_NC.numpy(), weights_N
