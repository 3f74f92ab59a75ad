"""CoLaDa as a search and an ablation see it (Ma et al., ACL 2023, arXiv:2305.14913)."""

from __future__ import annotations

from functools import lru_cache, partial

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
from prokd.methods.colada.config import CoLaDaConfig
from prokd.methods.colada.effective import (
    effective_denoised,
    effective_student,
    rounds_of,
)
from prokd.methods.colada.names import before, student_of, tagger_of
from prokd.stages.effective import effective_tagger


@lru_cache(maxsize=32)
def _graph(rounds: int) -> Graph:
    stages = [
        StageSpec(
            name="teacher", build="prokd.stages.tagger:build_tagger", effective=effective_tagger
        )
    ]
    for number in range(1, rounds + 1):
        stages += [
            StageSpec(
                name=tagger_of(number),
                build="prokd.methods.colada.stages:build_tagger",
                effective=partial(effective_denoised, number=number),
                needs=(before(number),),
                reads=lambda config: (TRANSLATED_TRAIN, SOURCE_DEV, ENCODER),
                own_kind="denoised_tagger",
                own_section="student",
            ),
            StageSpec(
                name=student_of(number, rounds),
                build="prokd.methods.colada.stages:build_student",
                effective=partial(effective_student, number=number),
                needs=(tagger_of(number),),
                reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
                own_kind="denoised_student",
                own_section="student",
            ),
        ]
    return Graph(tuple(stages))


COLADA = Method(
    name="colada",
    title="CoLaDa",
    citation="Ma et al., ACL 2023, arXiv:2305.14913",
    config=CoLaDaConfig,
    graph=lambda config: _graph(rounds_of(config)),
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "student.learning_rate": {"times": [0.25, 4], "log": True},
            "denoising.first_label_weight": {"low": 0, "high": 1},
            "denoising.label_weight": {"low": 0, "high": 1},
            "denoising.sharpness": [0.0, 6.0, 12.0],
        }
    },
    symbols={"denoising.first_label_weight": "λ1", "denoising.label_weight": "λ"},
    # RW is the weight by neighbours, DT the denoising of the translation's labels, IT the rounds.
    components={
        "RW": {"denoising.sharpness": 0.0},
        "DT": {"denoising.first_label_weight": 1.0, "denoising.label_weight": 1.0},
        "IT": {"rounds": 1},
    },
    readings={
        # The other methods' protocol, so that runs are shared and figures can be compared.
        "stable": {},
        # The published one.
        "literal": {
            **published_optimization("teacher", "student"),
            "rounds": 8,
            "encoder.dropout": 0.1,
            "teacher.epochs": 3,
            "student.learning_rate": 2e-5,
        },
    },
    presets=stage_presets("teacher", "student"),
    together=("denoising.first_label_weight", "denoising.label_weight", "rounds"),
    indirect=TRANSLATION,
    criteria=CRITERIA,
    transfer="teacher",
)
