"""``prokd features``: where models put words of each class and language, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from prokd.cli.errors_command import Limit
from prokd.cli.options import (
    DataDirs,
    Dataset,
    Device,
    Model,
    Names,
    Place,
    Runs,
    Seed,
    Separator,
    TagColumn,
    Types,
    check_names,
    separator_of,
)
from prokd.common.places import check_writable
from prokd.config import RuntimeConfig
from prokd.errors import UserError

CLASSES = ("tags", "types")


def features(
    runs: Annotated[
        list[str],
        typer.Argument(help="One to four: a run (folder, name or signature) or an export."),
    ],
    language: Annotated[str, typer.Option("--lang", help="Target language.")],
    source: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Source language; else the first one that the first model learned."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, dev or test: its labels are read, in both languages.")
    ] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    types: Types = [],  # noqa: B006
    classes: Annotated[
        str, typer.Option(help="tags (B- and I- of each type, as in the paper) or types.")
    ] = "tags",
    outside: Annotated[
        bool, typer.Option("--outside", help="Words outside of entities are a class, too.")
    ] = False,
    tokens: Annotated[
        int, typer.Option("--tokens-per-class", min=1, help="Words of each class and language.")
    ] = 50,
    seed: Seed = 0,
    names: Names = [],  # noqa: B006
    limit: Limit = None,
    runs_dir: Runs = Path("runs"),
    output: Annotated[
        Place,
        typer.Option(
            resolve_path=True,
            help="Folder of the files; else reports/features-<model>-<language>-<split>.",
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Draw models' features of words by class and language (t-SNE), and measure their alignment.

    All panels show the same words. Circles are the source, triangles the target, colours the
    types of entities. The numbers say of each class how well source and target lie together.
    """
    from prokd.cli.features_files import MEANINGS, alignment_table, write_files
    from prokd.data.words import check_language
    from prokd.scoring.type_mapping import parse_mapping
    from prokd.training.model_data import ModelData, find_model
    from prokd.training.token_features import MOST_MODELS, Choice, feature_map

    if classes not in CLASSES:
        raise UserError(f"--classes must be one of {', '.join(CLASSES)}, but got {classes!r}.")
    if len(runs) > MOST_MODELS:
        raise UserError(f"there must be at most {MOST_MODELS} models, but got {len(runs)}.")
    check_names(names, len(runs))
    mapping = parse_mapping(types)
    folders = [find_model(given, runs_dir) for given in runs]
    called = "-vs-".join(folder.resolve().name for folder in folders)
    place = output or Path("reports") / f"features-{called}-{check_language(language)}-{split}"
    check_writable(place, "--output")
    form = separator_of(separator), tag_column, limit
    models = [ModelData(folder, dataset, tuple(data_dirs), *form) for folder in folders]
    source = check_language(source) if source else models[0].sources[0]
    found = feature_map(
        models,
        (models[0].corpus(source, split), models[0].corpus(language, split)),
        names=names,
        choice=Choice(tokens, classes == "types", outside, seed),
        mapping=mapping,
        runtime=RuntimeConfig(device=device),
        encoder=model,
    )
    lines = [found.note, *found.few()]
    for panel in found.panels:
        lines.append(f"{panel.name}: {panel.data.folder} ({panel.data.description})")
    for panel in found.panels:
        lines += ["", *alignment_table(panel.name, panel.alignment).lines()]
    typer.echo("\n".join([*lines, "", *MEANINGS, ""]))
    for path in write_files(found, place):
        typer.echo(f"written: {path}")
