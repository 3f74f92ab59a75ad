"""The strong rival's student, and a point: a teacher of its own, then its student.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rival_model import TokenTagger
from benchmarks.trainer_data import Data
from benchmarks.trainer_rival import TaggerTrainer, Words, words_of
from benchmarks.trainer_teacher import TeacherTrainer
from prokd.config import ExperimentConfig
from prokd.methods.prokd.student.objective import student_objective
from prokd.methods.prokd.student.pseudo_labels import (
    hard_labels,
    hybrid_probabilities,
    prototype_probabilities,
)
from prokd.methods.prokd.student.schedule import distillation_weight
from prokd.methods.prokd.student.self_training import self_training_loss
from prokd.terms.distillation import distillation_loss
from prokd.terms.prototypes import PrototypeBank, weighted_prototypes


class StudentTrainer(TaggerTrainer):
    """Learns from a teacher's probabilities of target text and from labels by prototypes."""

    def __init__(
        self,
        config: ExperimentConfig,
        data: Data,
        folder: Path,
        teacher: TeacherTrainer,
        **rest: Any,
    ) -> None:
        """Let the teacher say its probabilities once; make model and bank."""
        starts_afresh = config.student.start == "encoder"
        model = (
            TokenTagger(config, len(data.tag_set))
            if starts_afresh
            else copy.deepcopy(teacher.model)
        )
        super().__init__(config, config.student, data, data.target_train, model, folder, **rest)
        self.teacher_NC = teacher.probabilities(data.target_train)
        self.teacher_C = self.teacher_NC.mean(dim=0)
        self.bank, self.alpha = PrototypeBank(self.num_classes, model.classifier.in_features), 1.0

    def begin_epoch(self, epoch: int) -> None:
        """Set alpha (Eq. 12); start the prototypes from the teacher's p, or refresh them."""
        settings = self.config.student
        self.alpha = distillation_weight(epoch, settings.epochs, first_epoch=settings.first_epoch)
        if epoch > 0 and settings.prototype_refresh == "never":
            return

        def weights(words: Words) -> Tensor:
            values_NC = words.probabilities() if epoch else self.teacher_NC[words.rows_N]
            return self.weights(values_NC, words.places)

        self.bank.replace(*self.corpus_prototypes(self.data.target_train, weights))

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, **rest: Any
    ) -> Tensor:
        """Return the student's objective of a batch, Eq. (13)."""
        settings, words = self.config.student, words_of(model, inputs)
        teacher_NC, student_NC = self.teacher_NC[words.rows_N], words.probabilities()
        hybrid_NC = self._hybrid(model, inputs, words, teacher_NC)
        labels_N = hard_labels(
            hybrid_NC, words.places if settings.pseudo_labels == "valid" else None
        )
        return student_objective(
            self_training_loss(
                words.logits_NC,
                labels_N,
                kept_N=hybrid_NC.max(dim=-1).values >= settings.confidence,
            ),
            distillation_loss(teacher_NC, student_NC),
            distillation_weight=self.alpha,
        )

    @torch.no_grad()
    def _hybrid(self, model: nn.Module, inputs: Any, words: Words, teacher_NC: Tensor) -> Tensor:
        """Move the prototypes by a batch (Eq. 4, 5); return Eq. (10) of its tokens."""
        settings = self.config.student
        if settings.pseudo_label_features == "evaluation":
            model.eval()
            words = words_of(model, inputs)
            model.train()
        weights_NC = self.weights(words.probabilities(), words.places)
        new_CD, mass_C = weighted_prototypes(words.features_ND, weights_NC)
        self.bank.replace(self.averaged(self.bank, new_CD, mass_C), mass_C)
        prototype_NC = prototype_probabilities(
            words.features_ND,
            self.bank.prototypes_CD,
            temperature=settings.prototype_temperature,
            distance=settings.distance,
            scale=settings.distance_scale,
            known_C=self.bank.known_C,
            class_prior_C=self.teacher_C if settings.class_prior else None,
        )
        return hybrid_probabilities(prototype_NC, teacher_NC, fusion_weight=settings.fusion_weight)


def train(
    config: ExperimentConfig, data: Data, folder: Path, report: Callable[..., object] | None = None
) -> tuple[StudentTrainer, dict[str, float]]:
    """Train a teacher, then its student; score the student on target test.

    Args:
        config: The experiment.
        data: Its splits.
        folder: For what `Trainer` may want to write.
        report: Is told source dev F1 when each stage has ended.

    Returns:
        The student, and ``source_dev``, the number of updates of each stage and the scores.
    """
    teacher = TeacherTrainer(config, data, folder)
    teacher.train()
    student = StudentTrainer(config, data, folder, teacher)
    updates = {"teacher_updates": teacher.state.global_step}
    del teacher
    student.train()
    scores = {f"target_test_{k}": v for k, v in student.scores(data.target_test).items()}
    logged = [x["eval_entity_f1"] for x in student.state.log_history if "eval_entity_f1" in x]
    updates["student_updates"] = student.state.global_step
    return student, {"source_dev": logged[-1], **updates, **scores}
