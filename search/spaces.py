"""What a search varies: settings by dotted path, each with its values or its range.

Methods have named spaces, and files hold others: `search.space_files`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable
from functools import cache
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from prokd.config import ExperimentConfig, with_overrides
from prokd.errors import UserError
from prokd.methods import contents_key, methods, needed_corpora
from search.choice import METHOD, alternatives, is_drawn, settings_of
from search.choice import Point as Point
from search.choice import Space as Space


@cache
def symbols() -> dict[str, str]:
    """Return the symbol in its method's paper of each setting that has one."""
    return {path: name for method in methods().values() for path, name in method.symbols.items()}


def without(space: Space, fixed: Iterable[str]) -> Space:
    """Return the space less the settings that somebody fixed.

    >>> sorted(without({"data.max_length": None, "encoder.dropout": None}, ["encoder.dropout"]))
    ['data.max_length']
    """
    left_out = set(fixed)
    return {path: choices for path, choices in space.items() if path not in left_out}


def ranges(space: Space) -> list[str]:
    """Return the settings that have a range instead of a list of values.

    >>> lists = {"encoder.dropout": CategoricalDistribution((0.1, 0.5))}
    >>> ranges({"data.max_length": IntDistribution(32, 64)} | lists)
    ['data.max_length']
    """
    return [p for p, values in space.items() if not isinstance(values, CategoricalDistribution)]


def choices(space: Space) -> dict[str, list[Any]]:
    """Return the values of each setting of a space of lists, as GridSampler wants them."""
    assert not ranges(space), "a range has no list of values"
    return {
        path: list(values.choices)
        for path, values in space.items()
        if isinstance(values, CategoricalDistribution)
    }


def points(space: Space) -> list[dict[str, Any]]:
    """Return every point of a space of lists.

    >>> points({"encoder.dropout": CategoricalDistribution((0.1, 0.5))})
    [{'encoder.dropout': 0.1}, {'encoder.dropout': 0.5}]
    """
    lists = [choices(own) for own in alternatives(space).values()]
    return [
        dict(zip(values, row, strict=True))
        for values in lists
        for row in itertools.product(*values.values())
    ]


def size(space: Space) -> int | None:
    """Return the number of points; None where a range has no end of them.

    >>> lists = {"encoder.dropout": CategoricalDistribution((0.1, 0.5))}
    >>> size(lists), size({"encoder.dropout": FloatDistribution(0, 0.9)})
    (2, None)
    """
    if ranges(space):
        return None
    lists = [choices(own) for own in alternatives(space).values()]
    return sum(math.prod(map(len, values.values())) for values in lists)


def draw(trial: Trial, space: Space) -> None:
    """Draw all parameters of an Optuna trial that it does not have yet."""
    for name, values in space.items():
        if is_drawn(name, trial.params):
            _suggest(trial, name, values)


def _suggest(trial: Trial, path: str, values: BaseDistribution) -> Any:
    if isinstance(values, FloatDistribution):
        return trial.suggest_float(path, values.low, values.high, step=values.step, log=values.log)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(path, values.low, values.high, step=values.step, log=values.log)
    assert isinstance(values, CategoricalDistribution), "there are three kinds"
    return trial.suggest_categorical(path, values.choices)


def drawn(space: Space, number: int) -> list[dict[str, Any]]:
    """Return some points, evenly drawn at random with a fixed seed, to count with.

    Where there are several methods they take turns.

    >>> drawn({"data.max_length": IntDistribution(32, 32)}, 2)
    [{'data.max_length': 32}, {'data.max_length': 32}]
    """
    generator = random.Random(0)
    turns = itertools.islice(itertools.cycle(alternatives(space).values()), number)
    return [{path: _draw(generator, values) for path, values in own.items()} for own in turns]


def _draw(generator: random.Random, values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return generator.choice(values.choices)
    assert isinstance(values, FloatDistribution | IntDistribution), "there are three kinds"
    low, high = values.low, values.high
    if values.log:
        value = math.exp(generator.uniform(math.log(low), math.log(high)))
    else:
        value = generator.uniform(low, high)
    return round(value) if isinstance(values, IntDistribution) else value


def extremes(values: BaseDistribution) -> tuple[Any, ...]:
    """Return the values of a list, or the two ends of a range."""
    if isinstance(values, CategoricalDistribution):
        return values.choices
    assert isinstance(values, FloatDistribution | IntDistribution), "there are three kinds"
    return values.low, values.high


def readers(base: ExperimentConfig, space: Space) -> list[ExperimentConfig]:
    """Return an experiment, and those with one setting at an end of its space that read others.

    More than it does, or others of the same name: another encoder, say.

    Args:
        base: What is not searched.
        space: Settings of its method, by dotted path or as a study calls them.
    """
    found, known, contents = [base], set(needed_corpora(base)), {contents_key(base)}
    for name, values in space.items():
        for end in extremes(values):
            try:
                config = with_overrides(base, settings_of({name: end}))
            except UserError:  # beside other settings it is right
                continue
            if contents_key(config) in contents and known.issuperset(needed_corpora(config)):
                continue
            contents.add(contents_key(config))
            known.update(needed_corpora(config))
            found.append(config)
    return found


def in_words(values: BaseDistribution) -> str:
    """Write the values of a setting for a reader.

    >>> (
    ...     in_words(CategoricalDistribution((0.7, 0.8))),
    ...     in_words(FloatDistribution(1e-5, 1, log=True)),
    ... )
    ('0.7, 0.8', '1e-05 to 1 (log)')
    """
    if isinstance(values, CategoricalDistribution):
        return ", ".join(map(short, values.choices))
    low, high = extremes(values)
    return f"{short(low)} to {short(high)}{' (log)' if getattr(values, 'log', False) else ''}"


def ordered(paths: Iterable[str]) -> list[str]:
    """Return settings in the order in which they are shown: those with a symbol first.

    Before them stands the method, where that is a choice.
    """
    given = list(paths)
    known = [METHOD, *symbols()]
    return [p for p in known if p in given] + [p for p in given if p not in known]


def label(path: str) -> str:
    """Return what a setting is called in tables: its symbol, else its path.

    >>> label("encoder.dropout")
    'encoder.dropout'
    """
    return symbols().get(path, path)


def short(value: Any) -> str:
    """Write a value with as many digits as tell it from others.

    >>> short(0.000312345), short(True), short("unit"), short(0.0005)
    ('0.0003123', 'True', 'unit', '0.0005')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_symbols(point: Point) -> str:
    """Write a point, in the symbols of its method's paper where there are any.

    >>> in_symbols({"encoder.dropout": 0.25})
    'encoder.dropout=0.25'
    """
    return " ".join(f"{label(path)}={short(point[path])}" for path in ordered(point))
