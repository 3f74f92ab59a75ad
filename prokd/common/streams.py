"""Standard input and output, where there is one that takes what is given to it."""

from __future__ import annotations

import io
import sys
from typing import IO, TextIO

from prokd.errors import UserError


def standard_input() -> IO[bytes]:
    """Return the bytes of standard input; UserError where it is closed."""
    if sys.stdin is None:
        raise UserError("standard input must be open to be read, but is closed.")
    return sys.stdin.buffer


def write_out(text: str) -> None:
    """Write what is a result, not a message, to standard output.

    Raises:
        UserError: It is closed, or its encoding lacks a character: none is replaced.
    """
    output: TextIO | None = sys.stdout
    if output is None:
        raise UserError("standard output must be open to be written, but is closed: use --to.")
    encoding = output.encoding if isinstance(output, io.TextIOWrapper) else None
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"standard output must take {text[error.start]!a}, but its encoding is {encoding}: "
            f"set PYTHONIOENCODING=utf-8, or use --to."
        ) from None
    output.write(text)
