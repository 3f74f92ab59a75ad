"""Named settings: the components of the method, the readings of the paper, the presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prokd.common.names import ending
from prokd.config.overrides import with_overrides
from prokd.config.settings import ExperimentConfig
from prokd.errors import UserError

COMPONENTS: dict[str, dict[str, Any]] = {
    "CA": {"teacher.alignment.weight": 0.0},
    "ST": {"student.schedule": "distillation"},
    "PK": {"student.fusion_weight": 1.0},
    "CL": {"student.schedule": "constant"},
}
"""The four parts of the method and the settings that remove each (Table 4)."""

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
"""Named readings of the paper: `literal` as printed (the defaults), `stable` what works."""

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "fast": {"teacher.epochs": 3, "student.epochs": 3, "data.max_length": 64},
    "mini": {
        "data.dataset": "phrasebook",
        "data.max_length": 64,
        "encoder.name": "mini",
        "encoder.frozen_layers": 0,
        "encoder.dropout": 0.1,
        "teacher.epochs": 3,
        "teacher.learning_rate": 1e-3,
        "teacher.batch_sentences": 32,
        "teacher.batch_pool": 1,
        "student.epochs": 3,
        "student.learning_rate": 1e-3,
        "student.batch_sentences": 32,
        "student.batch_pool": 1,
    },
}
"""Named starting points; every other setting keeps its default."""


def build_config(
    preset: str = "paper",
    reading: str = "stable",
    overrides: Mapping[str, Any] | None = None,
) -> ExperimentConfig:
    """Build a configuration: defaults, then the preset, the reading and the overrides.

    Args:
        preset: ``paper``, ``fast`` or ``mini``.
        reading: ``stable`` or ``literal``.
        overrides: Values by dotted path, e.g. ``{"student.fusion_weight": 0.9}``.

    Raises:
        UserError: An unknown name or path, or a value out of its range.

    Example:
        >>> build_config(reading="literal").prototypes.update_rate
        0.001
    """
    values: dict[str, Any] = {}
    for kind, name, known in (("preset", preset, PRESETS), ("reading", reading, READINGS)):
        if name not in known:
            rule = f"the {kind} must be one of {', '.join(known)}"
            raise UserError(f"{rule}, {ending(name, known)}")
        values |= known[name]
    return with_overrides(ExperimentConfig(), values | dict(overrides or {}))


def without_components(removed: Iterable[str]) -> dict[str, Any]:
    """Return the overrides that take parts of the method away.

    Without ST the schedule stays at distillation whatever becomes of CL.

    Args:
        removed: Names among CA, ST, PK, CL.

    Raises:
        UserError: An unknown component.

    Example:
        >>> without_components(["ST", "CL"])
        {'student.schedule': 'distillation'}
    """
    overrides: dict[str, Any] = {}
    for name in sorted(removed):  # CL before ST, so that w/o ST wins the schedule
        if name not in COMPONENTS:
            valid = ", ".join(COMPONENTS)
            raise UserError(f"a component must be one of {valid}, {ending(name, COMPONENTS)}")
        overrides |= COMPONENTS[name]
    return overrides
