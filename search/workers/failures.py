"""Why a process that trains has failed, in a line."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError

from prokd.common.raised import place_in

LOST = "the worker was lost (its process was killed, or its machine is gone)"
LONGEST = 400
"""Most characters of an error that are shown."""


def why(error: RayError) -> str:
    """Return what a worker raised, class, text and place in a line; or that it was lost."""
    if isinstance(error, RayTaskError) and type(error.cause) is not RayError:
        said = f"{type(error.cause).__name__}: {' '.join(str(error.cause).split())}"[:LONGEST]
        return said + place_in(str(error))
    if isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False):
        return str(error).strip().splitlines()[-1].strip()[:LONGEST]
    return LOST
