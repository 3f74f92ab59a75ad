"""What makes a run: the signature of everything that its numbers depend on, and of nothing else.

A stage run is named by the hash of the canonical JSON of its effective settings. Settings that
cannot act (the alignment temperature of a teacher without alignment, say) are left out, so that
runs which would compute the same numbers share one folder and are trained once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from prokd.config import ExperimentConfig, OptimizationConfig, PrototypeConfig

SIGNATURE_LENGTH = 12
# Raised whenever a change of the code changes the numbers of an unchanged configuration.
NUMERICS_VERSION = 4


def canonical_json(value: Any) -> str:
    """Serialise to JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signature(value: Any) -> str:
    """Return the first 12 hex digits of the SHA-256 of the canonical JSON.

    >>> signature({"a": 1, "b": 2}) == signature({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:SIGNATURE_LENGTH]


def teacher_identity(config: ExperimentConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """Return all that a teacher's numbers depend on.

    Args:
        config: The experiment; its precision is known (`config.precision.with_precision`).
        data: Fingerprints: ``source_train``, ``source_dev``, ``target_train`` (without labels)
            and ``encoder`` (hash of all that is loaded of the base encoder).
    """
    settings = effective_teacher(config)
    needed = dict(data)
    if "alignment" not in settings["teacher"]:
        needed.pop("target_train", None)
        settings.pop("target", None)
    return {"kind": "teacher", "numerics": NUMERICS_VERSION, "fingerprints": needed, **settings}


def student_identity(config: ExperimentConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """Return all that a student's numbers depend on; its teacher enters by signature."""
    return {
        "kind": "student",
        "numerics": NUMERICS_VERSION,
        "fingerprints": dict(data),
        "teacher_signature": teacher_signature(config, data),
        **effective_student(config),
    }


def teacher_signature(config: ExperimentConfig, data: Mapping[str, str]) -> str:
    """Return the name of the teacher that an experiment needs."""
    return signature(teacher_identity(config, data))


def student_signature(config: ExperimentConfig, data: Mapping[str, str]) -> str:
    """Return the name of the student that an experiment describes."""
    return signature(student_identity(config, data))


def effective_teacher(config: ExperimentConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers really depend on."""
    tree = _shared(config)
    tree["teacher"] = config.teacher.model_dump()
    alignment = tree["teacher"]["alignment"]
    if alignment["weight"] == 0 or alignment["start_epoch"] >= config.teacher.epochs:
        del tree["teacher"]["alignment"], tree["teacher"]["collapse_fall"]
        tree["data"].pop("target_train_limit")
    else:
        tree["prototypes"] = _effective_prototypes(config.prototypes)
        if config.prototypes.weights == "hard" or alignment["gradient"] == "none":
            del alignment["weight_gradient"]
        if config.teacher.alignment.is_batchwise:
            for name in ("start", "refresh"):
                del alignment[name]
            for name in ("update_rate", "update_rate_weighs", "update_rate_acts_on"):
                del tree["prototypes"][name]
        if alignment["least_entity_share"] == 0:
            del alignment["share_update_rate"]
        if alignment["summation"] == "inside_log":
            del alignment["class_weights"]
        if alignment["negatives"] == "none":
            del alignment["positive_in_denominator"]
    return tree


def effective_student(config: ExperimentConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teacher's."""
    tree = _shared(config)
    student = config.student.model_dump()
    if student["schedule"] != "constant":
        del student["constant_distillation_weight"]
    if student["schedule"] != "cumulative":
        del student["first_epoch"]
    if student["distance"] != "unit":
        del student["distance_scale"]
    if student["schedule"] == "distillation":
        kept = {*OptimizationConfig.model_fields, "start", "schedule", "distillation_reduction"}
        student = {name: value for name, value in student.items() if name in kept}
    else:
        tree["prototypes"] = _effective_prototypes(config.prototypes)
        del tree["prototypes"]["update_rate_acts_on"]
    tree["student"] = student
    return tree


def _effective_prototypes(config: PrototypeConfig) -> dict[str, Any]:
    settings = config.model_dump()
    if config.weights == "hard":
        del settings["sharpness"]
    return settings


def _shared(config: ExperimentConfig) -> dict[str, Any]:
    assert config.encoder.precision != "auto", "what auto stands for is settled by the device"
    tree = config.model_dump(include={"source", "target", "seed", "data", "encoder"})
    # The encoder and the corpora enter an identity by fingerprint: a folder may be moved.
    del tree["encoder"]["name"], tree["data"]["dataset"]
    return tree
