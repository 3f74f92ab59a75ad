"""What the search varies: dotted paths of settings and the values of the paper's grid.

lambda acts on the student and, where the alignment compares moving averages (the literal reading),
on the teacher: the grid of 300 points then has 20 distinct teachers and 300 students. Where it
compares the prototypes of batches (the stable reading), the grid has 5 distinct teachers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution

Space = Mapping[str, CategoricalDistribution]
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
"""The joint space of the search."""

SYMBOLS = {
    "prototypes.update_rate": "λ",
    "teacher.alignment.temperature": "τ1",
    "student.prototype_temperature": "τ2",
    "student.fusion_weight": "β",
}
"""The paper's symbol of each searched setting."""


def without(space: Space, fixed: Iterable[str]) -> Space:
    """Return the space less the settings that somebody fixed.

    >>> sorted(without(STUDENT_SPACE, ["student.fusion_weight"]))
    ['student.prototype_temperature']
    """
    left_out = set(fixed)
    return {path: choices for path, choices in space.items() if path not in left_out}


def choices(space: Space) -> dict[str, list[Any]]:
    """Return the values of each setting, as GridSampler wants them."""
    return {path: list(distribution.choices) for path, distribution in space.items()}


def points(space: Space) -> list[dict[str, Any]]:
    """Return every point of the grid.

    >>> len(points(SPACE)), len(points(TEACHER_SPACE))
    (300, 20)
    """
    values = choices(space)
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def in_symbols(point: Point) -> str:
    """Write a point in the paper's symbols.

    >>> in_symbols({"student.fusion_weight": 0.7, "prototypes.update_rate": 0.001})
    'λ=0.001 β=0.7'
    """
    order = [path for path in SYMBOLS if path in point]
    order += [path for path in point if path not in SYMBOLS]
    return " ".join(f"{SYMBOLS.get(path, path)}={point[path]}" for path in order)
