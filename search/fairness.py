"""What keeps methods from being compared alike, and which of them a criterion cannot compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from prokd.common.names import flatten
from prokd.config import ExperimentConfig
from prokd.method import TARGET_TRAIN
from prokd.methods import graph_of

_OF_UPDATES = (".epochs", ".batch_sentences", ".batch_tokens")


def inequalities(configs: Mapping[str, ExperimentConfig]) -> list[str]:
    """Return in words what makes methods unequal: data, encoder, epochs, batches that differ.

    Args:
        configs: One of each method, by what it is called.
    """
    values: dict[str, dict[str, Any]] = {}
    for name, config in configs.items():
        for path, value in flatten(config.model_dump()).items():
            if path.startswith(("data.", "encoder.")) or path.endswith(_OF_UPDATES):
                values.setdefault(path, {})[name] = value
    return [
        f"not the same for all methods: {path}: "
        f"{', '.join(f'{method} {value}' for method, value in own.items())}"
        for path, own in values.items()
        if len(set(map(repr, own.values()))) > 1
    ]


def comparable(
    bases: Sequence[ExperimentConfig], say: Callable[[str], object] = typer.echo
) -> list[ExperimentConfig]:
    """Return the methods that source dev can compare, of all that there are; tell the others.

    Args:
        bases: One for each method; where none learns from the target they stay.
        say: Tells a person.
    """
    alone = [base for base in bases if _learns_source_alone(base)]
    if not alone or len(alone) == len(bases):
        return list(bases)
    for base in alone:
        say(
            f"{base.method} is left out: its result learns the source alone, which source dev "
            f"favours (--method {base.method} beside the others has it in)"
        )
    return [base for base in bases if base not in alone]


def favoured(bases: Sequence[ExperimentConfig]) -> list[str]:
    """Return in words whose results source dev favours: they learn nothing but the source.

    >>> from prokd.methods import build_config
    >>> favoured([build_config(method="tsl"), build_config(method="msd")])
    []
    """
    alone = [base.method for base in bases if _learns_source_alone(base)]
    others = [base.method for base in bases if base.method not in alone]
    if not alone or not others:
        return []
    return [
        f"source dev favours {' and '.join(alone)}, whose result learns the source alone, over "
        f"{' and '.join(others)}: compare them by the best of each method"
    ]


def _learns_source_alone(base: ExperimentConfig) -> bool:
    result = graph_of(base).stages[-1]
    return TARGET_TRAIN not in result.reads(result.view(base))
