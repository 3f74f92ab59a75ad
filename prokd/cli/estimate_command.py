"""``prokd estimate``: how good a model is on text that nobody has labelled."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prokd.cli.aligned import sentence_lines
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
    separator_of,
)
from prokd.common.import_path import lean_imports
from prokd.common.streams import write_out
from prokd.config import RuntimeConfig
from prokd.errors import UserError
from prokd.runs.estimates import unlike_source

if TYPE_CHECKING:
    from prokd.scoring.f1_estimate import F1Estimate


def estimate(
    run: Given,
    language: Annotated[str, typer.Option("--lang", help="Language of the text.")],
    file: Annotated[
        Place, typer.Option(help="Raw text, a sentence per line; else a split of the data.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, dev or test: its labels are not read.")
    ] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    limit: Limit = None,
    sentences: Annotated[
        int, typer.Option(min=0, help="How many of the most doubtful sentences to show.")
    ] = 5,
    runs_dir: Runs = Path("runs"),
    model: Model = None,
    device: Device = "auto",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate entity F1 without a label of the language, and show the doubtful sentences.

    What the model promises of its own tags is held against labelled dev sentences of its source
    language, which must be there (--data-dir DIR/<source>/dev).
    """
    with lean_imports():
        import numpy as np

        from prokd.data.inputs import read_input, sentences_of
        from prokd.data.words import check_language
        from prokd.scoring.f1_estimate import estimate_f1
        from prokd.scoring.tagging import Tagger
        from prokd.training.model_data import ModelData, find_model

    check_language(language)
    folder = find_model(run, runs_dir)
    data = ModelData(folder, dataset, tuple(data_dirs), separator_of(separator), tag_column, limit)
    source = data.corpus(data.sources[0], "dev")
    if file is None:
        corpus = data.corpus(language, split, labelled=False)
        words, origin = corpus.words, corpus.origin
    else:
        found = sentences_of(read_input(file), str(file), language=language)[:limit]
        words, origin = [item.tokens for item in found], str(file)
    if not words:
        raise UserError(f"{origin}: the text must have a sentence, but has none.")
    tagger = Tagger(folder, RuntimeConfig(device=device), model)
    assert source.tags is not None, "source dev is read with its labels"
    gold = tagger.tag_set.indices([tag for tags in source.tags for tag in tags])
    result, errors = estimate_f1(
        tagger.probabilities(source.words),
        [len(sentence) for sentence in source.words],
        np.array(gold),
        tagger.probabilities(words),
        [len(sentence) for sentence in words],
        tagger.tag_set,
    )
    doubtful = np.argsort(-errors, kind="stable")[:sentences]
    tagged = tagger.tag([words[place] for place in doubtful])
    if json_output:
        shown = [asdict(item) for item in tagged]
        numbers = {**asdict(result), "doubtful": shown}
        write_out(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n")
        return
    for line in _lines(result, language, origin, data.sources[0]):
        typer.echo(line)
    for item, expected in zip(tagged, errors[doubtful], strict=True):
        typer.echo(f"\n{expected:.1f} errors expected")
        for line in sentence_lines(item.words, {"tags": item.tags}):
            typer.echo(line)


def _lines(found: F1Estimate, language: str, origin: str, source: str) -> list[str]:
    warning = unlike_source(found.length_ratio, found.share_ratio)
    return [
        f"{language}, {found.sentences} sentences of {origin}, no label read",
        f"entity F1 (viterbi) about {found.f1:.3f}, between {found.low:.3f} and {found.high:.3f}",
        f"  what the model's probabilities promise here   {found.expected:.3f}",
        f"  the same corrected as on {source}, in full       {found.shifted:.3f}",
        f"  {source} dev, true F1, and what they promise there {found.source_f1:.3f}, "
        f"{found.expected_source:.3f} (temperature {found.temperature:.2f})",
        *([f"  {warning}"] if warning else []),
    ]
