"""From a command's options to configurations, spaces and the number of points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from functools import cache
from typing import Any

import typer

from prokd.cli.options import codes, encoder_name, given_settings, sources
from prokd.common.names import ending
from prokd.config import ExperimentConfig
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.methods.rates import with_suited_rates
from prokd.runs.effect import check_effect
from prokd.runs.folder import SOURCE_DEV
from search.choice import METHOD, alternatives, joined
from search.method_sampler import ROUNDS
from search.results import criteria_of
from search.space_files import OWN_OPTIONS, PAPER, idle_settings, load_space, named_spaces
from search.spaces import Space, in_words, ranges, size, without

TRIALS = {"paper": 60, "fast": 30, "mini": 4}
"""Points by default; of the paper's preset and space it is the whole grid."""


def check_criterion(name: str, *configs: ExperimentConfig, prune: bool = False) -> None:
    """Refuse a name that no criterion of some methods has, and one that pruning cannot go by."""
    known = list(dict.fromkeys(each for config in configs for each in criteria_of(config)))
    lacking = [config.method for config in configs if name not in criteria_of(config)]
    if name in known and lacking:
        raise UserError(
            f"the criterion must be one that every method has, but got {name!r}, which "
            f"{' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} not."
        )
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
    say: Callable[[str], object] = typer.echo,
    is_checked: bool = True,
) -> tuple[list[ExperimentConfig], list[str]]:
    """Return one configuration for each target language, and the settings that were fixed.

    What the command line says goes before ``beneath``: settings of a file, by dotted path. That
    each fixed setting has an effect is checked unless somebody else sees to it.
    """
    fixed = given_settings(settings, OWN_OPTIONS)
    values: dict[str, Any] = {**(beneath or {}), **fixed}
    if dataset is not None:
        values["data.dataset"] = dataset
    if model is not None:
        values["encoder.name"] = encoder_name(model)
    targets = codes(languages)
    say = cache(say)  # one sentence for all targets
    configs = []
    for target in targets:
        own = values | sources(source, method) | {"target": target}
        config = build_config(preset, reading, own, method=method)
        configs.append(with_suited_rates(config, preset, values, say))
    for config in configs:
        config.check_languages()
    for config in configs if is_checked else ():
        check_effect(config, fixed)
    return configs, list(fixed)


def searched(
    name: str, bases: Sequence[ExperimentConfig], fixed: Mapping[str, Iterable[str]]
) -> Space:
    """Return the space of some methods less what ``--set`` fixes.

    A space that comes with the project also loses what has no effect beside the fixed settings.

    Args:
        name: Of a space that each method has, or of a file.
        bases: What is not searched, one configuration for each method.
        fixed: Settings that ``--set`` gives, by method.

    Raises:
        UserError: See `search.space_files`; a setting of the user's own file without any effect;
            nothing that is left to search, the method neither.
    """
    spaces = {}
    for base in bases:
        with naming(base.method, if_several=bases):
            spaces[base.method] = free_space(name, base, fixed[base.method])
    space = joined(spaces)
    if not space:
        given = any(paths for paths in fixed.values())
        why = "--set fixes all that have an effect" if given else "none has an effect"
        raise UserError(f"one of the searched settings must be free, but {why} (space {name}).")
    return space


@contextmanager
def naming(method: str, *, if_several: Sized) -> Iterator[None]:
    """Put the name of one of several methods before a mistake of the block."""
    try:
        yield
    except UserError as error:
        raise (UserError(f"{method}: {error}") if len(if_several) > 1 else error) from None


def free_space(
    name: str,
    base: ExperimentConfig,
    fixed: Iterable[str],
    say: Callable[[str], object] = lambda line: None,
) -> Space:
    """Return the space of one method less what ``--set`` fixes, see `searched`.

    What a space that comes with a method loses for it has no effect is told by ``say``.
    """
    space = without(load_space(name, base), fixed)
    idle = idle_settings(space, base, name)
    if not idle:
        return space
    if name not in named_spaces(base):
        raise UserError(
            f"the space {name}: the setting {idle[0]} must have an effect, but has none beside "
            f"the other settings; leave it out, or set what it belongs to."
        )
    say(
        f"{base.method}: not searched of the space {name}, since without effect: {', '.join(idle)}"
    )
    return without(space, idle)


def how_many(
    space: Space, *, name: str, preset: str, trials: int | None, grid: bool
) -> tuple[bool, int]:
    """Return whether the whole grid is visited, and the number of points.

    Raises:
        UserError: A grid is asked for, but a setting has a range, or fewer points are, or there
            are several methods.
    """
    if grid and METHOD in space:
        raise UserError(
            f"--grid must go with one method, but got {in_words(space[METHOD])}: search each by "
            f"itself, or leave --grid out."
        )
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
    is_grid = grid or (
        trials is None and name == PAPER and preset == "paper" and METHOD not in space
    )
    least = ROUNDS * len(alternatives(space))
    number = trials or (total if is_grid else None) or max(TRIALS[preset], least)
    return is_grid, min(number, total or number)
