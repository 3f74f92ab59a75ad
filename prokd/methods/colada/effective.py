"""The settings of CoLaDa that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config import OptimizationConfig
from prokd.config.shared import optimization_settings, shared_settings
from prokd.methods.colada.config import CoLaDaConfig


def label_weight(config: CoLaDaConfig, number: int) -> float:
    """Return lambda of a round, the first is 1."""
    denoising = config.denoising
    return denoising.first_label_weight if number == 1 else denoising.label_weight


def rounds_of(config: CoLaDaConfig) -> int:
    """Return the number of rounds that differ: those whose taggers ask nobody are one."""
    denoising = config.denoising
    if denoising.label_weight < 1:
        return config.rounds
    return min(config.rounds, 1 if denoising.first_label_weight == 1 else 2)


def effective_denoised(config: CoLaDaConfig, *, number: int) -> dict[str, Any]:
    """Return the settings that a round's tagger of the translation depends on."""
    weight = label_weight(config, number)
    own = {"first_label_weight" if number == 1 else "label_weight": weight}
    if weight < 1:  # else nobody asks the tagger before
        own |= _of_neighbours(config)
    tree = shared_settings(config) | {"student": _optimization(config.student)}
    return tree | {"denoising": own}


def effective_student(config: CoLaDaConfig, *, number: int) -> dict[str, Any]:
    """Return the settings that a round's student depends on, apart from its tagger's."""
    student = _optimization(config.student)
    tree = {"rounds": number, "student": student, "denoising": _of_neighbours(config)}
    return shared_settings(config) | tree


def _optimization(settings: OptimizationConfig) -> dict[str, Any]:
    """Return how a stage is optimised; its losses are means over tokens, whatever is set."""
    tree = optimization_settings(settings)
    del tree["loss_reduction"]
    return tree


def _of_neighbours(config: CoLaDaConfig) -> dict[str, Any]:
    if config.denoising.sharpness == 0:
        return {"sharpness": 0.0}
    return config.denoising.model_dump(include={"neighbours", "sharpness", "layers"})
