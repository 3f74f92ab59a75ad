"""``prokd dictionary``: makes a word dictionary of parallel sentences, vectors, or other ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prokd.common.places import check_writable
from prokd.errors import UserError

if TYPE_CHECKING:
    from prokd.data.translation.lexicon import Lexicon

_NUM_EXAMPLES = 8


def dictionary(
    output: Annotated[
        Path, typer.Option(resolve_path=True, help="The dictionary to write, FILE.tsv.")
    ],
    language: Annotated[str, typer.Option("--lang", help="Target language.")],
    source: Annotated[str, typer.Option(help="Source language.")] = "en",
    parallel: Annotated[
        list[Path],
        typer.Option(
            resolve_path=True,
            help="Parallel sentences: FILE with source<TAB>target, or given twice, source and "
            "target; .gz or .xz too.",
        ),
    ] = [],  # noqa: B006
    vectors: Annotated[
        list[Path],
        typer.Option(resolve_path=True, help="fastText .vec, given twice: source and target."),
    ] = [],  # noqa: B006
    merge: Annotated[
        list[Path],
        typer.Option(
            resolve_path=True,
            help="Dictionary (TSV, MUSE, Wiktionary, dictd) or a folder of them; repeatable, the "
            "first that has a word wins.",
        ),
    ] = [],  # noqa: B006
    aligner: Annotated[
        str, typer.Option(help="Of --parallel: auto, eflomal, dice or ibm1.")
    ] = "auto",
) -> None:
    """Make a dictionary for word-by-word translation: one word to one word, cleaned."""
    _check(output, parallel, vectors, merge, aligner)
    if merge:
        from prokd.data.translation.lexicon import read_lexicon

        found = read_lexicon(merge, source=source, target=language)
    elif parallel:
        found = _from_parallel(parallel, source, language, aligner)
    else:
        found = _from_vectors(vectors, language)
    from prokd.data.translation.lexicon import write_lexicon

    write_lexicon(output, found)
    _tell(found)
    typer.echo(f"dictionary: {output}")


def _check(
    output: Path,
    parallel: Sequence[Path],
    vectors: Sequence[Path],
    merge: Sequence[Path],
    aligner: str,
) -> None:
    """Find the mistakes in the options before anything is read."""
    ways = {"--parallel": parallel, "--vectors": vectors, "--merge": merge}
    given = [option for option, paths in ways.items() if paths]
    if len(given) != 1:
        raise UserError(
            f"a dictionary must come from exactly one of {', '.join(ways)}, but got "
            f"{' and '.join(given) or 'none'}."
        )
    if vectors and len(vectors) != 2:
        raise UserError(
            f"--vectors must be given twice, source and target, but got {len(vectors)}."
        )
    if len(parallel) > 2:
        raise UserError(f"--parallel must be given once or twice, but got {len(parallel)}.")
    if aligner != "auto" and not parallel:
        raise UserError(f"--aligner belongs to --parallel, but got {aligner} with {given[0]}.")
    if output.is_dir():
        raise UserError(f"--output must be a file, but got the folder {output}.")
    check_writable(output.parent, "the folder of --output")


def _from_parallel(paths: Sequence[Path], source: str, language: str, aligner: str) -> Lexicon:
    from prokd.data.translation.aligner import check_aligner, lexicon_from_parallel
    from prokd.data.translation.parallel import read_parallel

    check_aligner(aligner)
    text = read_parallel(paths, source=source, target=language)
    typer.echo(f"{len(text)} pairs of sentences")
    return lexicon_from_parallel(text, aligner)


def _from_vectors(paths: Sequence[Path], language: str) -> Lexicon:
    from prokd.data.translation.vector_file import read_vectors
    from prokd.data.translation.vectors import lexicon_by_vectors
    from prokd.data.words import check_language

    check_language(language)
    words, others = (read_vectors(path) for path in paths)
    typer.echo(f"vectors of {len(words.words)} and {len(others.words)} words")
    return lexicon_by_vectors(words, others, language=language)


def _tell(lexicon: Lexicon) -> None:
    from prokd.data.translation.lexicon import normalised

    best = {word: targets[0][0] for word, targets in lexicon.entries.items()}
    same = sum(normalised(target) == word for word, target in best.items())
    typer.echo(f"from       {lexicon.origin}")
    typer.echo(f"entries    {len(lexicon)} (fingerprint {lexicon.fingerprint})")
    typer.echo(f"same       {same / len(best):.1%} of them are spelled like the source word")
    different = ((word, target) for word, target in best.items() if normalised(target) != word)
    for word, target in islice(different, _NUM_EXAMPLES):
        typer.echo(f"example    {word} -> {target}")
