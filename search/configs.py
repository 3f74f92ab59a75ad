"""From a command's options to configurations, spaces and the number of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import typer

from prokd.cli.options import codes, encoder_name, sources
from prokd.common.names import ending
from prokd.config import ExperimentConfig, parse_overrides
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.methods.rates import with_suited_rates
from prokd.runs.effect import check_effect
from prokd.runs.folder import SOURCE_DEV
from search.results import criteria_of
from search.space_files import OWN_OPTIONS, PAPER, idle_settings, load_space, named_spaces
from search.spaces import Space, ranges, size, without

TRIALS = {"paper": 60, "fast": 30, "mini": 4}
"""Points by default; of the paper's preset and space it is the whole grid."""


def check_criterion(name: str, config: ExperimentConfig, *, prune: bool = False) -> None:
    """Refuse a name that no criterion has, and one that pruning could not go by."""
    known = criteria_of(config)
    if name not in known:
        rule = f"the criterion must be one of {', '.join(known)}"
        raise UserError(f"{rule}, {ending(name, known)}")
    if prune and name != SOURCE_DEV:
        raise UserError(
            f"--prune must go with --select {SOURCE_DEV}, the criterion that is known after every "
            f"epoch, but got --select {name}."
        )


def base_configs(
    *,
    method: str,
    preset: str,
    reading: str | None,
    languages: list[str],
    source: str,
    dataset: str | None,
    model: str | None,
    settings: list[str],
    beneath: Mapping[str, Any] | None = None,
) -> tuple[list[ExperimentConfig], list[str]]:
    """Return one configuration for each target language, and the settings that were fixed.

    What the command line says goes before ``beneath``: settings of a file, by dotted path.
    """
    fixed = parse_overrides(settings)
    for path, option in OWN_OPTIONS.items():
        if path in fixed:
            raise UserError(f"the setting {path!r} must be given by {option}, not by --set.")
    values: dict[str, Any] = {**(beneath or {}), **fixed}
    if dataset is not None:
        values["data.dataset"] = dataset
    if model is not None:
        values["encoder.name"] = encoder_name(model)
    targets = codes(languages)
    say = cache(typer.echo)  # one sentence for all targets
    configs = []
    for target in targets:
        own = values | sources(source, method) | {"target": target}
        config = build_config(preset, reading, own, method=method)
        configs.append(with_suited_rates(config, preset, values, say))
    if any(config.target in config.sources for config in configs):
        raise UserError(f"source and target must differ, but got {source!r} for both.")
    for config in configs:
        check_effect(config, fixed)
    return configs, list(fixed)


def searched(name: str, base: ExperimentConfig, fixed: Iterable[str]) -> Space:
    """Return a space less what ``--set`` fixes.

    A space that comes with the project also loses what has no effect beside the fixed settings.

    Raises:
        UserError: See `search.space_files`; a setting of the user's own file without any effect;
            nothing that is left to search.
    """
    space = without(load_space(name, base), fixed)
    idle = idle_settings(space, base, name)
    if idle and name not in named_spaces(base):
        raise UserError(
            f"the space {name}: the setting {idle[0]} must have an effect, but has none beside "
            f"the other settings; leave it out, or set what it belongs to (docs/paper.md)."
        )
    space = without(space, idle)
    if not space:
        raise UserError("one of the searched settings must be free, but --set fixes all of them.")
    return space


def how_many(
    space: Space, *, name: str, preset: str, trials: int | None, grid: bool
) -> tuple[bool, int]:
    """Return whether the whole grid is visited, and the number of points.

    Raises:
        UserError: A grid is asked for, but a setting has a range, or fewer points are.
    """
    total = size(space)
    if grid and total is None:
        raise UserError(
            f"--grid needs a list of values for every setting, but the space {name} has a range "
            f"for {', '.join(ranges(space))}."
        )
    if total is not None and trials is not None and trials > total:
        raise UserError(
            f"--trials must be at most the {total} points of the space {name}, but got {trials}."
        )
    is_grid = grid or (trials is None and name == PAPER and preset == "paper")
    number = trials or (total if is_grid else None) or TRIALS[preset]
    return is_grid, min(number, total or number)
