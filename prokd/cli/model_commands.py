"""``prokd evaluate``: how good a trained model is on labelled text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import (
    DataDirs,
    Dataset,
    Device,
    Model,
    Separator,
    TagColumn,
    Types,
    separator_of,
)
from prokd.common.import_path import lean_imports
from prokd.common.places import check_model
from prokd.config import RuntimeConfig

Folder = Annotated[Path, typer.Argument(help="A finished run or an export.")]


def evaluate(
    folder: Folder,
    language: Annotated[str, typer.Option("--lang", help="Language to score on.")],
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    types: Types = [],  # noqa: B006
    model: Model = None,
    device: Device = "auto",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a model on any labelled split: entity level, strict, by type, token level."""
    check_model(folder)
    with lean_imports():
        from prokd.data.words import check_language
        from prokd.scoring.tagging import Tagger
        from prokd.scoring.type_mapping import (
            absent_types,
            parse_mapping,
            score,
            with_mapped_types,
        )
        from prokd.training.model_data import ModelData

        mapping = parse_mapping(types)
        tagger = Tagger(folder, RuntimeConfig(device=device), model)
    data = ModelData(folder, dataset, tuple(data_dirs), separator_of(separator), tag_column)
    corpus = data.corpus(check_language(language), split)
    corpus = with_mapped_types(corpus, mapping, tagger.tag_set)
    for note in absent_types(corpus, tagger.tag_set):
        typer.echo(note, err=True)
    scores = score(tagger, corpus)
    lines = [f"{name:40s} {value:.4f}" for name, value in scores.items()]
    typer.echo(json.dumps(scores, indent=2) if json_output else "\n".join(lines))
