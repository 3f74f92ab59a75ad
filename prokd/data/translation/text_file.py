"""Text files as they are shared: plain, or packed by gzip or xz."""

from __future__ import annotations

import lzma
from pathlib import Path

from prokd.common.text import decode_text
from prokd.errors import UserError


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; UserError if it is not there, no file, or empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: must be a file to read, but: {error.strerror}.") from None
    if not content:
        raise UserError(f"{path}: the file must have content, but it is empty.")
    return content


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, plain, .gz or .xz, told apart by their first bytes.

    Raises:
        UserError: The file is missing, empty, damaged, or no UTF-8.
    """
    content = read_bytes(path)
    if content.startswith(b"\xfd7zXZ\0"):
        try:
            content = lzma.decompress(content)
        except (lzma.LZMAError, EOFError) as error:
            raise UserError(f"{path}: the xz file must be whole, but got: {error}.") from None
    text = decode_text(content, str(path))
    if not text.strip():
        raise UserError(f"{path}: the file must have content, but it holds no text.")
    return text
