"""AdvPicker as a search and an ablation see it (Chen et al., ACL 2021, arXiv:2106.02300)."""

from __future__ import annotations

from collections.abc import Sequence

from prokd.config.presets import published_optimization, stage_presets
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
from prokd.methods.advpicker.config import AdvPickerConfig
from prokd.methods.advpicker.effective import effective_student, effective_teacher, is_plain


def _teacher_reads(config: AdvPickerConfig) -> Sequence[str]:
    target = () if is_plain(config) else (TARGET_TRAIN,)
    return (SOURCE_TRAIN, SOURCE_DEV, *target, ENCODER)


_GRAPH = Graph(
    (
        StageSpec(
            name="teacher",
            build="prokd.methods.advpicker.teacher:build_teacher",
            effective=effective_teacher,
            reads=_teacher_reads,
        ),
        StageSpec(
            name="student",
            build="prokd.methods.advpicker.student:build_student",
            effective=effective_student,
            needs=("teacher",),
            reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
        ),
    )
)

ADVPICKER = Method(
    name="advpicker",
    title="AdvPicker",
    citation="Chen et al., ACL 2021, arXiv:2106.02300",
    config=AdvPickerConfig,
    graph=lambda config: _GRAPH,
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.discriminator.encoder_rate_factor": {"low": 1e-3, "high": 0.1, "log": True},
            "teacher.discriminator.learning_rate": {"low": 5e-4, "high": 2e-2, "log": True},
            "student.picked_share": {"low": 0.5, "high": 0.95},
        }
    },
    # AD is the adversary, PI the choice of sentences.
    components={
        "AD": {"teacher.discriminator.encoder_rate_factor": 0.0},
        "PI": {"student.picked_share": 1.0},
    },
    readings={
        # The other methods' protocol, so that runs are shared and figures can be compared.
        "stable": {},
        # The published one.
        "literal": {
            **published_optimization("teacher", "student"),
            "encoder.dropout": 0.1,
            "teacher.epochs": 10,
            "teacher.learning_rate": 6e-5,
            "student.epochs": 10,
            "student.learning_rate": 6e-5,
        },
    },
    presets=stage_presets("teacher", "student"),
    criteria=CRITERIA,
    transfer="teacher",
)
