"""Readings of the paper: `soft` (the default), `literal` as printed, `stable` for weak encoders.

With raw distances Eq. 8 is one-hot, whatever the printed temperature, so that the teacher's prior
of Eq. 10 cannot correct it: where the student makes many updates, its labels drift away from the
teacher's, and it ends below plain distillation. Distances over the square root of the feature size
leave the prior its say (docs/log/real-encoder.md). On an encoder that hardly knows the target both
are below plain distillation, and `stable` is above it (docs/log/weak-encoder.md).
"""

from __future__ import annotations

from typing import Any

READINGS: dict[str, dict[str, Any]] = {
    "soft": {"student.distance": "scaled"},
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
