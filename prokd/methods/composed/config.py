"""The settings of the composed method: those of ProKD, and the parts of others, at first off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from prokd.config import TranslationConfig
from prokd.errors import UserError
from prokd.methods.concner.config import ContrastConfig
from prokd.methods.msd.config import HeadsConfig
from prokd.methods.prokd.config import ProKDConfig, StudentConfig, TeacherConfig


class ComposedTeacherConfig(TeacherConfig):
    """ProKD's teacher, with the other methods' terms."""

    corpora: Literal["source", "paired"] = Field(
        "source", description="labelled text: the source, or each sentence with its translation"
    )
    heads_weight: float = Field(
        0.0, ge=0, description="alpha of MSD: factor of the weighted losses of lower layers"
    )
    contrast: ContrastConfig = ContrastConfig(sentences=0.0, labels=0.0)


class ComposedStudentConfig(StudentConfig):
    """ProKD's student, with the other methods' terms."""

    heads_weight: float = Field(
        0.0,
        ge=0,
        description="beta of MSD: factor of the distillation of lower layers; acts where the "
        "teacher has classifiers on them",
    )
    mmd_model: float = Field(0.0, ge=0, description="alpha' of MSD: factor of MMD^2 across models")
    mmd_language: float = Field(
        0.0, ge=0, description="beta' of MSD: factor of MMD^2 across languages"
    )
    mmd_features: Literal["cls", "mean"] = Field(
        "cls", description="a sentence's features: [CLS], or the mean over its words"
    )
    mmd_kernels: int = Field(5, ge=1, le=20, description="Gaussian kernels in MMD^2")
    main_teacher: Literal["finetuned", "source", "mean"] = Field(
        "source",
        description="whose probabilities are p in Eq. 2 and 10: the teacher, the one that is "
        "trained further on the translation, or the mean of the teacher and the translation's",
    )
    voted_weight: float = Field(
        0.0, ge=0, description="mu of UniTrans: factor of the labels that teachers agree on"
    )
    vote: Literal["all", "majority", "none"] = Field(
        "all", description="how many teachers must agree on a label: all, more than half, or none"
    )
    voted_confidence: bool = Field(False, description="weigh each voted token by p of its label")


class ComposedConfig(ProKDConfig):
    """Teachers and a student whose objectives are sums of the other methods' terms.

    Without the parts of others it is ProKD; with those of one method alone it is that method: the
    same runs.

    Raises:
        UserError: What `ProKDConfig` refuses; parts of a translation without one.
    """

    method: Literal["composed"] = "composed"  # type: ignore[assignment]
    translation: TranslationConfig = TranslationConfig()
    heads: HeadsConfig = HeadsConfig()
    teacher: ComposedTeacherConfig = ComposedTeacherConfig()
    student: ComposedStudentConfig = ComposedStudentConfig()
    ends_with: Literal["student", "teacher"] = Field(
        "student", description="what is scored and exported: the student, or the main teacher"
    )

    @model_validator(mode="after")
    def _translates(self) -> ComposedConfig:
        uses = {
            "teacher.corpora": self.teacher.corpora == "paired",
            "student.main_teacher": self.student.main_teacher != "source",
            "student.voted_weight": self.student.voted_weight > 0,
        }
        used = [name for name, is_used in uses.items() if is_used]
        if used and self.translation.mode == "none":
            raise UserError(
                f"translation.mode must be words where {used[0]} needs a translation, but is none."
            )
        return self
