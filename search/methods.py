"""From ``--method`` and the other options to a configuration of each method that is searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer

from prokd.cli.options import codes, given_settings
from prokd.common.names import ending, flatten, nearest
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.config.settings import JOINT
from prokd.errors import UserError
from prokd.methods import build_config, lacking, method_named, methods
from prokd.runs.effect import acting
from search.configs import base_configs, free_space, naming
from search.fairness import comparable
from search.space_files import OWN_OPTIONS
from search.spaces import readers

ALL = "all"
"""Stands for every method that there is."""


@dataclass(frozen=True)
class Chosen:
    """The methods of a search.

    Args:
        names: In the order in which `prokd.methods.methods` has them, however they were given.
        is_all: Whether nobody named them: one that cannot run is left out.
    """

    names: tuple[str, ...]
    is_all: bool


def chosen(given: Sequence[str]) -> Chosen:
    """Read what ``--method`` says, repeated or separated by commas.

    >>> chosen(["msd,tsl"]).names, chosen(["all"]).is_all
    (('tsl', 'msd'), True)

    Raises:
        UserError: There is none, or one that is not known.
    """
    names = codes(given, "--method", "a method")
    for name in names:
        if name != ALL:
            method_named(name)
    is_all = ALL in names
    return Chosen(tuple(name for name in methods() if is_all or name in names), is_all)


def bases_of(
    names: Sequence[str],
    *,
    reading: str | None,
    source: str,
    settings: Sequence[str],
    **options: Any,
) -> tuple[list[list[ExperimentConfig]], dict[str, list[str]]]:
    """Return the configurations of methods for each target, and what is fixed of each method.

    Of several methods each takes the settings that it has and that act on it, and the reading if
    it has one of that name.

    Args:
        names: Of the methods.
        reading: As it was asked for.
        source: Languages, as they were given.
        settings: Values of ``--set``, as they were given.
        options: The others that `search.configs.base_configs` takes.

    Raises:
        UserError: A setting or a reading that no method has, several sources of which methods make
            different use, and whatever else no configuration can be built of.
    """
    own_reading = _readings(names, reading)
    own_settings = {name: list(settings) for name in names}
    options |= {"source": source, "say": cache(typer.echo)}  # one sentence for all methods
    if len(names) > 1:
        _check_sources(names, source)
        own_settings = _settings(names, settings, own_reading, options)
    columns, fixed = [], {}
    for name in names:
        with naming(name, if_several=names):
            configs, fixed[name] = base_configs(
                method=name, reading=own_reading[name], settings=own_settings[name], **options
            )
        columns.append(configs)
    return [list(row) for row in zip(*columns, strict=True)], fixed


def able(
    bases: Sequence[ExperimentConfig],
    runtime: RuntimeConfig,
    space_name: str,
    fixed: Mapping[str, Sequence[str]],
    *,
    is_all: bool,
    by_source: bool,
    say: Callable[[str], object] = typer.echo,
) -> list[ExperimentConfig]:
    """Return the configurations whose methods can run on the data at hand, all of their space.

    Args:
        bases: One for each method.
        runtime: Where the data lies.
        space_name: Of what is searched, as for `search.configs.searched`.
        fixed: Settings that ``--set`` gives, by method.
        is_all: Whether others are left out, and told; else they are refused.
        by_source: Whether source dev ranks them: of all methods those that it favours are left
            out, and told.
        say: Tells a person.

    Raises:
        UserError: A method that was asked for by name cannot run, or none can.
    """
    found = []
    for base in bases:
        with naming(base.method, if_several=bases):
            space = free_space(space_name, base, fixed[base.method], say)
        reasons = [lacking(config, runtime) for config in readers(base, space)]
        reason = next(filter(None, reasons), None)
        if reason is None:
            found.append(base)
        elif not is_all:
            raise UserError(f"{reason}.")
        else:
            say(f"{base.method} is left out: {reason}")
    if not found:
        raise UserError("--method all needs a method that can run, but all are left out.")
    return comparable(found, say) if is_all and by_source else found


def _check_sources(names: Sequence[str], source: str) -> None:
    """Refuse sources that one method reads by themselves and another as one corpus."""
    several = [name for name in names if method_named(name).many_sources]
    languages = codes([source], "--source")
    if len(languages) > 1 and 0 < len(several) < len(names):
        raise UserError(
            f"methods that are compared must read the same source, but of --source {source} "
            f"{' and '.join(several)} would learn from each by itself, the others from one corpus "
            f"(which --source {JOINT.join(languages)} makes of them for all)."
        )


def _readings(names: Sequence[str], reading: str | None) -> dict[str, str | None]:
    """Return the reading of each method: None, its default, where it has none of that name."""
    if len(names) == 1:
        return {names[0]: reading}
    known = dict.fromkeys(each for name in names for each in method_named(name).readings)
    if reading is not None and reading not in known:
        rule = f"the reading must be one of {', '.join(known)}"
        raise UserError(f"{rule}, {ending(reading, known)}")
    return {name: reading if reading in method_named(name).readings else None for name in names}


def _settings(
    names: Sequence[str],
    settings: Sequence[str],
    readings: Mapping[str, str | None],
    options: Mapping[str, Any],
) -> dict[str, list[str]]:
    """Return the settings that each method has and that act on it."""
    texts = dict(zip(given_settings(settings, OWN_OPTIONS), settings, strict=True))
    found, known = {}, set()
    for name in names:
        default = build_config(options["preset"], readings[name], method=name)
        own = [path for path in texts if path in flatten(default.model_dump())]
        known.update(own)
        with naming(name, if_several=names):
            (config, *_), _ = base_configs(
                method=name,
                reading=readings[name],
                settings=[texts[path] for path in own],
                is_checked=False,
                **options,
            )
        found[name] = [path for path in own if path in acting(config)]
    for path in texts:
        if path not in known:
            _refuse_unknown(path, names)
        if not any(path in own for own in found.values()):
            raise UserError(
                f"the setting {path} must have an effect, but has none beside the other settings "
                f"of {', '.join(names)}: leave it out, or set what it belongs to."
            )
    return {name: [texts[path] for path in own] for name, own in found.items()}


def _refuse_unknown(path: str, names: Sequence[str]) -> None:
    """Say of a setting that no method has what may have been meant."""
    known = {each for name in names for each in flatten(build_config(method=name).model_dump())}
    meant = nearest(path, sorted(known))
    question = f"; did you mean {meant}?" if meant else "."
    raise UserError(f"the setting {path!r} does not exist in {' or '.join(names)}{question}")
