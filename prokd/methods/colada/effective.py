"""The settings of CoLaDa that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import optimization_settings, shared_settings
from prokd.methods.colada.config import CoLaDaConfig
from prokd.stages.effective import translation_settings


def label_weight(config: CoLaDaConfig, number: int) -> float:
    """Return lambda of a round, the first is 1."""
    denoising = config.denoising
    return denoising.first_label_weight if number == 1 else denoising.label_weight


def rounds_of(config: CoLaDaConfig) -> int:
    """Return the number of rounds: one where no tagger asks the student before."""
    denoising = config.denoising
    asks = denoising.first_label_weight < 1 or denoising.label_weight < 1
    return config.rounds if asks else 1


def effective_denoised(config: CoLaDaConfig, *, number: int) -> dict[str, Any]:
    """Return the settings that a round's tagger of the translation depends on."""
    own = {"label_weight": label_weight(config, number)}
    if own["label_weight"] < 1:  # else nobody asks the tagger before
        own |= _of_neighbours(config)
    named = "first_label_weight" if number == 1 else "label_weight"
    own[named] = own["label_weight"]
    tree = shared_settings(config) | translation_settings(config)
    return tree | {"tagger": optimization_settings(config.tagger), "denoising": own}


def effective_student(config: CoLaDaConfig, *, number: int) -> dict[str, Any]:
    """Return the settings that a round's student depends on, apart from its tagger's."""
    student = optimization_settings(config.student)
    tree = {"rounds": number, "student": student, "denoising": _of_neighbours(config)}
    return shared_settings(config) | tree


def _of_neighbours(config: CoLaDaConfig) -> dict[str, Any]:
    if config.denoising.sharpness == 0:
        return {"sharpness": 0.0}
    return config.denoising.model_dump(include={"neighbours", "sharpness", "layers"})
