"""The settings that the numbers of every stage of every method depend on."""

from __future__ import annotations

from typing import Any

from prokd.config.settings import ExperimentConfig, OptimizationConfig


def shared_settings(config: ExperimentConfig) -> dict[str, Any]:
    """Return languages, seed, data and encoder, for the ``effective`` of a stage.

    The encoder and the corpora enter an identity by fingerprint, not by name: they may be moved.
    """
    tree = config.model_dump(include={"source", "target", "seed", "data", "encoder"})
    del tree["encoder"]["name"], tree["data"]["dataset"]
    return tree


def source_settings(config: ExperimentConfig) -> dict[str, Any]:
    """Return `shared_settings` of a stage that reads no target text."""
    tree = shared_settings(config)
    del tree["target"], tree["data"]["target_train_limit"]
    return tree


def optimization_settings(config: OptimizationConfig) -> dict[str, Any]:
    """Return how a stage is optimised, without what its section holds beside that."""
    return config.model_dump(include=set(OptimizationConfig.model_fields))
