"""The composed method as a search and an ablation see it: other methods' parts as switches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

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
from prokd.methods.composed.config import (
    ComposedConfig,
    as_msd,
    as_unitrans,
    is_paired,
)
from prokd.methods.composed.effective import effective_student, effective_teacher
from prokd.methods.msd.effective import draws_features
from prokd.methods.prokd.effective import aligns
from prokd.methods.prokd.method import PROKD
from prokd.methods.unitrans.effective import TEACHER, teachers_of
from prokd.methods.unitrans.method import STAGES


def _teacher_reads(config: ComposedConfig) -> Sequence[str]:
    target = (TARGET_TRAIN,) if aligns(config) else ()
    paired = (PAIRED_TRAIN,) if is_paired(config) else ()
    return (SOURCE_TRAIN, SOURCE_DEV, *target, ENCODER, *paired)


def _student_reads(config: ComposedConfig) -> Sequence[str]:
    source = (SOURCE_TRAIN,) if draws_features(as_msd(config)) else ()
    return (*source, SOURCE_DEV, TARGET_TRAIN, ENCODER)


_OWN_TEACHER = StageSpec(
    name=TEACHER,
    build="prokd.methods.composed.teacher:build_teacher",
    effective=effective_teacher,
    reads=_teacher_reads,
)


@lru_cache(maxsize=64)
def _graph(teachers: tuple[str, ...], ends_with: str) -> Graph:
    stages = [_OWN_TEACHER if name == TEACHER else STAGES[name] for name in teachers]
    if ends_with == "student":
        stages.append(
            StageSpec(
                name="student",
                build="prokd.methods.composed.student:build_student",
                effective=effective_student,
                needs=teachers,
                reads=_student_reads,
            )
        )
    return Graph(tuple(stages))


COMPOSED = Method(
    name="composed",
    title="Composed",
    citation="the parts of ProKD, MSD, UniTrans and ConCNER in one objective; unpublished",
    config=ComposedConfig,
    graph=lambda config: _graph(teachers_of(as_unitrans(config)), config.ends_with),
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.alignment.weight": [0.0, 1.0],
            "teacher.corpora": ["source", "paired"],
            "teacher.heads_weight": [0.0, 0.1],
            "teacher.contrast.labels": [0.0, 0.1],
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "student.schedule": ["cumulative", "constant", "distillation"],
            "student.main_teacher": ["source", "finetuned", "mean"],
            "student.voted_weight": [0.0, 0.3],
            "student.mmd_language": [0.0, 0.001],
            # The others' weights are chosen beside means over the classes, ProKD's beside sums.
            "student.distillation_reduction": ["sum", "mean"],
        }
    },
    symbols=PROKD.symbols,
    # What each of the methods brings.
    components={
        "CA": {"teacher.alignment.weight": 0.0},
        "ST": {"student.schedule": "distillation"},
        "DI": {"teacher.heads_weight": 0.0, "student.heads_weight": 0.0},
        "MMD": {"student.mmd_model": 0.0, "student.mmd_language": 0.0},
        "CON": {"teacher.contrast.sentences": 0.0, "teacher.contrast.labels": 0.0},
        "TR": {
            "teacher.corpora": "source",
            "student.main_teacher": "source",
            "student.voted_weight": 0.0,
        },
        "VO": {"student.voted_weight": 0.0},
    },
    readings=PROKD.readings,
    embedded_reading=PROKD.embedded_reading,
    presets=PROKD.presets,
    together=(*PROKD.together, "teacher.heads_weight", "teacher.corpora"),
    indirect=(*TRANSLATION, "teacher.corpora", "student.main_teacher", "ends_with"),
    criteria=CRITERIA,
    transfer="teacher",
    timing=PROKD.timing,
)
