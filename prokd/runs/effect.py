"""Settings that somebody gives and that change nothing: told, never silently passed over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prokd.common.names import flatten
from prokd.config import ExperimentConfig, with_overrides, with_precision
from prokd.errors import UserError
from prokd.methods import graph_of, method_of

BY_CONTENT = ("method", "encoder.name", "data.dataset", "source", "target")
"""Settings that act through the text and the weights that they lead to."""


def acting(config: ExperimentConfig) -> set[str]:
    """Return the settings that the numbers of any stage depend on, by dotted path."""
    settled = with_precision(config, "fp32")  # what auto stands for does not matter here
    found = {*BY_CONTENT, *method_of(config).indirect}
    for spec in graph_of(settled).stages:
        found |= set(flatten(spec.effective(spec.view(settled))))
    return found


def check_effect(config: ExperimentConfig, paths: Iterable[str], where: str = "") -> None:
    """Make sure that settings which somebody gave act on a stage.

    Args:
        config: The experiment with them in it.
        paths: The settings, by dotted path.
        where: Where they stand, put in front of the sentence: "variants.x.set: ", say.

    Raises:
        UserError: One that acts on none, beside the other settings.
    """
    effective = acting(config)
    for path in paths:
        if path not in effective and not _changes(config, path):
            raise UserError(
                f"{where}the setting {path} must have an effect, but has none beside the other "
                f"settings of this experiment: leave it out, or set what it belongs to."
            )


def _changes(config: ExperimentConfig, path: str) -> bool:
    """Tell whether a setting that acts nowhere by itself takes something away: an off switch."""
    default = type(config).model_validate({"method": config.method})
    value = flatten(default.model_dump())[path]
    try:
        return _shape(with_overrides(config, {path: value})) != _shape(config)
    except UserError:  # beside the other settings it must be what it is
        return True


def _shape(config: ExperimentConfig) -> list[Any]:
    """Return all that distinguishes what two experiments compute, apart from text and weights."""
    settled = with_precision(config, "fp32")
    return [
        (spec.name, spec.kind, spec.needs, tuple(spec.reads(seen)), spec.effective(seen))
        for spec in graph_of(settled).stages
        for seen in (spec.view(settled),)
    ]
