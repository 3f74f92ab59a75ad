"""Readings of the paper: `literal` as printed (the defaults), `stable` for weak encoders.

On a real encoder the printed form is the better one; on an encoder that hardly knows the target it
is below plain distillation, and `stable` above it (docs/log/).
"""

from __future__ import annotations

from typing import Any

READINGS: dict[str, dict[str, Any]] = {
    "literal": {},
    "stable": {
        "teacher.alignment.summation": "per_class",
        "teacher.alignment.negatives": "none",
        "teacher.alignment.class_weights": "share",
        "teacher.alignment.least_entity_share": 0.8,
        "teacher.alignment.gradient": "batch",
        "teacher.alignment.source": "batch",
        "teacher.alignment.weight_gradient": False,
        "teacher.alignment.supported_classes_only": True,
        "teacher.alignment.start_epoch": 1,
        "prototypes.sharpness": 6.0,
        "prototypes.given_valid_tags": True,
        "student.distance": "unit",
        "student.distance_scale": 9.0,
        "student.prototype_temperature": 0.9,
        "student.class_prior": True,
        "student.prototype_refresh": "epoch",
        "student.pseudo_labels": "valid",
        "student.pseudo_label_features": "evaluation",
    },
}
