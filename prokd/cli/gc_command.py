"""``prokd gc``: lists what nothing needs, asks, removes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import Output
from prokd.errors import UserError
from prokd.runs.cleaning import cached, find_waste, remove


def gc(
    output: Output = Path(),
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            resolve_path=True,
            help="A cache (~/.cache/prokd by default) whose files are to go as well.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove what no study, export or report needs; lists it and asks first."""
    if not output.is_dir():
        raise UserError(f"--output must be a folder of runs, but {output} is not there.")
    waste = [*find_waste(output), *(cached(cache_dir) if cache_dir else ())]
    for item in waste:
        typer.echo(f"{item.num_bytes / 1e6:10.1f} MB  {item.path}  ({item.reason})")
    total = sum(item.num_bytes for item in waste) / 1e6
    typer.echo(f"{len(waste)} to remove, {total:.1f} MB")
    if dry_run or not waste or not (yes or typer.confirm("Remove them?")):
        return
    kept = [item for item in waste if not remove(item)]
    for item in kept:
        typer.echo(f"kept: {item.path} (somebody trains it)")
    typer.echo(f"{len(waste) - len(kept)} removed")
