"""The settings of AdvPicker that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import shared_settings
from prokd.methods.advpicker.config import AdvPickerConfig
from prokd.stages.effective import effective_distillation, effective_tagger


def deceives(config: AdvPickerConfig) -> bool:
    """Tell whether the encoder learns from the adversary."""
    return config.teacher.discriminator.encoder_rate_factor > 0


def picks(config: AdvPickerConfig) -> bool:
    """Tell whether some target sentences are left out."""
    return config.student.picked_share < 1


def is_plain(config: AdvPickerConfig) -> bool:
    """Tell whether the teacher is the plain tagger of TSL: nobody asks its discriminator."""
    return not deceives(config) and not picks(config)


def effective_teacher(config: AdvPickerConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers depend on."""
    if is_plain(config):
        return effective_tagger(config)
    return shared_settings(config) | {"teacher": config.teacher.model_dump()}


def effective_student(config: AdvPickerConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teacher's."""
    tree = effective_distillation(config)
    if picks(config):
        tree["student"]["picked_share"] = config.student.picked_share
    return tree
