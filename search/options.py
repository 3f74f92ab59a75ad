"""Options of searches and ablations, and how their values are read."""

from __future__ import annotations

import re
from typing import Annotated, Optional

import typer

from prokd.errors import UserError

Settings = Annotated[list[str], typer.Option("--set", help="path=value; repeatable.")]
Languages = Annotated[list[str], typer.Option("--lang", help="Targets; repeatable or a,b,c.")]
Methods = Annotated[
    list[str],
    typer.Option(
        "--method",
        metavar="NAME|all",
        help="prokd, tsl, msd, baseline or another's; of several the search chooses: a,b or all.",
    ),
]
Text = Optional[str]  # noqa: UP045


def parse_seconds(text: str) -> float:
    """Read a time span.

    >>> parse_seconds("90"), parse_seconds("30m"), parse_seconds("1h30m")
    (90.0, 1800.0, 5400.0)
    """
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms]?)", text)
    seconds = sum(float(number) * units[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise UserError(f"a time budget must look like 30m, 2h or 90 (seconds), but got {text!r}.")
    return seconds


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read a number of seeds, or a list of them.

    >>> parse_seeds("3"), parse_seeds("1,5"), parse_seeds("7,")
    ((0, 1, 2), (1, 5), (7,))
    """
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    seeds = tuple(numbers) if "," in text else tuple(range(numbers[0])) if numbers else ()
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(
            f"the seeds must be a number >= 1 or a list of different ones such as 0,1,2, "
            f"but got {text!r}."
        )
    return seeds
