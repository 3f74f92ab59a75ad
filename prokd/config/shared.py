"""The settings that the numbers of every stage of every method depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from prokd.config.settings import ExperimentConfig, OptimizationConfig

C = TypeVar("C", bound=ExperimentConfig)


def narrowed(config: ExperimentConfig, kind: type[C], changes: Mapping[str, Any]) -> C:
    """Return another class of settings with all that both have.

    Args:
        config: Where the values come from.
        kind: The class; it keeps its own defaults for what the other does not have.
        changes: Trees of settings that are other than in both, the method's name among them.

    Raises:
        ValidationError: Settings that the class refuses together.
    """
    default = kind.model_validate({"method": changes["method"]}).model_dump()
    return kind.model_validate(_within(_within(default, config.model_dump()), changes))


def _within(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first tree with the values of the second at the places that both have."""
    return {
        name: _within(value, other[name])
        if isinstance(value, dict) and isinstance(other.get(name), dict)
        else other.get(name, value)
        for name, value in own.items()
    }


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
