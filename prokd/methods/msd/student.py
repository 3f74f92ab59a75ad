"""The student: distillation layer by layer, features drawn towards the teacher's.

# B sentences, N valid tokens (flattened), C classes, A layers below the last, D feature size
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.layer_features import layer_features
from prokd.encoder.pooling import pooled
from prokd.method import SOURCE_TRAIN
from prokd.methods.msd.config import MSDConfig
from prokd.methods.msd.effective import distils_alone, draws_features
from prokd.methods.msd.features import SENTENCE_FEATURES
from prokd.methods.msd.heads import (
    all_logits,
    heads_of,
    layer_probabilities,
    told_weights,
    with_heads,
)
from prokd.methods.msd.objective import layer_distillation, mixture, student_objective
from prokd.stages.context import Context
from prokd.stages.distillation import (
    DistillationStage,
    build_distillation,
    normalised,
    parts_of_student,
)
from prokd.stages.stage import SOURCE_STREAM, epoch_generator, training_batches
from prokd.terms.mmd import mmd_squared


class LayeredStudentStage(DistillationStage):
    """Trains a student on all classifiers of a teacher, and on its features of source text.

    Args:
        layer_probabilities_NAC: float, (num_kept_words, A, C), p^m of target train; None where
            the layers below the last have no classifier.
        source_train: Source sentences, whose labels are not looked at; None where no features are
            drawn.
        teacher_features_SD: float, (num_sentences, D), H_S^tea, of the source sentences.
        parts: Of `DistillationStage`.
    """

    def __init__(
        self,
        *,
        layer_probabilities_NAC: Tensor | None,
        source_train: EncodedCorpus | None,
        teacher_features_SD: Tensor | None,
        **parts: Any,
    ) -> None:
        """Put what the teacher says on the device."""
        super().__init__(**parts)
        device = self.model.device
        self.layer_probabilities_NAC = _moved(layer_probabilities_NAC, device)
        self.teacher_features_SD = _moved(teacher_features_SD, device)
        self.source_train = source_train
        self._source_batches: Iterator[npt.NDArray[np.int64]] = iter(())

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch over the target sentences, source sentences beside them."""
        self._source_batches = self._cycle(self.epoch)
        return super().run_epoch()

    def _cycle(self, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        """Yield batches of source sentences, again and again, in an order of the epoch's own."""
        generator = epoch_generator(self.config.seed, epoch, SOURCE_STREAM)
        while self.source_train is not None:
            yield from training_batches(self.source_train, self.settings, generator)

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L of a batch of target sentences and the next source sentences."""
        settings, words_N = self.settings, batch.word_index_N
        if self.layer_probabilities_NAC is None:
            tokens_ND, features_BD = self._last(batch)
            distillation = self._distillation(
                self.teacher_probabilities[words_N], self.model.logits(tokens_ND), num_sentences
            )
            told = {"distillation_loss": distillation}
        else:
            distillation, features_BD, told = self._distillation_of_all(batch, num_sentences)
        if self.source_train is None:
            return distillation, told
        models, languages = self._discrepancies(features_BD)
        told |= {"mmd_model": models, "mmd_language": languages}
        loss = student_objective(
            distillation,
            models,
            languages,
            mmd_model=settings.mmd_model,
            mmd_language=settings.mmd_language,
        )
        return loss, told

    def _last(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features of the tokens (N, D) and of the sentences (B, D), of the last layer."""
        last = self.model.num_layers
        with self.model.autocast():
            found = layer_features(self.model, batch, (last,))
        how = self.settings.mmd_features
        return found.tokens[last], pooled(found.cls_BD, found.tokens[last], batch, how=how)

    def _distillation_of_all(
        self, batch: Batch, num_sentences: int
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return L_stu, the sentences' features, and what is told of both."""
        assert self.layer_probabilities_NAC is not None, "there are classifiers below the last"
        settings, words_N = self.settings, batch.word_index_N
        found = all_logits(self.model, batch)
        last = self._distillation(
            self.teacher_probabilities[words_N], found.logits_NC, num_sentences
        )
        layers_A = layer_distillation(
            self.layer_probabilities_NAC[words_N].movedim(1, 0),
            torch.softmax(found.logits_ANC, dim=-1),
            class_reduction=settings.distillation_reduction,
            num_sentences=num_sentences,
            reduction=settings.loss_reduction,
        )
        weights_A = heads_of(self.model).layer_weights()
        loss = mixture(last, layers_A, weights_A, heads_weight=settings.heads_weight)
        told = {"distillation_loss": last} | told_weights(self.model)
        features_BD = pooled(found.cls_BD, found.tokens_ND, batch, how=settings.mmd_features)
        return loss, features_BD, told

    def _discrepancies(self, target_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return MMD^2 across models and across languages, of the next source sentences."""
        assert self.source_train is not None, "there are source sentences"
        assert self.teacher_features_SD is not None, "there are the teacher's features of them"
        indices = next(self._source_batches)
        teacher_BD = self.teacher_features_SD[torch.from_numpy(indices).to(self.model.device)]
        models = languages = torch.zeros((), device=self.model.device)
        kernels = self.settings.mmd_kernels
        if self.settings.mmd_model > 0:
            batch = collate(self.source_train, indices, self.pad_token_id)
            _, student_BD = self._last(batch.to(self.model.device, non_blocking=True))
            models = mmd_squared(teacher_BD, student_BD, num_kernels=kernels)
        if self.settings.mmd_language > 0:
            languages = mmd_squared(teacher_BD, target_BD, num_kernels=kernels)
        return models, languages


def build_student(context: Context) -> DistillationStage:
    """Build a student; without heads and MMD it is the plain one of other methods."""
    config: MSDConfig = context.config
    if distils_alone(config):
        return build_distillation(context)
    parts = parts_of_student(context)
    model = parts["model"]
    layers = features = source = None
    if config.student.heads_weight > 0:
        with_heads(model, config)
        found = context.outputs(
            "teacher", layer_probabilities, prepare=lambda teacher: with_heads(teacher, config)
        )
        layers = normalised(found.reshape(len(found), -1, model.num_classes))
    if draws_features(config):
        source = context.source_train(model)
        output = SENTENCE_FEATURES[config.student.mmd_features]
        rows = context.outputs("teacher", output, corpus=SOURCE_TRAIN)
        features = torch.from_numpy(np.array(rows, dtype=np.float32))
    return LayeredStudentStage(
        **parts,
        name=context.name,
        layer_probabilities_NAC=layers,
        source_train=source,
        teacher_features_SD=features,
    )


def _moved(values: Tensor | None, device: torch.device) -> Tensor | None:
    return None if values is None else values.to(device)
