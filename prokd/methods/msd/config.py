"""The settings of MSD; the paper's symbols stand in the descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from prokd.config import DistillationConfig, ExperimentConfig, Frozen, OptimizationConfig
from prokd.errors import UserError


class HeadsConfig(Frozen):
    """The classifiers on layers below the last, of teacher and student alike."""

    layers: tuple[int, ...] = Field(
        (),
        description="numbers of the layers below the last that have a classifier, 1 = the lowest; "
        "none named = all above the frozen ones (4-11 of 12 over 3 frozen ones, as printed)",
    )
    weights: Literal["learned", "uniform"] = Field(
        "learned", description="lambda, weights of the layers: a softmax that is trained, or alike"
    )


class MSDTeacherConfig(OptimizationConfig):
    """The teacher: tagging losses on the source, of the last layer and of those below."""

    heads_weight: float = Field(
        0.1, ge=0, description="alpha, factor of the weighted losses of the layers below"
    )


class MSDStudentConfig(DistillationConfig):
    """The student: distillation layer by layer, features drawn towards the teacher's."""

    learning_rate: float = Field(2e-5, gt=0)
    distillation_reduction: Literal["sum", "mean"] = Field(
        "mean", description="squared differences summed or averaged over the C classes"
    )
    heads_weight: float = Field(
        0.1, ge=0, description="beta, factor of the weighted distillation of the layers below"
    )
    mmd_model: float = Field(
        0.001,
        ge=0,
        description="alpha', factor of the MMD^2 between the teacher's and the student's features "
        "of source sentences",
    )
    mmd_language: float = Field(
        0.001,
        ge=0,
        description="beta', factor of the MMD^2 between the teacher's features of source "
        "sentences and the student's of target sentences",
    )
    mmd_features: Literal["cls", "mean"] = Field(
        "cls",
        description="a sentence's features: [CLS] of the last layer, or the mean over its words",
    )
    mmd_kernels: int = Field(5, ge=1, le=20, description="Gaussian kernels in MMD^2")


class MSDConfig(ExperimentConfig):
    """One teacher with classifiers on many layers, and its student.

    Raises:
        UserError: A layer that is named twice or is none; layers that a student is to learn and
            no teacher was trained on.
    """

    method: Literal["msd"] = "msd"
    heads: HeadsConfig = HeadsConfig()
    teacher: MSDTeacherConfig = MSDTeacherConfig()
    student: MSDStudentConfig = MSDStudentConfig()

    @model_validator(mode="after")
    def _acts_together(self) -> MSDConfig:
        layers = self.heads.layers
        if len(set(layers)) < len(layers) or any(number < 1 for number in layers):
            shown = ",".join(map(str, layers))
            raise UserError(
                f"heads.layers must name layers from 1 on, none twice, but got {shown}."
            )
        if self.student.heads_weight > 0 and self.teacher.heads_weight == 0:
            raise UserError(
                f"student.heads_weight must be 0 where teacher.heads_weight is 0, but got "
                f"{self.student.heads_weight:g}: the teacher's classifiers of lower layers would "
                f"be untrained."
            )
        return self
