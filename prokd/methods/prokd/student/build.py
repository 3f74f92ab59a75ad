"""Makes the student of an experiment."""

from __future__ import annotations

from prokd.methods.prokd.effective import self_trains
from prokd.methods.prokd.student.stage import StudentStage
from prokd.scoring.evaluation import probabilities
from prokd.stages.context import Context
from prokd.stages.distillation import DistillationStage, build_distillation, start_of


def build_student(context: Context) -> StudentStage | DistillationStage:
    """Build a student; without self-training (w/o ST) it is the plain one of other methods."""
    if not self_trains(context.config):
        return build_distillation(context)
    known = context.outputs("teacher", probabilities)
    model = context.model(start_of(context.config))
    return StudentStage(
        model=model,
        config=context.config,
        target_train=context.target_train(model),
        source_dev=context.source_dev(model),
        teacher_probabilities=known,
        pad_token_id=context.pad_token_id,
    )
