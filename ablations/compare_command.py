"""``prokd compare``: results of whole methods beside each other and beside published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import Output


def compare(
    dataset: Annotated[
        str | None,
        typer.Option(help="wikiann, conll or phrasebook; needed where there are several."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Row that the others are tested against; else tsl, prokd or the first."),
    ] = None,
    output: Output = Path(),
    to: Annotated[
        Path | None,
        typer.Option(resolve_path=True, help="Folder of the tables; else OUTPUT/tables."),
    ] = None,
) -> None:
    """Compare all finished methods of an output folder, by its ablations and studies alone.

    Rows are methods, columns target languages and their average, means over seeds. Published
    figures of the same measure stand above. Nothing is trained.
    """
    from ablations.compare import write_comparison
    from prokd.common.places import check_writable

    folder = to or output / "tables"
    check_writable(folder, "--to")
    lines, paths = write_comparison(output, folder, dataset=dataset, reference=reference)
    typer.echo("\n".join(lines))
    for path in paths:
        typer.echo(f"written: {path}")
