"""Named starting points: what any method has of them; methods add to them (`Method.presets`)."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "fast": {"data.max_length": 64},
    "mini": {
        "data.dataset": "phrasebook",
        "data.max_length": 64,
        "encoder.name": "mini",
        "encoder.frozen_layers": 0,
        "encoder.dropout": 0.1,
    },
}
"""``paper`` is the protocol of the papers, ``fast`` a shorter one, ``mini`` the embedded default;
every other setting keeps its default."""

WIDTHS = {"fast": 768, "mini": 192}
"""Features of the encoder that a preset's learning rates are for; ``paper`` keeps the paper's."""


def published_optimization(*sections: str) -> dict[str, Any]:
    """Return how the published code of the teacher-student methods optimises stages.

    >>> published_optimization("teacher")
    {'teacher.batch_sentences': 32, 'teacher.optimizer': 'adamw', 'teacher.weight_decay': 0.01}
    """
    values = {"batch_sentences": 32, "optimizer": "adamw", "weight_decay": 0.01}
    return {f"{section}.{name}": v for section in sections for name, v in values.items()}


def stage_presets(*sections: str) -> dict[str, dict[str, Any]]:
    """Return what presets set of a stage, for each of some sections of a method's settings.

    >>> stage_presets("teacher")["fast"]
    {'teacher.epochs': 3, 'teacher.learning_rate': 5e-05}
    """
    fast = {"epochs": 3, "learning_rate": 5e-5}
    mini = {"epochs": 3, "learning_rate": 1e-3, "batch_sentences": 32, "batch_pool": 1}
    return {
        "fast": {f"{section}.{name}": v for section in sections for name, v in fast.items()},
        "mini": {f"{section}.{name}": v for section in sections for name, v in mini.items()},
    }
