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


def stage_presets(*sections: str) -> dict[str, dict[str, Any]]:
    """Return what presets set of a stage, for each of some sections of a method's settings.

    >>> stage_presets("teacher")["fast"]
    {'teacher.epochs': 3}
    """
    mini = {"epochs": 3, "learning_rate": 1e-3, "batch_sentences": 32, "batch_pool": 1}
    return {
        "fast": {f"{section}.epochs": 3 for section in sections},
        "mini": {f"{section}.{name}": v for section in sections for name, v in mini.items()},
    }
