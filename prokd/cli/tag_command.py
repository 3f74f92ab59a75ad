"""``prokd tag``: a model's predictions of a corpus, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.errors_command import Given, Limit
from prokd.cli.options import (
    DataDirs,
    Dataset,
    Device,
    Model,
    Place,
    Runs,
    Separator,
    TagColumn,
    Valid,
    separator_of,
)
from prokd.common.files import write_text
from prokd.common.import_path import lean_imports
from prokd.common.places import given_file
from prokd.common.streams import write_out
from prokd.config import RuntimeConfig
from prokd.errors import UserError


def tag(
    run: Given,
    language: Annotated[str, typer.Option("--lang", help="Language to tag.")],
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    form: Annotated[str, typer.Option("--format", help="conll or jsonl.")] = "conll",
    gold: Annotated[
        bool, typer.Option("--gold", help="Read the labels of the split, and write them too.")
    ] = False,
    to: Annotated[Place, typer.Option(help="File; else standard output.")] = None,
    valid: Valid = True,
    limit: Limit = None,
    runs_dir: Runs = Path("runs"),
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Tag a split of a corpus and write CoNLL columns or JSON lines.

    Columns are word and tag, with --gold word, gold tag and tag. JSON lines have what `predict`
    gives of a sentence (its words joined by blanks), its number, and with --gold its gold tags.
    Without --gold no label is read.
    """
    if form not in ("conll", "jsonl"):
        raise UserError(f"the format must be conll or jsonl, but got {form!r}.")
    if to is not None:
        to = given_file(to, "--to")
    with lean_imports():
        from prokd.data.inputs import of_words
        from prokd.data.words import check_language
        from prokd.scoring.tagged_text import as_conll, as_record
        from prokd.scoring.tagging import Tagger
        from prokd.training.model_data import ModelData, find_model

    folder = find_model(run, runs_dir)
    known = separator_of(separator), tag_column, limit
    data = ModelData(folder, dataset, tuple(data_dirs), *known)
    corpus = data.corpus(check_language(language), split, labelled=gold)
    tagged = Tagger(folder, RuntimeConfig(device=device), model).tag(corpus.words, valid=valid)
    if form == "conll":
        text = as_conll(tagged, corpus.tags)
    else:
        lines = []
        for number, item in enumerate(tagged):
            record = {"sentence": number + 1} | as_record(of_words(item.words, 0), item)
            del record["line"]  # which a table of sentences has not
            if corpus.tags is not None:
                record["gold"] = corpus.tags[number]
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
        text = "".join(lines)
    if to is None:
        write_out(text)
        return
    write_text(to, text)
    typer.echo(f"{len(corpus)} sentences of {corpus.origin}: {to}")
