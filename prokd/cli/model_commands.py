"""``prokd evaluate`` and ``prokd predict``: what a trained model is good for."""

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
    Place,
    Separator,
    TagColumn,
    Types,
    Valid,
    separator_of,
)
from prokd.common.import_path import lean_imports
from prokd.config import RuntimeConfig
from prokd.errors import UserError

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


def predict(
    folder: Folder,
    text: Annotated[Optional[str], typer.Option(help="Raw text to tag.")] = None,  # noqa: UP045
    file: Annotated[Place, typer.Option(help="A sentence per line; - = standard input.")] = None,
    form: Annotated[
        str,
        typer.Option("--input", help="text, conll or jsonl; auto: what the file looks like."),
    ] = "auto",
    language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--lang", help="Language whose rules split words; else the model's target."),
    ] = None,
    split: Annotated[
        bool, typer.Option(help="Split raw text into words; else blanks separate them.")
    ] = True,
    output: Annotated[str, typer.Option("--format", help="conll or json.")] = "conll",
    valid: Valid = True,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Tag raw text or a file of sentences and print CoNLL columns or JSON lines."""
    _check_given(text, file, form, output)
    with lean_imports():
        from prokd.data.inputs import raw_sentence, read_input, sentences_of
        from prokd.data.words import UNDETERMINED, check_language
        from prokd.scoring.tagged_text import as_conll, as_record
        from prokd.scoring.tagging import Tagger

        if language is not None:
            check_language(language)
        tagger = Tagger(folder, RuntimeConfig(device=device), model)
    code = language or tagger.language or UNDETERMINED
    if file is None:
        given = [raw_sentence(text or "", language=code, split=split)]
        sentences = [sentence for sentence in given if sentence.words]
    else:
        sentences = sentences_of(
            read_input(file), str(file), form=form, language=code, split=split
        )
    words = [[word.text for word in sentence.words] for sentence in sentences]
    tagged = tagger.tag(words, valid=valid)
    if output == "conll":
        typer.echo(as_conll(tagged), nl=False)
        return
    for sentence, tags in zip(sentences, tagged, strict=True):
        typer.echo(json.dumps(as_record(sentence, tags), ensure_ascii=False))


def _check_given(text: str | None, file: Path | None, form: str, output: str) -> None:
    if output not in ("conll", "json"):
        raise UserError(f"the format must be conll or json, but got {output!r}.")
    if (text is None) == (file is None):
        raise UserError("exactly one of --text and --file must be given.")
    if text is not None and form not in ("auto", "text"):
        raise UserError(f"--input {form} must go with --file, but got --text.")
