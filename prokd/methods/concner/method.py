"""ConCNER as a search and an ablation see it (Fu et al., NLPCC 2022, arXiv:2204.00796)."""

from __future__ import annotations

from collections.abc import Sequence

from prokd.config.presets import published_optimization, stage_presets
from prokd.method import (
    CRITERIA,
    ENCODER,
    PAIRED_TRAIN,
    SOURCE_DEV,
    SOURCE_TRAIN,
    TARGET_TRAIN,
    TRANSLATION,
    Graph,
    Method,
    StageSpec,
)
from prokd.methods.concner.config import ConCNERConfig
from prokd.methods.concner.effective import effective_teacher, translates
from prokd.stages.effective import effective_distillation


def _teacher_reads(config: ConCNERConfig) -> Sequence[str]:
    paired = (PAIRED_TRAIN,) if translates(config) else ()
    return (SOURCE_TRAIN, SOURCE_DEV, ENCODER, *paired)


_TEACHER = StageSpec(
    name="teacher",
    build="prokd.methods.concner.teacher:build_teacher",
    effective=effective_teacher,
    reads=_teacher_reads,
)
_STUDENT = StageSpec(
    name="student",
    build="prokd.stages.distillation:build_distillation",
    effective=effective_distillation,
    needs=("teacher",),
    reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
)
_GRAPHS = {"student": Graph((_TEACHER, _STUDENT)), "teacher": Graph((_TEACHER,))}

CONCNER = Method(
    name="concner",
    title="ConCNER",
    citation="Fu et al., NLPCC 2022, arXiv:2204.00796 (after its abstract)",
    config=ConCNERConfig,
    graph=lambda config: _GRAPHS[config.ends_with],
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.contrast.sentences": {"low": 0.01, "high": 1, "log": True},
            "teacher.contrast.labels": {"low": 0.01, "high": 1, "log": True},
            "teacher.contrast.temperature": {"low": 0.05, "high": 1, "log": True},
            "teacher.contrast.classes": ["type", "bio"],
        }
    },
    symbols={
        "teacher.contrast.sentences": "λ1",
        "teacher.contrast.labels": "λ2",
        "teacher.contrast.temperature": "τ",
    },
    # TC is the contrast of translations, LC that of labels, TR the translation, KD distillation.
    components={
        "TC": {"teacher.contrast.sentences": 0.0},
        "LC": {"teacher.contrast.labels": 0.0},
        "TR": {"translation.mode": "none", "teacher.contrast.sentences": 0.0},
        "KD": {"ends_with": "teacher"},
    },
    readings={
        # The other methods' protocol, so that runs are shared and figures can be compared.
        "stable": {},
        # What the paper's neighbours print; it prints nothing that is at hand.
        "literal": {
            **published_optimization("teacher", "student"),
            "encoder.dropout": 0.1,
            "student.learning_rate": 5e-5,
        },
    },
    presets=stage_presets("teacher", "student"),
    indirect=(*TRANSLATION, "ends_with"),
    criteria=CRITERIA,
    transfer="teacher",
)
