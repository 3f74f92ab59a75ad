"""UniTrans as a search and an ablation see it (Wu et al., IJCAI 2020, arXiv:2007.07683)."""

from __future__ import annotations

from functools import lru_cache

from prokd.config.presets import published_optimization, stage_presets
from prokd.method import (
    CRITERIA,
    ENCODER,
    SOURCE_DEV,
    TARGET_TRAIN,
    TRANSLATED_TRAIN,
    TRANSLATION,
    Graph,
    Method,
    StageSpec,
)
from prokd.methods.unitrans.config import UniTransConfig
from prokd.methods.unitrans.effective import (
    FINETUNED,
    TEACHER,
    TRANSLATED,
    effective_student,
    teachers_of,
)
from prokd.stages.effective import effective_tagger

STAGES = {
    TEACHER: StageSpec(
        name=TEACHER, build="prokd.stages.tagger:build_tagger", effective=effective_tagger
    ),
    TRANSLATED: StageSpec(
        name=TRANSLATED,
        build="prokd.methods.unitrans.teachers:build_translated",
        effective=effective_tagger,
        reads=lambda config: (TRANSLATED_TRAIN, SOURCE_DEV, ENCODER),
        own_section="teacher",
    ),
    FINETUNED: StageSpec(
        name=FINETUNED,
        build="prokd.methods.unitrans.teachers:build_finetuned",
        effective=effective_tagger,
        needs=(TEACHER,),
        reads=lambda config: (TRANSLATED_TRAIN, SOURCE_DEV, ENCODER),
        own_section="teacher",
    ),
}
"""The teachers, by name."""


@lru_cache(maxsize=64)
def _graph(teachers: tuple[str, ...], result: str) -> Graph:
    stages = [STAGES[name] for name in teachers]
    if result == "student":
        stages.append(
            StageSpec(
                name="student",
                build="prokd.methods.unitrans.student:build_student",
                effective=effective_student,
                needs=teachers,
                reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
            )
        )
    return Graph(tuple(stages))


UNITRANS = Method(
    name="unitrans",
    title="UniTrans",
    citation="Wu et al., IJCAI 2020, arXiv:2007.07683",
    config=UniTransConfig,
    graph=lambda config: _graph(teachers_of(config), config.ends_with),
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "student.distillation_weight": [0.5, 1],
            "student.voted_weight": {"low": 0.03, "high": 3, "log": True},
            "student.vote": ["all", "majority", "none"],
            "student.main_teacher": ["finetuned", "source", "mean"],
        }
    },
    symbols={"student.distillation_weight": "λ", "student.voted_weight": "μ"},
    # TR is the translation, VO the voting, SL soft labels, FT the teacher that is trained on both,
    # UD the unlabelled text of the target.
    components={
        "TR": {
            "translation.mode": "none",
            "student.main_teacher": "source",
            "student.voted_weight": 0.0,
        },
        "VO": {"student.voted_weight": 0.0},
        "SL": {"student.distillation_weight": 0.0},
        "FT": {"student.main_teacher": "mean"},
        "UD": {"ends_with": "teacher"},
    },
    readings={
        # The other methods' protocol, so that runs are shared and figures can be compared.
        "stable": {},
        # The published one.
        "literal": {
            **published_optimization("teacher", "student"),
            "encoder.dropout": 0.1,
            "teacher.epochs": 3,
            "student.epochs": 3,
            "student.learning_rate": 1e-4,
        },
    },
    presets=stage_presets("teacher", "student"),
    indirect=(*TRANSLATION, "student.main_teacher", "ends_with"),
    criteria=CRITERIA,
    transfer="teacher",
)
