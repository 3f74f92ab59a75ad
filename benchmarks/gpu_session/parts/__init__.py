"""The parts, one a module, in the order of their worth for the time that they take."""

from __future__ import annotations

from benchmarks.gpu_session.runner import Part

LIMITS = {
    "rate": 20,
    "checks": 90,
    "steps": 60,
    "padding": 40,
    "grid": 75,
    "precision": 110,
    "memory": 60,
    "predict": 70,
    "at_once": 60,
    "stacked": 45,
    "frozen": 30,
    "compiled": 100,
}
"""Seconds after which a part is killed. Together they are more than a session has: most need
less, and what is left out then is the last."""


def all_parts(names: list[str] | None = None, patience: float = 1.0) -> list[Part]:
    """Return some parts, or all, in their order.

    Args:
        names: Of the parts; None or empty = all.
        patience: Times the limits.

    Raises:
        ValueError: A name that is none.
    """
    for name in names or ():
        if name not in LIMITS:
            raise ValueError(f"a part must be one of {', '.join(LIMITS)}, but got {name!r}.")
    return [
        Part(name, f"{__name__}.{name}", patience * seconds)
        for name, seconds in LIMITS.items()
        if not names or name in names
    ]
