"""Every hyperparameter that all methods have; named values; overrides by dotted path."""

from prokd.config.overrides import (
    parse_override,
    parse_overrides,
    validation_sentence,
    with_overrides,
)
from prokd.config.precision import automatic_precision, with_precision
from prokd.config.presets import PRESETS
from prokd.config.settings import (
    DataConfig,
    DistillationConfig,
    EncoderConfig,
    ExperimentConfig,
    Frozen,
    OptimizationConfig,
    RuntimeConfig,
    TranslationConfig,
)

__all__ = [
    "PRESETS",
    "DataConfig",
    "DistillationConfig",
    "EncoderConfig",
    "ExperimentConfig",
    "Frozen",
    "OptimizationConfig",
    "RuntimeConfig",
    "TranslationConfig",
    "automatic_precision",
    "parse_override",
    "parse_overrides",
    "validation_sentence",
    "with_overrides",
    "with_precision",
]
