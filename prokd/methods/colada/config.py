"""The settings of CoLaDa; the paper's symbols stand in the descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prokd.config import ExperimentConfig, Frozen, OptimizationConfig, TranslationConfig


class DenoisingConfig(Frozen):
    """How far labels are trusted."""

    first_label_weight: float = Field(
        0.5, ge=0, le=1, description="lambda of the first round: weight of the label beside p"
    )
    label_weight: float = Field(0.1, ge=0, le=1, description="lambda of the rounds behind it")
    neighbours: int = Field(500, ge=1, description="K, nearest tokens that are asked")
    sharpness: float = Field(
        6.0,
        ge=0,
        description="slope of the weight over the share of agreeing neighbours; "
        "0 = all labels count alike (w/o RW)",
    )
    layers: int = Field(3, ge=1, description="last layers whose mean is a token's vector")


class CoLaDaConfig(ExperimentConfig):
    """A teacher of the source; in each round a tagger of the translation, and a student.

    Both of a round are optimised alike, by the section ``student``.
    """

    method: Literal["colada"] = "colada"
    rounds: int = Field(2, ge=1, le=20, description="taggers and students, one after the other")
    translation: TranslationConfig = TranslationConfig()
    denoising: DenoisingConfig = DenoisingConfig()
    teacher: OptimizationConfig = OptimizationConfig()
    student: OptimizationConfig = OptimizationConfig(learning_rate=1e-5)
