"""``prokd report``: one HTML file of a study or an ablation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import Output


def report(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY|ABLATION|PATH",
            help="A study, an ablation's report, or a file of one; the newest by default.",
        ),
    ] = None,
    output: Output = Path(),
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE.html",
            resolve_path=True,
            help="The file; OUTPUT/reports/NAME.html by default, its figures lie beside it.",
        ),
    ] = None,
) -> None:
    """Write a study or an ablation as one HTML file, from its files alone: nothing is trained."""
    from prokd.errors import UserError
    from search.report.write import find, write_report

    if to is not None and to.suffix not in (".html", ".htm"):
        raise UserError(f"--to must name a file that ends in .html, but got {to}.")
    typer.echo(f"report: {write_report(find(name, output), to)}")
