"""``prokd data``: what lies in the files, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import (
    DataDirs,
    Dataset,
    Model,
    Preset,
    Separator,
    Settings,
    TagColumn,
    codes,
    experiment,
    separator_of,
)
from prokd.common.places import check_file


def data(
    languages: Annotated[
        list[str], typer.Option("--lang", help="Languages; repeatable or a,b,c.")
    ],
    preset: Preset = "paper",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    model: Model = None,
    settings: Settings = [],  # noqa: B006
    splits: Annotated[str, typer.Option(help="Comma-separated splits.")] = "train,dev,test",
    to: Annotated[
        list[Path],
        typer.Option(
            resolve_path=True,
            help="Also write Table 1 as FILE.md, FILE.csv or FILE.tex; repeatable.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Count sentences, entities and words cut; compare with the paper's Table 1."""
    from prokd.data.statistics_table import check_form, write_statistics

    wanted = codes(languages)
    for path in to:
        check_form(path)
        check_file(path, "--to")
    for language in wanted:
        config = experiment(
            preset=preset,
            reading=None,
            language=language,
            source="en",
            dataset=dataset,
            model=model,
            seed=0,
            settings=settings,
            say=lambda sentence: None,  # nothing is trained
        )
    from prokd.data import data_report, format_report
    from prokd.encoder.files import load_tokenizer

    is_known = model or preset == "mini" or any(s.startswith("encoder.name=") for s in settings)
    rows = data_report(
        config.data.dataset,
        wanted,
        splits=codes([splits], "--splits", "a split"),
        data_dirs=data_dirs,
        tokenizer=load_tokenizer(config.encoder.name) if is_known else None,
        max_length=config.data.max_length,
        separator=separator_of(separator),
        tag_column=tag_column,
    )
    typer.echo(format_report(rows))
    for path in to:
        write_statistics(rows, config.data.dataset, path)
        typer.echo(f"written: {path}")
