"""The settings of UniTrans; the paper's symbols stand in the descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from prokd.config import (
    DistillationConfig,
    ExperimentConfig,
    OptimizationConfig,
    TranslationConfig,
)
from prokd.errors import UserError


class UniTransStudentConfig(DistillationConfig):
    """The student: distillation of the main teacher, and labels that the teachers agree on."""

    distillation_reduction: Literal["sum", "mean"] = Field(
        "mean", description="squared differences summed or averaged over the C classes"
    )
    main_teacher: Literal["finetuned", "source", "mean"] = Field(
        "finetuned",
        description="whose probabilities are distilled and give the labels: the source's teacher "
        "trained further on the translation, the source's alone, or the mean of the source's and "
        "of the translation's (w/o FT)",
    )
    distillation_weight: float = Field(
        1.0, ge=0, description="lambda, factor of the squared error to the main teacher"
    )
    voted_weight: float = Field(
        1.0,
        ge=0,
        description="mu, factor of the cross-entropy with labels that are voted for, a mean over "
        "the tokens voted for whatever loss_reduction is",
    )
    vote: Literal["all", "majority", "none"] = Field(
        "all",
        description="a token's label counts where all teachers give it, where more than half of "
        "them do, or always",
    )
    voted_confidence: bool = Field(
        False, description="weigh each voted token by the main teacher's probability of its label"
    )


class UniTransConfig(ExperimentConfig):
    """Teachers of the source, of its translation and of both in turn, and their student.

    Raises:
        UserError: A student that learns nothing; parts of the translation without one.
    """

    method: Literal["unitrans"] = "unitrans"
    translation: TranslationConfig = TranslationConfig()
    teacher: OptimizationConfig = OptimizationConfig()
    student: UniTransStudentConfig = UniTransStudentConfig()
    ends_with: Literal["student", "teacher"] = Field(
        "student",
        description="what is scored and exported: the student, or the main teacher (w/o UD)",
    )

    @model_validator(mode="after")
    def _acts_together(self) -> UniTransConfig:
        student = self.student
        if student.distillation_weight == 0 and student.voted_weight == 0:
            raise UserError(
                "student.distillation_weight and student.voted_weight must not both be 0: the "
                "student would learn nothing."
            )
        if self.translation.mode == "none":
            for name, value, rule in (
                ("main_teacher", student.main_teacher, "source"),
                ("voted_weight", student.voted_weight, 0),
            ):
                if value != rule:
                    raise UserError(
                        f"student.{name} must be {rule} where translation.mode is none, but got "
                        f"{value}: there is one teacher alone."
                    )
        if self.ends_with == "teacher" and student.main_teacher == "mean":
            raise UserError(
                "student.main_teacher must be finetuned or source where ends_with is teacher, but "
                "got mean: a mean of teachers is no model."
            )
        return self
