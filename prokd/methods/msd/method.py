"""MSD as a search and an ablation see it (Ma et al., EMNLP 2022, arXiv:2212.03506)."""

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
from prokd.methods.msd.config import MSDConfig
from prokd.methods.msd.effective import draws_features, effective_student, effective_teacher


def _student_reads(config: MSDConfig) -> Sequence[str]:
    source = (SOURCE_TRAIN,) if draws_features(config) else ()
    return (*source, SOURCE_DEV, TARGET_TRAIN, ENCODER)


_GRAPH = Graph(
    (
        StageSpec(
            name="teacher",
            build="prokd.methods.msd.teacher:build_teacher",
            effective=effective_teacher,
        ),
        StageSpec(
            name="student",
            build="prokd.methods.msd.student:build_student",
            effective=effective_student,
            needs=("teacher",),
            reads=_student_reads,
        ),
    )
)

MSD = Method(
    name="msd",
    title="MSD",
    citation="Ma et al., EMNLP 2022, arXiv:2212.03506",
    config=MSDConfig,
    graph=lambda config: _GRAPH,
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.heads_weight": {"low": 0.01, "high": 1, "log": True},
            "student.heads_weight": {"low": 0.01, "high": 1, "log": True},
            "student.mmd_model": {"low": 1e-4, "high": 0.1, "log": True},
            "student.mmd_language": {"low": 1e-4, "high": 0.1, "log": True},
            "heads.weights": ["learned", "uniform"],
        }
    },
    symbols={
        "teacher.heads_weight": "α",
        "student.heads_weight": "β",
        "student.mmd_model": "α'",
        "student.mmd_language": "β'",
    },
    # DI, ML, MM are those of its Table 3; LW is the learned layer weights.
    components={
        "DI": {"teacher.heads_weight": 0.0, "student.heads_weight": 0.0},
        "ML": {"student.mmd_language": 0.0},
        "MM": {"student.mmd_model": 0.0},
        "LW": {"heads.weights": "uniform"},
    },
    readings={
        # The other methods' protocol, so that runs are shared and figures can be compared.
        "stable": {},
        # The published one.
        "literal": {
            **published_optimization("teacher", "student"),
            "encoder.dropout": 0.1,
            "teacher.epochs": 10,
            "student.epochs": 10,
        },
    },
    presets=stage_presets("teacher", "student"),
    criteria=CRITERIA,
    transfer="teacher",
)
