"""Text as it comes from files and command lines: its encoding and its lines."""

from __future__ import annotations

import gzip
import lzma
import re
import unicodedata
import zlib

from prokd.errors import UserError

_LINE_END = re.compile(r"\r*\n|\r")
_BLANK_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b]")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text, whatever system wrote it: they end at "\n", "\r\n" or "\r".

    Nothing else ends a line, U+2028 neither. A byte order mark before a line, left where files
    were joined, is dropped.

    >>> split_lines("a\r\nb\rc\n\ufeffd")
    ['a', 'b', 'c', 'd']
    """
    lines = _LINE_END.split(text) if "\r" in text else text.split("\n")
    return [line.lstrip("\ufeff") for line in lines] if "\ufeff" in text else lines


def decode_text(content: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, which gzip or xz may have packed.

    Args:
        content: All bytes of the file.
        name: Of the file, for messages.

    Raises:
        UserError: The bytes are no UTF-8, or damaged gzip or xz.
    """
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name}: the gzip file must be whole, but got: {error}.") from None
    if content.startswith(b"\xfd7zXZ\0"):
        try:
            content = lzma.decompress(content)
        except lzma.LZMAError as error:
            raise UserError(f"{name}: the xz file must be whole, but got: {error}.") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        advice = (
            "if it is UTF-16, convert it with `iconv -f utf-16 -t utf-8`"
            if content[:2] in (b"\xff\xfe", b"\xfe\xff")
            else "if the file is latin-1, as the German CoNLL-2003 is, convert it with "
            "`iconv -f latin1 -t utf-8`"
        )
        before = content[: error.start]
        place = f":{before.count(10) + 1}" if b"\n" in content and "UTF-16" not in advice else ""
        raise UserError(
            f"{name}{place}: the text must be UTF-8, but byte {error.start} is "
            f"0x{content[error.start]:02x} ({advice})."
        ) from None
    if "\0" in text:
        raise UserError(
            f"{name}: the text must be UTF-8, but character {text.index(chr(0))} is NUL, as in "
            f"UTF-16 or in a file that is no text."
        )
    return text.removeprefix("\ufeff")


def lone_surrogate(text: str) -> str | None:
    r"""Return the first half of a surrogate pair that stands alone; no text can hold it.

    >>> lone_surrogate("a\ud83d") == "\ud83d", lone_surrogate("a") is None
    (True, True)
    """
    return next((c for c in text if "\ud800" <= c <= "\udfff"), None)


def check_text(text: str, what: str) -> None:
    """Refuse an argument that is no Unicode: Python keeps bytes outside UTF-8 as surrogates."""
    if lone_surrogate(text) is not None:
        shown = repr(text if len(text) <= 60 else text[:57] + "...")
        raise UserError(f"{what} must be UTF-8, but got {shown}.")


def cleaned(line: str) -> str:
    r"""Return a line in Unicode's normal form C, without what nobody sees.

    Control characters and zero-width blanks become blanks, runs of blanks become one; soft
    hyphens, marks of direction and the like fall out. The joiners of Indic and Persian letters
    stay, for they are spelling.

    >>> cleaned("\tCafe\u0301 Ver\u00adein\u00a0\u200e 12\x07")
    'Café Verein 12'
    """
    line = _INVISIBLE.sub("", _BLANK_CONTROL.sub(" ", line))
    return " ".join(unicodedata.normalize("NFC", line).split())
