"""What a search varies: settings by dotted path, each with its values or its range.

The printed grid (``paper``) varies lambda, tau1, tau2 and beta. lambda acts on the student and,
where the alignment compares moving averages (the literal reading), on the teacher: the 300 points
then have 20 distinct teachers. Where it compares the prototypes of batches (the stable reading),
they have 5. Other spaces, named or from a file: `search.space_files`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

Space = Mapping[str, BaseDistribution]
Point = Mapping[str, Any]

_TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9)

TEACHER_SPACE: Space = {
    "prototypes.update_rate": CategoricalDistribution((0.001, 0.005, 0.0001, 0.0005)),
    "teacher.alignment.temperature": CategoricalDistribution(_TEMPERATURES),
}
"""lambda and tau1."""

STUDENT_SPACE: Space = {
    "student.prototype_temperature": CategoricalDistribution(_TEMPERATURES),
    "student.fusion_weight": CategoricalDistribution((0.7, 0.8, 0.9)),
}
"""tau2 and beta."""

SPACE: Space = {**TEACHER_SPACE, **STUDENT_SPACE}
"""The grid that the paper prints."""

SYMBOLS = {
    "prototypes.update_rate": "λ",
    "teacher.alignment.temperature": "τ1",
    "student.prototype_temperature": "τ2",
    "student.fusion_weight": "β",
}
"""The paper's symbol of each setting that has one."""


def without(space: Space, fixed: Iterable[str]) -> Space:
    """Return the space less the settings that somebody fixed.

    >>> sorted(without(STUDENT_SPACE, ["student.fusion_weight"]))
    ['student.prototype_temperature']
    """
    left_out = set(fixed)
    return {path: choices for path, choices in space.items() if path not in left_out}


def ranges(space: Space) -> list[str]:
    """Return the settings that have a range instead of a list of values.

    >>> ranges({"student.epochs": IntDistribution(2, 4)} | SPACE)
    ['student.epochs']
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

    >>> len(points(SPACE)), len(points(TEACHER_SPACE))
    (300, 20)
    """
    values = choices(space)
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def size(space: Space) -> int | None:
    """Return the number of points; None where a range has no end of them.

    >>> size(SPACE), size({"student.confidence": FloatDistribution(0, 0.9)})
    (300, None)
    """
    if ranges(space):
        return None
    return math.prod(len(values) for values in choices(space).values())


def suggest(trial: Trial, path: str, values: BaseDistribution) -> Any:
    """Draw one setting of an Optuna trial."""
    if isinstance(values, FloatDistribution):
        return trial.suggest_float(path, values.low, values.high, step=values.step, log=values.log)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(path, values.low, values.high, step=values.step, log=values.log)
    assert isinstance(values, CategoricalDistribution), "there are three kinds"
    return trial.suggest_categorical(path, values.choices)


def drawn(space: Space, number: int) -> list[dict[str, Any]]:
    """Return some points, evenly drawn at random with a fixed seed, to count with.

    >>> drawn({"student.epochs": IntDistribution(2, 2)}, 2)
    [{'student.epochs': 2}, {'student.epochs': 2}]
    """
    generator = random.Random(0)
    return [
        {path: _draw(generator, values) for path, values in space.items()} for _ in range(number)
    ]


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
    """Return settings in the order in which they are shown: those with a symbol first."""
    given = list(paths)
    return [p for p in SYMBOLS if p in given] + [p for p in given if p not in SYMBOLS]


def label(path: str) -> str:
    """Return what a setting is called in tables: its symbol, else its path.

    >>> label("student.fusion_weight"), label("student.epochs")
    ('β', 'student.epochs')
    """
    return SYMBOLS.get(path, path)


def short(value: Any) -> str:
    """Write a value with as many digits as tell it from others.

    >>> short(0.000312345), short(True), short("unit"), short(0.0005)
    ('0.0003123', 'True', 'unit', '0.0005')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_symbols(point: Point) -> str:
    """Write a point in the paper's symbols.

    >>> in_symbols({"student.fusion_weight": 0.7, "prototypes.update_rate": 0.001})
    'λ=0.001 β=0.7'
    """
    return " ".join(f"{label(path)}={short(point[path])}" for path in ordered(point))
