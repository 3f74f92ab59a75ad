"""Raw text as it comes: files, folders of them, standard input; plain, or packed by gzip or xz.

One line at a time is held, never a whole file.
"""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase, BufferedReader
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple

from prokd.common.streams import standard_input
from prokd.common.text import decode_text, split_lines
from prokd.data.inputs import detected_form
from prokd.errors import UserError

STANDARD_INPUT = Path("-")
LONGEST_LINE = 16 * 2**20
"""Bytes: what has no line ends at all is no text of paragraphs."""
_FIRST_LINES = 100
"""Lines that tell the form of a file."""


class Source(NamedTuple):
    """A text that can be read more than once: its name in messages, and its file."""

    name: str
    path: Path


@contextmanager
def open_sources(paths: Sequence[Path]) -> Iterator[list[Source]]:
    """Find all files; standard input and pipes are copied, and the copies removed in the end.

    Args:
        paths: Files, folders, whose files are taken by name but for hidden ones, or ``-``.

    Raises:
        UserError: One is not there, or a folder is empty.
    """
    with ExitStack() as copies:
        sources = []
        for path in dict.fromkeys(paths):
            if path == STANDARD_INPUT:
                copy = copies.enter_context(_copied(standard_input()))
                sources.append(Source("standard input", copy))
            elif os.path.isdir(path):  # of a name that is too long, too, this is no error
                sources += [Source(str(file), file) for file in _files_in(path)]
            elif os.path.isfile(path):
                sources.append(Source(str(path), path))
            elif os.path.exists(path):
                with path.open("rb") as pipe:
                    sources.append(Source(str(path), copies.enter_context(_copied(pipe))))
            else:
                raise UserError(f"{path}: a text must be a file or a folder, but is not there.")
        yield sources


def read_lines(source: Source) -> Iterator[str]:
    """Yield the lines of a text; they end as on any system.

    Raises:
        UserError: A file that cannot be read, is no UTF-8, is damaged, or holds sentences that
            are split into words already.
    """
    lines = _lines(source)
    first = list(islice(lines, _FIRST_LINES))
    form = detected_form("\n".join(first), source.name)
    if form != "text":
        raise UserError(
            f"{source.name}: --text must be raw text, but this looks like {form}: give what is "
            f"split into words already as DIR/<lang>/train.{form} by --data-dir DIR."
        )
    yield from chain(first, lines)


@contextmanager
def _copied(stream: IO[bytes]) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="prokd-text-") as copy:
        try:
            shutil.copyfileobj(stream, copy)
            copy.flush()
        except OSError as error:
            raise UserError(f"a text cannot be copied to {copy.name}: {error.strerror}.") from None
        yield Path(copy.name)


def _files_in(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise UserError(f"{folder}: a folder of texts must hold a file, but holds none.")
    return found


def _lines(source: Source) -> Iterator[str]:
    with opened(source.path, source.name) as file:
        yield from lines_in(file, source.name)


def opened(path: Path, name: str) -> BufferedReader:
    """Open a file to be read; UserError if it cannot be."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from None


def lines_in(packed: BufferedReader, name: str) -> Iterator[str]:
    """Yield the lines of an open file or stream, unpacked where it must be.

    Raises:
        UserError: It cannot be read, is no UTF-8, is damaged, or has a line that is none.
    """
    number = 0
    try:
        with _unpacked(packed) as file:
            while raw := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(raw) > LONGEST_LINE:
                    raise UserError(
                        f"{name}:{number}: a line must be a paragraph, at most "
                        f"{LONGEST_LINE} bytes, but this one is longer."
                    )
                yield from split_lines(decode_text(raw.rstrip(b"\r\n"), f"{name}:{number}"))
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"{name}: the packed file must be whole, but got: {error}.") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from None


@contextmanager
def _unpacked(file: BufferedReader) -> Iterator[BufferedIOBase]:
    start = file.peek(6)
    if start.startswith(b"\x1f\x8b"):
        with gzip.open(file) as unpacked:
            yield unpacked
    elif start.startswith(b"\xfd7zXZ\0"):
        with lzma.open(file) as unpacked:
            yield unpacked
    else:
        yield file
