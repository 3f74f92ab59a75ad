"""``prokd text``: raw text becomes the unlabelled corpus of a language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.aligned import shown
from prokd.common.places import check_writable
from prokd.errors import UserError

_WIDTH = 100
"""Characters of an example."""


def _given(path: str) -> Path:
    """Read a path; an empty one, of a variable that is not set, is not the working folder."""
    if not path:
        raise UserError("a text must be a file, a folder or -, but got an empty path.")
    return Path(path)


def text(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files or folders of raw text, a paragraph a line; .gz or .xz too; - = standard "
            "input.",
        ),
    ],
    language: Annotated[str, typer.Option("--lang", help="Language whose rules split it.")],
    folder: Annotated[
        Path, typer.Option("--to", resolve_path=True, help="Folder for <lang>/{train,dev}.jsonl.")
    ],
    min_words: Annotated[int, typer.Option(help="Fewest words with a letter, of a sentence.")] = 3,
    max_words: Annotated[int, typer.Option(help="Most words and marks of a sentence.")] = 200,
    similarity: Annotated[
        float, typer.Option(help="From which on a near-duplicate goes; 1 = the same alone.")
    ] = 0.8,
    examples: Annotated[int, typer.Option(min=0, help="To show of what is dropped.")] = 0,
) -> None:
    """Make a corpus without labels of raw text, and count what is kept and dropped."""
    from prokd.data.text.corpus import check_place, write_text_corpus
    from prokd.data.text.report import table
    from prokd.data.text.rules import OF_PARAGRAPHS, OF_SENTENCES, text_rules
    from prokd.data.text.sources import open_sources
    from prokd.data.words import check_language

    rules = text_rules(min_words=min_words, max_words=max_words, similarity=similarity)
    check_writable(folder, "--to")
    place = folder / check_language(language)
    check_place(place)
    with open_sources([_given(path) for path in paths]) as sources:
        counts = write_text_corpus(folder, sources, language, rules, examples=examples)
    for line in table(place):
        typer.echo(line)
    for reason in (*OF_PARAGRAPHS, *OF_SENTENCES):
        for example in counts.shown.get(reason, ()):
            cut = example if len(example) <= _WIDTH else f"{example[:_WIDTH]} ..."
            typer.echo(f"{reason}: {shown(cut)}")
    typer.echo(f"corpus: {place}")
