"""``prokd translate``: the labelled source in the target's language, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prokd.cli.aligned import table_lines
from prokd.cli.options import (
    Cache,
    DataDirs,
    Dataset,
    Dictionaries,
    Language,
    Place,
    Preset,
    Separator,
    Settings,
    Source,
    TagColumn,
    experiment,
    runtime_of,
)
from prokd.common.places import check_writable
from prokd.errors import UserError

if TYPE_CHECKING:
    from prokd.data import Corpus
    from prokd.data.translation.words import Translation


def translate(
    method: Annotated[
        str, typer.Option(help="Whose settings (translation.*) are taken: one that translates.")
    ] = "unitrans",
    language: Language = "ar",
    preset: Preset = "paper",
    source: Source = "en",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    dictionaries: Dictionaries = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    settings: Settings = [],  # noqa: B006
    examples: Annotated[int, typer.Option(min=0, help="Sentences to show.")] = 5,
    output: Annotated[
        Place, typer.Option(resolve_path=True, help="Also write the sentences, FILE.parquet.")
    ] = None,
    cache_dir: Cache = None,
) -> None:
    """Translate the labelled source word by word, as training does; count and show the words."""
    if output is not None and output.suffix != ".parquet":
        raise UserError(f"--output must be a file FILE.parquet, but got {output}.")
    if output is not None:
        check_writable(output.parent, "the folder of --output")
    config = experiment(
        method=method,
        preset=preset,
        reading=None,
        language=language,
        source=source,
        dataset=dataset,
        model=None,
        seed=0,
        settings=settings,
        say=lambda sentence: None,  # nothing is trained
    )
    if "translation" not in type(config).model_fields:
        raise UserError(f"--method must be one that translates, but {method} does not.")
    from prokd.training.texts import Texts
    from prokd.training.translations import write_corpus

    read = cache_dir, data_dirs, dictionaries, separator, tag_column
    runtime = runtime_of(Path("runs"), *read)
    texts = Texts(config, runtime)
    found = texts.translation()
    typer.echo(_table(found))
    original = texts.corpus(config.source, "train")
    for line in _examples(original, found.corpus, examples):
        typer.echo(line)
    if output is not None:
        write_corpus(output, found.corpus)
        typer.echo(f"{len(found.corpus)} sentences: {output}")


def _table(found: Translation) -> str:
    """Write what became of the words of each class, as shares of them."""
    rows = [["words of", "number", "in the dictionary", "changed", "kept by rule"]]
    for kind, counts in found.counts.items():
        shares = [part / counts.words for part in (counts.covered, counts.changed, counts.kept)]
        rows.append([kind, str(counts.words), *(f"{share:.2f}" for share in shares)])
    return "\n".join(table_lines(rows, lambda place: place > 0))


def _examples(original: Corpus, translated: Corpus, number: int) -> list[str]:
    """Write sentences evenly spread over the corpus, each above its translation."""
    lines: list[str] = []
    step = max(1, len(original) // max(1, number))
    for place in range(0, len(original), step)[:number]:
        lines.append("")
        for corpus in (original, translated):
            assert corpus.tags is not None, "both are labelled"
            lines.append(f"{corpus.language}  {_tagged(corpus.words[place], corpus.tags[place])}")
    return lines


def _tagged(words: Sequence[str], tags: Sequence[str]) -> str:
    """Write a sentence with brackets around its entities.

    >>> _tagged(["Anna", "Smit", "lives", "in", "Leiden"], ["B-PER", "I-PER", "O", "O", "B-LOC"])
    '[PER Anna Smit] lives in [LOC Leiden]'
    """
    parts: list[str] = []
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            parts.append(f"[{tag[2:]} {word}]")
        elif tag.startswith("I-"):
            parts[-1] = f"{parts[-1][:-1]} {word}]"
        else:
            parts.append(word)
    return " ".join(parts)
