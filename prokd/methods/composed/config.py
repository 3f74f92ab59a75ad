"""The settings of the composed method: those of ProKD, and the parts of others, at first off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from prokd.config import ExperimentConfig, TranslationConfig, validation_sentence
from prokd.config.shared import narrowed
from prokd.errors import UserError
from prokd.methods.concner.config import ConCNERConfig, ContrastConfig
from prokd.methods.msd.config import HeadsConfig, MSDConfig
from prokd.methods.prokd.config import ProKDConfig, StudentConfig, TeacherConfig
from prokd.methods.unitrans.config import UniTransConfig


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
        for seen_as in SEEN_AS.values():
            try:
                seen_as(self)
            except ValidationError as error:
                raise UserError(validation_sentence(error)) from None
        return self


def is_paired(config: ComposedConfig) -> bool:
    """Tell whether the teacher learns from sentences and their translations."""
    return config.teacher.corpora == "paired"


def contrasts(config: ComposedConfig) -> bool:
    """Tell whether features are contrasted."""
    contrast = config.teacher.contrast
    return contrast.labels > 0 or (is_paired(config) and contrast.sentences > 0)


def is_layered(config: ComposedConfig) -> bool:
    """Tell whether the student learns from classifiers of lower layers."""
    return config.student.heads_weight > 0 and config.teacher.heads_weight > 0


def learns_otherwise(config: ComposedConfig) -> bool:
    """Tell whether the student has another p than the teacher's, or learns from votes."""
    return config.student.voted_weight > 0 or config.student.main_teacher != "source"


def as_prokd(config: ComposedConfig) -> ProKDConfig:
    """Return what is ProKD's of an experiment."""
    return narrowed(config, ProKDConfig, {"method": "prokd"})


def as_msd(config: ComposedConfig) -> MSDConfig:
    """Return what is MSD's of an experiment."""
    weight = config.student.heads_weight if is_layered(config) else 0.0
    return narrowed(config, MSDConfig, {"method": "msd", "student": {"heads_weight": weight}})


def as_unitrans(config: ComposedConfig) -> UniTransConfig:
    """Return what is UniTrans' of an experiment."""
    mode = "words" if learns_otherwise(config) else "none"
    return narrowed(config, UniTransConfig, {"method": "unitrans", "translation": {"mode": mode}})


def as_concner(config: ComposedConfig) -> ConCNERConfig:
    """Return what is ConCNER's of an experiment."""
    changes: dict[str, Any] = {"method": "concner"}
    if not is_paired(config):
        changes["translation"] = {"mode": "none"}
        changes["teacher"] = {"contrast": {"sentences": 0.0}}
    return narrowed(config, ConCNERConfig, changes)


SEEN_AS: dict[str, Callable[[ComposedConfig], ExperimentConfig]] = {
    "prokd": as_prokd,
    "msd": as_msd,
    "unitrans": as_unitrans,
    "concner": as_concner,
}
"""What is a method's of an experiment, by the method."""
