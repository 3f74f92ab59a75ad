"""The settings of teacher-student learning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prokd.config import DistillationConfig, ExperimentConfig, Frozen, OptimizationConfig
from prokd.config.settings import LANGUAGE
from prokd.errors import UserError


class SimilarityConfig(Frozen):
    """How teachers of several source languages are weighed (section 3.2 of the paper)."""

    weights: Literal["similarity", "uniform"] = Field(
        "similarity", description="by how like the target is to each source language, or alike"
    )
    level: Literal["sentence", "language"] = Field(
        "sentence", description="weights of each target sentence, or their mean over all of them"
    )
    rank: int = Field(64, ge=1, description="r, rank of the bilinear form s(g, mu)")
    orthogonality: float = Field(
        0.01, ge=0, description="gamma, weight of the penalty on language vectors that are alike"
    )
    epochs: int = Field(10, ge=1, description="passes over the source sentences")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    batch_sentences: int = Field(128, ge=1, description="sentences of a step")


class TSLConfig(ExperimentConfig):
    """One teacher for each source language, and their student.

    Raises:
        UserError: A source language that is given twice, or is the target.
    """

    method: Literal["tsl"] = "tsl"
    more_sources: tuple[Annotated[str, Field(pattern=LANGUAGE)], ...] = Field(
        (), description="further languages with labels, one teacher each"
    )
    teacher: OptimizationConfig = OptimizationConfig()
    student: DistillationConfig = DistillationConfig()
    similarity: SimilarityConfig = SimilarityConfig()

    @property
    def sources(self) -> tuple[str, ...]:
        """The languages with labels; `source` is the first."""
        return (self.source, *self.more_sources)

    @model_validator(mode="after")
    def _different(self) -> TSLConfig:
        if len(set(self.source_languages)) < len(self.source_languages):
            raise UserError(f"the sources must differ, but got {','.join(self.sources)}.")
        return self
