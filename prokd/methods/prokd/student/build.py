"""Makes the student of an experiment."""

from __future__ import annotations

from prokd.methods.prokd.effective import self_trains
from prokd.methods.prokd.student.stage import StudentStage
from prokd.stages.context import Context
from prokd.stages.distillation import DistillationStage, build_distillation, parts_of_student


def build_student(context: Context) -> StudentStage | DistillationStage:
    """Build a student; without self-training (w/o ST) it is the plain one of other methods."""
    if not self_trains(context.config):
        return build_distillation(context)
    return StudentStage(**parts_of_student(context))
