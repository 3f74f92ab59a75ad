"""The settings that the stages which methods share depend on, for `StageSpec.effective`."""

from __future__ import annotations

from typing import Any

from prokd.config.shared import optimization_settings, shared_settings, source_settings


def effective_tagger(config: Any, section: str = "teacher") -> dict[str, Any]:
    """Return the settings of a tagger trained on labelled source text alone (`TaggerStage`).

    Args:
        config: The experiment, as the stage sees it.
        section: Its part of the settings.
    """
    return source_settings(config) | {section: optimization_settings(getattr(config, section))}


def effective_distillation(config: Any) -> dict[str, Any]:
    """Return the settings of a student that learns by distillation alone (`DistillationStage`)."""
    own = {name: getattr(config.student, name) for name in ("start", "distillation_reduction")}
    student = optimization_settings(config.student) | own
    return shared_settings(config) | {"student": student}
