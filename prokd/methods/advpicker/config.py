"""The settings of AdvPicker; the paper's figures stand in the reading ``literal``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prokd.config import DistillationConfig, ExperimentConfig, Frozen, OptimizationConfig


class DiscriminatorConfig(Frozen):
    """What tells the language of a token, and how the encoder learns to deceive it."""

    hidden: int = Field(500, ge=1, description="features of its hidden layer")
    learning_rate: float = Field(5e-3, gt=0, description="of Adam, constant")
    encoder_rate_factor: float = Field(
        0.01,
        ge=0,
        description="learning rate of the encoder's adversarial step, constant, over that of its "
        "tagging step; 0 = w/o AD: the discriminator looks on",
    )


class AdvPickerTeacherConfig(OptimizationConfig):
    """The teacher: tagging loss on the source, an adversary between source and target."""

    discriminator: DiscriminatorConfig = DiscriminatorConfig()


class AdvPickerStudentConfig(DistillationConfig):
    """The student: distillation on the sentences whose language is the hardest to tell."""

    distillation_reduction: Literal["sum", "mean"] = Field(
        "mean", description="squared differences summed or averaged over the C classes"
    )
    picked_share: float = Field(
        0.8, gt=0, le=1, description="share of the target sentences that are learned from; 1 = all"
    )


class AdvPickerConfig(ExperimentConfig):
    """One teacher with a discriminator, and its student."""

    method: Literal["advpicker"] = "advpicker"
    teacher: AdvPickerTeacherConfig = AdvPickerTeacherConfig()
    student: AdvPickerStudentConfig = AdvPickerStudentConfig()
