"""What a study draws: the settings of one method, or first a method and then that one's settings.

A space of several methods has the parameter ``method`` and, for each setting of a method, the
parameter ``<method>:<dotted path>``, which a trial has only if it has drawn that method. A space
of one method has the settings alone, by dotted path. Only this module knows the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

Space = Mapping[str, BaseDistribution]
"""Parameters of a study, each with its values; what a parameter depends on stands before it."""
Point = Mapping[str, Any]
"""Values by dotted path, and the method's name as ``method`` where several are searched."""

METHOD = "method"
"""The parameter that chooses the method."""
MARK = ":"
"""Between a method and the path of its setting; no path has one."""


def joined(spaces: Mapping[str, Space]) -> Space:
    """Return the space of some methods, whose own spaces are given by name.

    >>> lists = {"encoder.dropout": CategoricalDistribution((0.1, 0.5))}
    >>> list(joined({"one": lists})), list(joined({"one": lists, "two": {}}))
    (['encoder.dropout'], ['method', 'one:encoder.dropout'])
    """
    if len(spaces) == 1:
        return next(iter(spaces.values()))
    found: dict[str, BaseDistribution] = {METHOD: CategoricalDistribution(tuple(spaces))}
    for method, space in spaces.items():
        found |= {f"{method}{MARK}{path}": values for path, values in space.items()}
    return found


def alternatives(space: Space) -> dict[str, Space]:
    """Return what a trial may draw, by method: spaces without conditions.

    That of one method stands under no name. Those of several hold the choice itself.

    >>> list(alternatives(joined({"one": {}, "two": {}}))["two"][METHOD].choices)
    ['two']
    """
    choice = space.get(METHOD)
    if choice is None:
        return {"": space}
    assert isinstance(choice, CategoricalDistribution), "methods are a list"
    return {
        name: {METHOD: CategoricalDistribution((name,))}
        | {parameter: space[parameter] for parameter in space if _owner(parameter) == name}
        for name in map(str, choice.choices)
    }


def is_drawn(parameter: str, params: Mapping[str, Any]) -> bool:
    """Tell whether a trial with these parameters so far has this one too.

    >>> (
    ...     is_drawn("one:a", {"method": "one"}),
    ...     is_drawn("one:a", {"method": "two"}),
    ...     is_drawn("a", {}),
    ... )
    (True, False, True)
    """
    return _owner(parameter) in ("", params.get(METHOD))


def is_whole(params: Mapping[str, Any], space: Space) -> bool:
    """Tell whether a trial has all of its parameters."""
    return set(params) == {parameter for parameter in space if is_drawn(parameter, params)}


def method_in(params: Mapping[str, Any]) -> str:
    """Return the method that a trial has drawn; no name where there is no choice."""
    return str(params.get(METHOD, ""))


def parameter(space: Space, method: str, path: str) -> str:
    """Return what a setting of a method is called in a study of this space."""
    return f"{method}{MARK}{path}" if METHOD in space else path


def point_of(params: Mapping[str, Any]) -> Point:
    """Return what a trial's parameters mean: values by dotted path.

    >>> point_of({"method": "one", "one:encoder.dropout": 0.1})
    {'method': 'one', 'encoder.dropout': 0.1}
    """
    return {name.rpartition(MARK)[2]: value for name, value in params.items()}


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among a trial's parameters, by dotted path.

    >>> settings_of({"method": "one", "one:encoder.dropout": 0.1})
    {'encoder.dropout': 0.1}
    """
    return {path: value for path, value in point_of(params).items() if path != METHOD}


def in_common(fixed: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return what is not searched, under its path alone where all methods with it agree.

    Args:
        fixed: Values by what a study would call the settings.
        space: What is searched.

    >>> in_common({"one:a": 1, "two:a": 1, "one:b": 1, "two:b": 2, "one:c": 3}, {})
    {'a': 1, 'one:b': 1, 'two:b': 2, 'c': 3}
    """
    searched = {name.rpartition(MARK)[2] for name in space}
    values: dict[str, list[Any]] = {}
    for name, value in fixed.items():
        values.setdefault(name.rpartition(MARK)[2], []).append(value)
    found = {}
    for name, value in fixed.items():
        path = name.rpartition(MARK)[2]
        agree = path not in searched and all(value == other for other in values[path])
        found[path if agree else name] = value
    return found


def _owner(parameter: str) -> str:
    """Return the method whose setting a parameter is; no name if all trials have it."""
    return parameter.rpartition(MARK)[0]
