"""Spaces by name or from a YAML file, checked against the settings that they vary.

Each line is a setting by dotted path, with a list of values or a range::

    encoder.dropout: [0.1, 0.3, 0.5]
    encoder.frozen_layers: {low: 0, high: 6}  # whole numbers, both ends in
    data.source_train_limit: {low: 100, high: 10000, log: true}
    some.stage.learning_rate: {times: [0.25, 4], log: true}  # of what the preset has

A file for a search over several methods may have such lines for each, beneath its name.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prokd.common.names import ending, flatten
from prokd.config import ExperimentConfig, validation_sentence, with_overrides
from prokd.config.yaml_files import read_mapping, with_numbers
from prokd.errors import UserError
from prokd.methods import method_of, methods
from prokd.runs.effect import acting
from search.choice import METHOD, Space
from search.spaces import extremes

PAPER = "paper"
"""Name of the grid that a method's paper prints, if it prints one."""
DEFAULT = "default"
"""Name of the space of settings that are worth a search."""
OWN_OPTIONS = {"source": "--source", "target": "--lang", "seed": "--seeds"}
"""Settings that options of the command line give, and no space."""


class _Range(BaseModel):
    """A range: its two ends, or its two ends as multiples of what the configuration has."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    low: int | float | None = None
    high: int | float | None = None
    times: tuple[float, float] | None = Field(None, description="low and high over the setting")
    log: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> _Range:
        ends = (self.low, self.high)
        if (self.times is None) == (None in ends) or (self.times and ends != (None, None)):
            raise ValueError("a range must have low and high, or times")
        return self


def named_spaces(base: ExperimentConfig) -> list[str]:
    """Return the names of the spaces that come with an experiment's method."""
    return sorted(method_of(base).spaces)


def load_space(name: str, base: ExperimentConfig) -> Space:
    """Return a space by its name, or from a YAML file.

    Args:
        name: Of a space of the method, such as ``default``, or the path of a file. A file may
            have a section for each of several methods, by their names.
        base: The settings that are not varied; ranges may be multiples of its values.

    Raises:
        UserError: No such space; a setting that does not exist or that an option gives; values
            of another form.
    """
    known = method_of(base).spaces
    if name not in known and not Path(name).is_file():
        raise UserError(
            f"a space must be one of {', '.join(named_spaces(base))} or the path of a YAML file, "
            f"{ending(name, named_spaces(base))}"
        )
    tree = known.get(name) or _read(name, base.method)
    space = {setting: _parse(name, setting, tree[setting], base) for setting in tree}
    if not space:
        raise UserError(f"the space {name} must vary a setting, but is empty.")
    return space


def _read(name: str, method: str) -> Mapping[str, Any]:
    """Read the settings of a file that a method is to vary: all of it, or its section."""
    tree = read_mapping(Path(name), "setting: its values")
    known = methods()
    named = [key for key in tree if key in known]
    for key in tree:
        if named and key not in known:
            rule = f"each section of the space {name} must be one of {', '.join(known)}"
            raise UserError(f"{rule}, {ending(str(key), known)}")
    if not named:
        return tree
    section = tree.get(method)
    if not isinstance(section, Mapping):
        there = f"{section!r}" if method in tree else f"sections for {', '.join(named)} alone"
        raise UserError(
            f"the space {name} must have a section of settings for {method}, but has {there}."
        )
    return section


def idle_settings(space: Space, base: ExperimentConfig, name: str) -> list[str]:
    """Return the settings of a space that have no effect beside the others.

    Raises:
        UserError: A value that breaks a rule, or settings that take the effect of another away.
    """
    ends = {path: extremes(values) for path, values in space.items()}
    known = method_of(base).together
    together = {path: ends[path] for path in ends if path in known}
    products = [
        dict(zip(together, chosen, strict=True))
        for chosen in itertools.product(*together.values())
    ]
    singles = [{path: end} for path in ends if path not in known for end in ends[path]]
    corners = [{path: values[place] for path, values in ends.items()} for place in (0, -1)]
    effective: set[str] = set()
    for corner, change in itertools.product(corners, [*products, *singles]):
        try:
            effective |= acting(with_overrides(base, corner | change))
        except UserError as error:
            raise UserError(f"the space {name}: {error}") from None
    return [path for path in space if path not in effective]


def _parse(place: str, setting: str, values: Any, base: ExperimentConfig) -> BaseDistribution:
    """Return the values of one line of a file."""
    start = f"the space {place}: {setting}"
    options = OWN_OPTIONS | {METHOD: "--method"}
    if setting in options:
        raise UserError(f"{start} must be given by {options[setting]}, not by a space.")
    known = flatten(base.model_dump())
    if setting not in known:
        rule = f"the space {place} must name settings of {base.method}"
        raise UserError(f"{rule}, {ending(setting, known)}")
    if isinstance(values, list):
        found = with_numbers(values)
        if not found or len({repr(value) for value in found}) < len(found):
            raise UserError(f"{start} must have a list of different values, but got {values!r}.")
        return CategoricalDistribution(found)
    if not isinstance(values, Mapping):
        raise UserError(
            f"{start} must have a list of values, {{low: .., high: .., log: true}} or "
            f"{{times: [.., ..]}}, but got {values!r}."
        )
    try:
        range_ = _Range.model_validate({key: with_numbers(value) for key, value in values.items()})
    except ValidationError as error:
        raise UserError(f"{start}: {validation_sentence(error)}") from None
    return _distribution(start, range_, known[setting])


def _distribution(start: str, range_: _Range, value: Any) -> BaseDistribution:
    if isinstance(value, bool | str) or (value is None and range_.times is not None):
        raise UserError(f"{start} must have a list of values, but got a range.")
    low, high = range_.low, range_.high
    if range_.times is not None:
        low, high = (factor * value for factor in range_.times)
    assert low is not None, "a range has both ends"
    assert high is not None, "a range has both ends"
    unset = value is None and low == int(low) and high == int(high)  # a limit, say
    is_whole = isinstance(value, int) or unset
    if is_whole and range_.times is not None:
        low, high = max(1, round(low)), max(1, round(high))
    if is_whole and (low != int(low) or high != int(high)):
        raise UserError(f"{start} must have whole ends, but got {low} and {high}.")
    if not low < high or (range_.log and low <= 0):
        rule = "0 < low < high" if range_.log else "low < high"
        raise UserError(f"{start}: `{rule}` must hold, but got (low={low}, high={high}).")
    if is_whole:
        return IntDistribution(int(low), int(high), log=range_.log)
    return FloatDistribution(float(low), float(high), log=range_.log)
