"""The settings of a source-trained tagger."""

from __future__ import annotations

from typing import Literal

from prokd.config import ExperimentConfig, OptimizationConfig


class BaselineConfig(ExperimentConfig):
    """One tagger, trained on labelled source text alone."""

    method: Literal["baseline"] = "baseline"
    teacher: OptimizationConfig = OptimizationConfig()
