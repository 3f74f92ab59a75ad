"""ProKD as a search and an ablation see it (Ge et al., AAAI 2023, arXiv:2301.08855)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prokd.config.presets import stage_presets
from prokd.method import (
    CRITERIA,
    ENCODER,
    SOURCE_DEV,
    SOURCE_TRAIN,
    TARGET_TRAIN,
    Graph,
    Method,
    StageSpec,
)
from prokd.methods.prokd.config import TOGETHER, ProKDConfig
from prokd.methods.prokd.effective import aligns, effective_student, effective_teacher
from prokd.methods.prokd.readings import READINGS
from prokd.methods.prokd.spaces import SPACES


def _teacher_reads(config: ProKDConfig) -> Sequence[str]:
    target = (TARGET_TRAIN,) if aligns(config) else ()
    return (SOURCE_TRAIN, SOURCE_DEV, *target, ENCODER)


def _timing(config: ProKDConfig) -> dict[str, Any]:
    """Let alignment act in the second epoch at the latest, and nothing be taken for a collapse."""
    start = min(config.teacher.alignment.start_epoch, 1)
    return {
        "teacher.alignment.start_epoch": start,
        "teacher.collapse_fall": 0.0,
        "student.collapse_agreement": 0.0,
    }


TEACHER = StageSpec(
    name="teacher",
    build="prokd.methods.prokd.teacher:build_teacher",
    effective=effective_teacher,
    reads=_teacher_reads,
)
STUDENT = StageSpec(
    name="student",
    build="prokd.methods.prokd.student:build_student",
    effective=effective_student,
    needs=("teacher",),
    reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
)
_GRAPH = Graph((TEACHER, STUDENT))


def _presets() -> dict[str, dict[str, Any]]:
    """Return the presets: self-training goes on gaining where distillation alone has ended."""
    presets = stage_presets("teacher", "student")
    presets["fast"]["student.epochs"] = 6
    return presets


PROKD = Method(
    name="prokd",
    title="ProKD",
    citation="Ge et al., AAAI 2023, arXiv:2301.08855",
    config=ProKDConfig,
    graph=lambda config: _GRAPH,
    spaces=SPACES,
    symbols={
        "prototypes.update_rate": "λ",
        "teacher.alignment.temperature": "τ1",
        "student.prototype_temperature": "τ2",
        "student.fusion_weight": "β",
    },
    # The four parts of the method (Table 4); without ST the schedule stays at distillation
    # whatever becomes of CL.
    components={
        "CA": {"teacher.alignment.weight": 0.0},
        "ST": {"student.schedule": "distillation"},
        "PK": {"student.fusion_weight": 1.0},
        "CL": {"student.schedule": "constant"},
    },
    readings=READINGS,
    embedded_reading="stable",
    presets=_presets(),
    together=TOGETHER,
    criteria=CRITERIA,
    transfer="teacher",
    timing=_timing,
)
