"""The student: distillation on the target sentences that were picked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from prokd.methods.advpicker.config import AdvPickerConfig
from prokd.methods.advpicker.discriminator import language_margins, picked, with_discriminator
from prokd.methods.advpicker.effective import picks
from prokd.stages.context import Context
from prokd.stages.distillation import DistillationStage, build_distillation, parts_of_student
from prokd.stages.stage import epoch_generator, training_batches


class PickedStudentStage(DistillationStage):
    """Trains a student on some of the target sentences.

    Args:
        sentences: int64, indices of those that are learned from.
        parts: Of `DistillationStage`.
    """

    def __init__(self, *, sentences: npt.NDArray[np.int64], **parts: Any) -> None:
        """Take hold of the choice."""
        self.sentences = sentences
        super().__init__(**parts)

    def _batches(self, epoch: int) -> list[Any]:
        generator = epoch_generator(self.config.seed, epoch, self.stream)
        return training_batches(self.corpus, self.settings, generator, self.sentences)


def build_student(context: Context) -> DistillationStage:
    """Build a student; where all sentences are picked it is the plain one of TSL."""
    config: AdvPickerConfig = context.config
    if not picks(config):
        return build_distillation(context)
    settings = config.teacher.discriminator
    margins = context.outputs(
        "teacher",
        language_margins,
        prepare=lambda teacher: with_discriminator(teacher, settings, config.seed),
    )
    chosen = picked(np.asarray(margins, dtype=np.float32)[:, 0], config.student.picked_share)
    return PickedStudentStage(**parts_of_student(context), name=context.name, sentences=chosen)
