"""The settings of MSD that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import shared_settings, source_settings
from prokd.methods.msd.config import HeadsConfig, MSDConfig
from prokd.stages.effective import effective_distillation, effective_tagger


def draws_features(config: MSDConfig) -> bool:
    """Tell whether the student's features are drawn towards the teacher's (MMD)."""
    return config.student.mmd_model > 0 or config.student.mmd_language > 0


def distils_alone(config: MSDConfig) -> bool:
    """Tell whether the student learns from the teacher's last layer alone, as TSL's does."""
    return config.student.heads_weight == 0 and not draws_features(config)


def effective_heads(config: HeadsConfig) -> dict[str, Any]:
    """Return the layers that have a classifier: in which order they are named does not matter."""
    return config.model_dump(mode="json") | {"layers": sorted(config.layers)}


def effective_teacher(config: MSDConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers depend on."""
    if config.teacher.heads_weight == 0:
        return effective_tagger(config)
    return source_settings(config) | {
        "teacher": config.teacher.model_dump(),
        "heads": effective_heads(config.heads),
    }


def effective_student(config: MSDConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teacher's."""
    if distils_alone(config):
        return effective_distillation(config)
    student = config.student.model_dump()
    tree = shared_settings(config) | {"student": student}
    if config.student.heads_weight > 0:
        tree["heads"] = effective_heads(config.heads)
    if not draws_features(config):
        for name in ("mmd_features", "mmd_kernels"):
            del student[name]
    return tree
