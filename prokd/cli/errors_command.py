"""``prokd errors``: what one model gets wrong, or two side by side, for people to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from prokd.cli.options import (
    DataDirs,
    Dataset,
    Device,
    Model,
    Names,
    Place,
    Runs,
    Separator,
    TagColumn,
    Types,
    check_names,
    separator_of,
)
from prokd.common.import_path import lean_imports
from prokd.common.places import check_writable
from prokd.common.streams import write_out
from prokd.config import RuntimeConfig
from prokd.errors import UserError

Given = Annotated[str, typer.Argument(help="A run (folder, name or signature) or an export.")]
Limit = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="First N sentences; else as many as the run is scored on, or all."),
]


def errors(
    run: Given,
    other: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="A second one, to be compared with the first."),
    ] = None,
    *,
    language: Annotated[str, typer.Option("--lang", help="Language to look at.")],
    split: Annotated[str, typer.Option(help="train, dev or test: its labels are read.")] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    source_dir: Annotated[
        Place,
        typer.Option(
            resolve_path=True, help="Folder DIR/<source>/train; else where the data lies."
        ),
    ] = None,
    separator: Separator = None,
    tag_column: TagColumn = None,
    types: Types = [],  # noqa: B006
    entities: Annotated[
        str,
        typer.Option(
            help="lenient (entity_f1 of `prokd evaluate`), strict (entity_f1_strict) or viterbi "
            "(entity_f1_viterbi)."
        ),
    ] = "lenient",
    limit: Limit = None,
    examples: Annotated[int, typer.Option(min=0, help="Sentences of each kind of error.")] = 3,
    case_study: Annotated[
        int,
        typer.Option(
            "--cases", min=0, help="Of two models: cases of each side in the case study."
        ),
    ] = 5,
    names: Names = [],  # noqa: B006
    runs_dir: Runs = Path("runs"),
    output: Annotated[
        Place,
        typer.Option(
            resolve_path=True,
            help="Folder of the files; else reports/errors-<model>-<language>-<split>.",
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count and show the errors of a model, or of two, on labelled text; write them to files.

    Each gold and each predicted entity is counted once: correct, of a wrong type, of a wrong
    boundary, of both, missed, merged, invented or split. Scores follow by the length of entity and
    sentence, and by what the source's training text has of it. Of two models a case study is
    written as well: sentences that exactly one has right, the surest first.
    """
    with lean_imports():
        from prokd.cli.cases_files import write_cases
        from prokd.cli.errors_examples import section_lines
        from prokd.cli.errors_files import headings, numbers, write_files
        from prokd.cli.errors_tables import tables
        from prokd.data.words import check_language
        from prokd.scoring.type_mapping import parse_mapping
        from prokd.training.analysis import analyse, check_entities
        from prokd.training.model_data import ModelData, find_model

    check_entities(entities)
    check_language(language)
    mapping = parse_mapping(types)
    folders = [find_model(given, runs_dir) for given in (run, other) if given is not None]
    if names and other is None:
        raise UserError("--name is for the case study of two models, but got one model.")
    check_names(names, len(folders))
    called = [folder.resolve().name for folder in folders]
    place = output or Path("reports") / f"errors-{'-vs-'.join(called)}-{language}-{split}"
    check_writable(place, "--output")
    form = separator_of(separator), tag_column, limit
    models = [ModelData(folder, dataset, tuple(data_dirs), *form) for folder in folders]
    corpus = models[0].corpus(language, split)
    analysis = analyse(
        models,
        corpus,
        entities=entities,
        mapping=mapping,
        source=models[0].source_or_reason(source_dir),
        runtime=RuntimeConfig(device=device),
        encoder=model,
    )
    written = write_files(analysis, place, examples)
    if len(models) == 2 and case_study:
        written += write_cases(analysis, names or called, case_study, place)
    if json_output:
        write_out(json.dumps(numbers(analysis), indent=2, ensure_ascii=False) + "\n")
        return
    lines = headings(analysis)
    for table in tables(analysis):
        lines += ["", *table.lines()]
    lines += [*section_lines(analysis, examples), ""]
    typer.echo("\n".join(lines))
    typer.echo(f"all numbers and sentences: {', '.join(str(path) for path in written)}")
