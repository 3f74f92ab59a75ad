"""Makes the teacher of an experiment."""

from __future__ import annotations

from prokd.methods.prokd.effective import aligns
from prokd.methods.prokd.teacher.stage import TeacherStage
from prokd.stages.context import Context
from prokd.stages.tagger import TaggerStage, build_tagger


def build_teacher(context: Context) -> TeacherStage | TaggerStage:
    """Build a teacher; without alignment (w/o CA) it is the plain tagger of other methods."""
    if not aligns(context.config):
        return build_tagger(context)
    model = context.model()
    return TeacherStage(
        model=model,
        config=context.config,
        source_train=context.source_train(model),
        source_dev=context.source_dev(model),
        target_train=context.target_train(model),
        pad_token_id=context.pad_token_id,
    )
