"""Word vectors as fastText writes them: lines of a word and its numbers, most frequent first."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import torch
from torch import Tensor

from prokd.errors import UserError

MOST_WORDS = 100_000
"""How many words are read, the most frequent ones."""


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors.

    Attributes:
        words: N words, each once.
        rows_ND: Their vectors, of length 1.
        origin: Name of the file.
    """

    words: list[str]
    rows_ND: Tensor
    origin: str


def read_vectors(path: Path, *, most: int = MOST_WORDS) -> WordVectors:
    """Read the first words of a ``.vec`` file, plain or packed (.gz, .xz); no more is read.

    A first line of two whole numbers, the counts of words and features, is passed over, and so are
    words that came before and vectors of zeros.

    Raises:
        UserError: The file is missing, damaged, no UTF-8 or without a vector, or a line does not
            have a word and as many finite numbers as the first.
    """
    words: dict[str, int] = {}
    rows: list[np.ndarray] = []
    num_features = 0
    for number, line in _numbered_lines(path):
        if not line.strip() or (number == 1 and _is_header(line)):
            continue
        num_features = num_features or len(line.split()) - 1
        word, row = _row(line, num_features, f"{path}:{number}")
        length = np.linalg.norm(row)
        if word not in words and length > 0:
            words[word] = len(rows)
            rows.append(row / length)
        if len(rows) == most:
            break
    if not rows:
        raise UserError(f"{path}: a file of vectors must have one, but got none.")
    return WordVectors(list(words), torch.from_numpy(np.stack(rows)), path.name)


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8").rstrip()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}:{number}: the text must be UTF-8, but byte {error.start} of the line is "
            f"0x{error.object[error.start]:02x}."
        ) from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: must be a file of vectors to read, but: {why}.") from None


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return lzma.open(path) if path.suffix == ".xz" else path.open("rb")


def _is_header(line: str) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdecimal() for field in fields)


def _row(line: str, num_features: int, place: str) -> tuple[str, np.ndarray]:
    word, *numbers = line.rsplit(" ", num_features) if num_features else [line]
    try:
        row = np.array(numbers, dtype=np.float32)
    except ValueError:
        row = np.full(1, np.nan)
    if not word or len(row) != num_features or not num_features or not np.isfinite(row).all():
        shown = repr(line if len(line) <= 60 else line[:57] + "...")
        raise UserError(
            f"{place}: a line must be a word and {num_features or 'some'} finite numbers, "
            f"but got {shown}."
        )
    return word, row
