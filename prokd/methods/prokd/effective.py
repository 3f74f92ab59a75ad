"""The settings of ProKD that act: those that do nothing beside the others are left out."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import shared_settings
from prokd.methods.prokd.config import AlignmentConfig, ProKDConfig, PrototypeConfig
from prokd.stages.effective import effective_distillation, effective_tagger


def aligns(config: ProKDConfig) -> bool:
    """Tell whether the teacher's classes are ever aligned (Eq. 6)."""
    alignment = config.teacher.alignment
    return alignment.weight > 0 and alignment.start_epoch < config.teacher.epochs


def self_trains(config: ProKDConfig) -> bool:
    """Tell whether the student ever learns from pseudo-labels (Eq. 11)."""
    student = config.student
    never = student.schedule == "constant" and student.constant_distillation_weight == 1
    return student.schedule != "distillation" and not never


def effective_teacher(config: ProKDConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers really depend on."""
    if not aligns(config):
        return effective_tagger(config)
    tree = shared_settings(config)
    tree["teacher"] = config.teacher.model_dump()
    alignment = tree["teacher"]["alignment"]
    tree["prototypes"] = _effective_prototypes(config.prototypes)
    for name in _idle_averages(config.teacher.alignment):
        tree["prototypes"].pop(name, None)
        alignment.pop(name, None)
    if config.prototypes.weights == "hard" or alignment["gradient"] == "none":
        del alignment["weight_gradient"]
    if alignment["least_entity_share"] == 0:
        del alignment["share_update_rate"]
    if alignment["summation"] == "inside_log":
        del alignment["class_weights"]
    if alignment["negatives"] == "none":
        del alignment["positive_in_denominator"]
    return tree


def _idle_averages(alignment: AlignmentConfig) -> list[str]:
    """Return the settings of averaged prototypes (Eq. 5) that do not act."""
    if alignment.is_batchwise:
        names = ["update_rate", "update_rate_weighs", "update_rate_acts_on"]
        return ["start", "refresh", *names]
    idle = ["update_rate_acts_on"] if alignment.source == "batch" else []
    return idle + (["start"] if alignment.refresh == "epoch" else [])


def effective_student(config: ProKDConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teacher's."""
    if not self_trains(config):
        return effective_distillation(config)
    tree = shared_settings(config)
    student = config.student.model_dump()
    if student["schedule"] != "constant":
        del student["constant_distillation_weight"]
    if student["schedule"] != "cumulative":
        del student["first_epoch"]
    if student["distance"] != "unit":
        del student["distance_scale"]
    tree["prototypes"] = _effective_prototypes(config.prototypes)
    del tree["prototypes"]["update_rate_acts_on"]
    tree["student"] = student
    return tree


def _effective_prototypes(config: PrototypeConfig) -> dict[str, Any]:
    settings = config.model_dump()
    if config.weights == "hard":
        del settings["sharpness"]
    return settings
