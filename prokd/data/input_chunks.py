"""A file of sentences in parts: a big one is read, tagged and written without being held whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader, RawIOBase
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from prokd.common.streams import standard_input
from prokd.data.inputs import (
    Sentence,
    check_form,
    detected_form,
    sentences_in_columns,
    sentences_in_lines,
)
from prokd.data.text.sources import STANDARD_INPUT, lines_in, opened

MOST_LINES, MOST_CHARACTERS = 1000, 200_000
"""A chunk ends at whichever comes first. What is in it decides how numbers are rounded, so that it
depends on nothing but the file."""
_FIRST_LINES = 100
"""Lines that tell the form of a file."""


class Chunk(NamedTuple):
    """Some lines of a file, or sentences of one in columns.

    Args:
        name: Of the file, for messages.
        form: "text", "jsonl" or "conll".
        first_line: Number of the first line, from 1.
        lines: Of raw text or JSON.
        sentences: Of columns, which are read whole.
        end: Bytes of the file that are read by now; None of a stream.
    """

    name: str
    form: str
    first_line: int
    lines: list[str]
    sentences: list[Sentence]
    end: int | None


def read_chunks(path: Path, form: str = "auto") -> Iterator[Chunk]:
    """Yield a file in parts, in order; gzip and xz are unpacked.

    Raw text and JSON lines are read as far as chunks are asked for. Columns are read whole: what
    separates them, and which holds the words, all lines together tell.

    Args:
        path: The file; ``-`` = standard input.
        form: "text", "conll", "jsonl", or "auto": what suffix and first lines tell.

    Raises:
        UserError: An unknown form, a file that cannot be read, or has not its form.
    """
    check_form(form)
    name = "standard input" if path == STANDARD_INPUT else str(path)
    with ExitStack() as until_the_end:
        file = (
            _peekable(standard_input())
            if path == STANDARD_INPUT
            else until_the_end.enter_context(opened(path, name))
        )
        lines = lines_in(file, name)
        first = list(islice(lines, _FIRST_LINES))
        if form == "auto":
            form = detected_form("\n".join(first), name)
        lines = chain(first, lines)
        if form == "conll":
            yield from _columns(name, list(lines))
            return
        number, part, characters = 1, [], 0
        for line in lines:
            part.append(line)
            characters += len(line)
            if len(part) == MOST_LINES or characters >= MOST_CHARACTERS:
                yield Chunk(name, form, number, part, [], _place(file))
                number, part, characters = number + len(part), [], 0
        if part:
            yield Chunk(name, form, number, part, [], _place(file))


def sentences_in(chunk: Chunk, *, language: str, split: bool) -> list[Sentence]:
    """Return the sentences of a chunk; blank lines are none.

    Args:
        chunk: As `read_chunks` yields it.
        language: Whose rules split the words of raw text.
        split: Whether raw text is split into words; if not, blanks alone separate them.

    Raises:
        UserError: A line that has not the form.
    """
    if chunk.form == "conll":
        return chunk.sentences
    place = chunk.name, chunk.form, chunk.first_line
    return sentences_in_lines(chunk.lines, *place, language=language, split=split)


def _peekable(stream: IO[bytes]) -> BufferedReader:
    """Return a stream whose first bytes can be looked at, as those of a file can."""
    if isinstance(stream, BufferedReader):
        return stream
    return BufferedReader(cast(RawIOBase, stream))


def _place(file: IO[bytes]) -> int | None:
    return file.tell() if file.seekable() else None


def _columns(name: str, lines: list[str]) -> Iterator[Chunk]:
    found = sentences_in_columns("\n".join(lines), name)
    for first in range(0, len(found), MOST_LINES):
        part = found[first : first + MOST_LINES]
        yield Chunk(name, "conll", part[0].line, [], part, None)
