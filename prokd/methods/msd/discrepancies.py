"""Both MMD losses of a student's features against those of a teacher's source sentences.

# B sentences, S source sentences in all, D feature size
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.encoder.pooling import pooled
from prokd.method import SOURCE_TRAIN
from prokd.methods.msd.config import MSDStudentConfig
from prokd.methods.msd.features import SENTENCE_FEATURES
from prokd.stages.context import Context
from prokd.stages.stage import SOURCE_STREAM, endless_indices, epoch_generator
from prokd.terms.mmd import mmd_squared


class Discrepancies:
    """MMD^2 across models and across languages, of the next source sentences of a cycle.

    Args:
        settings: The student's.
        seed: Of the order of the source sentences.
        source_train: Source sentences, whose labels are not looked at.
        teacher_features_SD: float, (S, D), H_S^tea.
        pad_token_id: Of the tokenizer.
    """

    def __init__(
        self,
        settings: MSDStudentConfig,
        seed: int,
        *,
        source_train: EncodedCorpus,
        teacher_features_SD: Tensor,
        pad_token_id: int,
    ) -> None:
        """Take hold of what is compared."""
        self.settings, self.seed, self.pad_token_id = settings, seed, pad_token_id
        self.source_train, self.teacher_features_SD = source_train, teacher_features_SD
        self._batches: Iterator[npt.NDArray[np.int64]] = iter(())

    def begin(self, epoch: int) -> None:
        """Begin an epoch: the source sentences come in an order of its own."""
        generator = epoch_generator(self.seed, epoch, SOURCE_STREAM)
        self._batches = endless_indices(self.source_train, self.settings, generator)

    def losses(self, model: TokenClassifier, target_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return MMD^2 across models and across languages; 0 where its factor is.

        Args:
            model: The student.
            target_BD: float, (B, D), its features of target sentences, H_T^stu.
        """
        settings, device = self.settings, model.device
        indices = next(self._batches)
        teacher_BD = self.teacher_features_SD[torch.from_numpy(indices).to(device)]
        models = languages = torch.zeros((), device=device)
        if settings.mmd_model > 0:
            batch = collate(self.source_train, indices, self.pad_token_id)
            _, student_BD = last_features(
                model, batch.to(device, non_blocking=True), how=settings.mmd_features
            )
            models = mmd_squared(teacher_BD, student_BD, num_kernels=settings.mmd_kernels)
        if settings.mmd_language > 0:
            languages = mmd_squared(teacher_BD, target_BD, num_kernels=settings.mmd_kernels)
        return models, languages


def last_features(
    model: TokenClassifier, batch: Batch, *, how: Literal["cls", "mean"]
) -> tuple[Tensor, Tensor]:
    """Return features of the tokens (N, D) and of the sentences (B, D), of the last layer."""
    last = model.num_layers
    with model.autocast():
        found = layer_features(model, batch, (last,))
    tokens_ND = found.tokens[last]
    return tokens_ND, pooled(found.cls_BD, tokens_ND, batch, how=how)


def discrepancies_of(context: Context, model: TokenClassifier) -> Discrepancies:
    """Build the comparison of a student with the stage ``teacher``."""
    settings = context.config.student
    output = SENTENCE_FEATURES[settings.mmd_features]
    rows = context.outputs("teacher", output, corpus=SOURCE_TRAIN)
    features_SD = torch.from_numpy(np.array(rows, dtype=np.float32))
    return Discrepancies(
        settings,
        context.config.seed,
        source_train=context.source_train(model),
        teacher_features_SD=features_SD.to(model.device),
        pad_token_id=context.pad_token_id,
    )
