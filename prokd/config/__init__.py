"""Every hyperparameter: type, range, default; its named values; overrides by dotted path."""

from prokd.config.overrides import (
    parse_override,
    parse_overrides,
    validation_sentence,
    with_overrides,
)
from prokd.config.precision import automatic_precision, with_precision
from prokd.config.presets import (
    COMPONENTS,
    PRESETS,
    READINGS,
    build_config,
    without_components,
)
from prokd.config.settings import (
    AlignmentConfig,
    DataConfig,
    EncoderConfig,
    ExperimentConfig,
    OptimizationConfig,
    PrototypeConfig,
    RuntimeConfig,
    StudentConfig,
    TeacherConfig,
)

__all__ = [
    "COMPONENTS",
    "PRESETS",
    "READINGS",
    "AlignmentConfig",
    "DataConfig",
    "EncoderConfig",
    "ExperimentConfig",
    "OptimizationConfig",
    "PrototypeConfig",
    "RuntimeConfig",
    "StudentConfig",
    "TeacherConfig",
    "automatic_precision",
    "build_config",
    "parse_override",
    "parse_overrides",
    "validation_sentence",
    "with_overrides",
    "with_precision",
    "without_components",
]
