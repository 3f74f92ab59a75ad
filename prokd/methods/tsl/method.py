"""Teacher-student learning as a search and an ablation see it (Wu et al., ACL 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

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
from prokd.methods.tsl.config import TSLConfig
from prokd.stages.effective import effective_distillation, effective_tagger


def _effective_student(config: TSLConfig) -> dict[str, Any]:
    tree = effective_distillation(config)
    if config.more_sources:
        tree["more_sources"] = list(config.more_sources)
        similarity = config.similarity.model_dump()
        is_learned = config.similarity.weights == "similarity"
        tree["similarity"] = similarity if is_learned else {"weights": "uniform"}
    return tree


def _student_reads(config: TSLConfig) -> Sequence[str]:
    compared = [SOURCE_TRAIN, *(f"{SOURCE_TRAIN}/{language}" for language in config.more_sources)]
    return (SOURCE_DEV, TARGET_TRAIN, ENCODER, *(compared if config.more_sources else ()))


@lru_cache(maxsize=64)
def _graph(sources: tuple[str, ...]) -> Graph:
    teachers = [
        StageSpec(
            name="teacher" if number == 0 else f"teacher_{language}",
            build="prokd.stages.tagger:build_tagger",
            effective=effective_tagger,
            own_kind="teacher",
            own_section="teacher",
            source=language,
        )
        for number, language in enumerate(sources)
    ]
    student = StageSpec(
        name="student",
        build="prokd.methods.tsl.student:build_student",
        effective=_effective_student,
        needs=tuple(teacher.name for teacher in teachers),
        reads=_student_reads,
    )
    return Graph((*teachers, student))


TSL = Method(
    name="tsl",
    title="TSL",
    citation="Wu et al., ACL 2020, arXiv:2004.12440",
    config=TSLConfig,
    graph=lambda config: _graph(config.sources),
    spaces={
        # Without the student's start: source dev prefers one from the teacher's weights, whatever
        # it is worth on the target (docs/log/real-encoder.md, "Choosing without labels").
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.head_learning_rate_factor": {"low": 1, "high": 10, "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "student.head_learning_rate_factor": {"low": 1, "high": 10, "log": True},
            "student.distillation_reduction": ["sum", "mean"],
        }
    },
    # Acts where there are several sources.
    components={"SIM": {"similarity.weights": "uniform"}},
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
            "student.distillation_reduction": "mean",
        },
    },
    presets=stage_presets("teacher", "student"),
    criteria=CRITERIA,
    transfer="teacher",
    many_sources=True,
)
