"""Dictionaries of dictd, e.g. FreeDict's: a text, and an index of places in it.

A line of the index is ``headword<TAB>offset<TAB>length``, both numbers in base 64 (digits A-Z a-z
0-9 + /, the largest first), counted in bytes of the unpacked text. An entry is the line of the
headword, then lines of targets between commas; indented lines are examples, notes and references.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from prokd.common.text import decode_text, split_lines
from prokd.data.translation.text_file import read_bytes
from prokd.errors import UserError

_DIGITS = {
    digit: value
    for value, digit in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )
}
_ENDINGS = (".dict.dz", ".dict")
_MARKS = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|(?<!\S)/[^/]*/(?!\S)")
_NUMBER = re.compile(r"^\d+\.\s+")


def index_of(path: Path) -> Path | None:
    """Return the index beside a dictd text; None if the file is in another form.

    Raises:
        UserError: A .dict.dz has no index.
    """
    for ending in _ENDINGS:
        if path.name.endswith(ending):
            index = path.with_name(path.name.removesuffix(ending) + ".index")
            if index.is_file():
                return index
            if ending == ".dict.dz":
                raise UserError(
                    f"{path}: a dictd text must have its index beside it, but {index.name} "
                    f"is not there."
                )
    return None


def read_dictd(path: Path, index: Path) -> list[tuple[str, str]]:
    """Return (source, target) of all entries but the database's own (``00-database-...``).

    Raises:
        UserError: A file is missing, empty or damaged, or a line of the index is malformed.
    """
    content = read_bytes(path)
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: the gzip file must be whole, but got: {error}.") from None
    pairs: list[tuple[str, str]] = []
    lines = split_lines(decode_text(read_bytes(index), str(index)))
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(("00", "\t")):  # the database's own, no headword
            continue
        place = f"{index}:{number}"
        headword, start, length = _entry(line, place)
        if start + length > len(content):
            raise UserError(
                f"{place}: an entry must lie within the {len(content)} bytes of {path.name}, "
                f"but ends at {start + length}."
            )
        text = decode_text(content[start : start + length], f"{path} ({headword!r})")
        pairs.extend((headword, target) for target in _targets(text))
    return pairs


def _entry(line: str, place: str) -> tuple[str, int, int]:
    fields = line.split("\t")
    numbers = [field for field in fields[1:3] if field and set(field) <= _DIGITS.keys()]
    if len(fields) not in (3, 4) or len(numbers) != 2:
        raise UserError(
            f"{place}: a line must be headword<TAB>offset<TAB>length, both numbers in base 64, "
            f"but got {line[:60]!r}."
        )
    start, length = (_number(field) for field in numbers)
    return fields[0], start, length


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = 64 * value + _DIGITS[digit]
    return value


def _targets(text: str) -> list[str]:
    lines = [line for line in split_lines(text) if line.strip() and not line[0].isspace()]
    parts = [
        part.strip()
        for line in lines[1:]
        for part in re.split(r"[,;،]", _NUMBER.sub("", _MARKS.sub(" ", line)))
    ]
    return list(dict.fromkeys(part for part in parts if part))
