"""The settings of UniTrans that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import optimization_settings, shared_settings
from prokd.methods.unitrans.config import UniTransConfig
from prokd.stages.effective import effective_distillation

TEACHER, TRANSLATED, FINETUNED = "teacher", "translated_teacher", "finetuned_teacher"
"""Teachers of the source, of its translation, and of the source and then of its translation."""


def votes(config: UniTransConfig) -> bool:
    """Tell whether the student learns labels that teachers agree on."""
    return config.student.voted_weight > 0


def teachers_of(config: UniTransConfig) -> tuple[str, ...]:
    """Return the stages that a result needs, in order."""
    main = config.student.main_teacher
    if config.translation.mode == "none":
        return (TEACHER,)
    if config.ends_with == "teacher":
        return (TEACHER, FINETUNED) if main == "finetuned" else (TEACHER,)
    counts_votes = votes(config) and config.student.vote != "none"
    translated = (TRANSLATED,) if main == "mean" or counts_votes else ()
    votes_too = counts_votes and main != "mean"  # w/o FT there is none
    finetuned = (FINETUNED,) if main == "finetuned" or votes_too else ()
    return (TEACHER, *translated, *finetuned)


def distils_alone(config: UniTransConfig) -> bool:
    """Tell whether the student learns from one teacher's probabilities alone, as TSL's does."""
    student = config.student
    return not votes(config) and student.main_teacher != "mean"


def main_teacher(config: UniTransConfig) -> str:
    """Return the stage that is distilled, where it is one."""
    return FINETUNED if config.student.main_teacher == "finetuned" else TEACHER


def effective_student(config: UniTransConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teachers'."""
    if distils_alone(config):
        return effective_distillation(config)
    settings = config.student
    own = settings.model_dump(
        include={"start", "distillation_reduction", "distillation_weight", "main_teacher"}
    )
    if votes(config):
        own |= settings.model_dump(include={"voted_weight", "vote", "voted_confidence"})
        if own["vote"] == "majority" and len(teachers_of(config)) == 2:
            own["vote"] = "all"  # more than half of two
    own = optimization_settings(settings) | own
    if settings.distillation_weight == 0:
        del own["distillation_reduction"], own["loss_reduction"]
    return shared_settings(config) | {"student": own}
