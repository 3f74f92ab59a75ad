"""The settings of ConCNER; the paper publishes no number, so that all defaults are readings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from prokd.config import (
    DistillationConfig,
    ExperimentConfig,
    Frozen,
    OptimizationConfig,
    TranslationConfig,
)
from prokd.errors import UserError


class ContrastConfig(Frozen):
    """The teacher's contrastive losses."""

    sentences: float = Field(
        0.1, ge=0, description="lambda1, factor of L_TCL: sentences and their translations"
    )
    labels: float = Field(0.1, ge=0, description="lambda2, factor of L_LCL: tokens of one class")
    temperature: float = Field(0.1, gt=0, description="tau of both losses")
    form: Literal["across", "all"] = Field(
        "across",
        description="negatives of a sentence: those of the other language, or of both",
    )
    sentence_features: Literal["cls", "mean"] = Field(
        "cls", description="a sentence's vector: [CLS] of the last layer, or the mean over words"
    )
    classes: Literal["type", "bio"] = Field(
        "type", description="what makes tokens alike: the type of entity, or the tag with B and I"
    )
    outside_share: float = Field(
        0.1, ge=0, le=1, description='share of the "O" tokens that take part in L_LCL'
    )
    most_tokens: int = Field(
        4096, ge=2, description="tokens that L_LCL compares at most, drawn at random"
    )


class ConCNERTeacherConfig(OptimizationConfig):
    """The teacher: tagging losses on source and translation, and their contrast.

    The limits of a batch hold for its source sentences; their translations come on top.
    """

    contrast: ContrastConfig = ContrastConfig()


class ConCNERConfig(ExperimentConfig):
    """One teacher of labelled sentences and their translations, and its student.

    Raises:
        UserError: A contrast of translations where nothing is translated.
    """

    method: Literal["concner"] = "concner"
    translation: TranslationConfig = TranslationConfig()
    teacher: ConCNERTeacherConfig = ConCNERTeacherConfig()
    student: DistillationConfig = DistillationConfig()
    ends_with: Literal["student", "teacher"] = Field(
        "student", description="what is scored and exported: the student, or the teacher (w/o KD)"
    )

    @model_validator(mode="after")
    def _acts_together(self) -> ConCNERConfig:
        if self.translation.mode == "none" and self.teacher.contrast.sentences > 0:
            raise UserError(
                f"teacher.contrast.sentences must be 0 where translation.mode is none, but got "
                f"{self.teacher.contrast.sentences:g}: there is nothing to compare sentences with."
            )
        return self
