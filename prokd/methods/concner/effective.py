"""The settings of ConCNER that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import source_settings
from prokd.methods.concner.config import ConCNERConfig, ContrastConfig
from prokd.stages.effective import effective_tagger


def translates(config: ConCNERConfig) -> bool:
    """Tell whether the teacher learns from translated sentences too."""
    return config.translation.mode != "none"


def is_plain(config: ConCNERConfig) -> bool:
    """Tell whether the teacher is the plain tagger of TSL."""
    return not translates(config) and config.teacher.contrast.labels == 0


def effective_teacher(config: ConCNERConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers depend on."""
    if is_plain(config):
        return effective_tagger(config)
    tree = source_settings(config) | {"teacher": config.teacher.model_dump()}
    tree["teacher"]["contrast"] = effective_contrast(config.teacher.contrast)
    return tree


def effective_contrast(settings: ContrastConfig) -> dict[str, Any]:
    """Return the settings of the contrast that act."""
    contrast = settings.model_dump()
    if contrast["sentences"] == 0:
        del contrast["form"], contrast["sentence_features"]
    if contrast["labels"] == 0:
        del contrast["classes"], contrast["outside_share"], contrast["most_tokens"]
    if contrast["sentences"] == contrast["labels"] == 0:
        del contrast["temperature"]
    return contrast
