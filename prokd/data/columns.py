"""Text in columns: one word a line, sentences separated by blank lines (CoNLL, WikiANN)."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from prokd.data.schemes import TAG_FORM
from prokd.errors import UserError

_ASCII_SPACE = re.compile(r"[ \t]+")
_LANGUAGE_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:")
_DOCUMENT_MARK = "-DOCSTART-"


class _Row(NamedTuple):
    line: int
    fields: list[str]


def parse_columns(
    text: str, path: str, *, labelled: bool, separator: str | None, tag_column: int | None
) -> tuple[list[list[str]], list[list[str]] | None, list[list[int]]]:
    r"""Read words, and tags if wanted, from text in columns.

    Lines end at "\n" (a "\r" before it is dropped). A line of spaces and tabs ends a sentence,
    so does a document mark (-DOCSTART-). A line that starts with "#" and has not as many columns
    as the others is a comment. The word is in the first column, or in the second where the first
    numbers the words. A language prefix as in "en:word" is cut off only if all words have it.

    Args:
        text: The text of the file.
        path: The name of the file in messages.
        labelled: Whether to read tags; if not, lines need not have more than a word.
        separator: What separates columns; None: tab if most lines have one, else spaces.
        tag_column: Column of the tags; None: the last one in which most look like tags.

    Returns:
        Words and tags (or None) of each sentence, and the line number of each word.

    Raises:
        UserError: A line is malformed.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if separator is None:
        separator = _detect_separator(lines)
    sentences = _sentences(lines, separator)
    rows = [row for sentence in sentences for row in sentence]
    if not rows:
        return [], [] if labelled else None, []
    if labelled:
        _check_widths(rows, path, separator)
    # Without labels the column of tags may be missing, which leaves two.
    word_column = int(_is_numbered(sentences, num_columns=3 if labelled else 2))
    words = [[row.fields[word_column] for row in sentence] for sentence in sentences]
    for row in rows:
        if not row.fields[word_column]:
            raise UserError(
                f"{path}:{row.line}: a word must not be empty, "
                f"but got {(separator or '').join(row.fields)!r}."
            )
    tags = None
    if labelled:
        column = _tag_column(rows, tag_column, path)
        tags = [[row.fields[column] for row in sentence] for sentence in sentences]
    numbers = [[row.line for row in sentence] for sentence in sentences]
    return _without_prefix(words), tags, numbers


def _detect_separator(lines: list[str]) -> str:
    filled = [line for line in lines if line.strip(" \t")]
    tokens = [line for line in filled if not line.startswith("#")] or filled
    for separator in ("\t", " "):
        if 2 * sum(separator in line for line in tokens) > len(tokens):
            return separator
    return ""


def _split(line: str, separator: str) -> list[str]:
    if separator == "":
        return [line]
    if separator == " ":
        return _ASCII_SPACE.split(line.strip(" \t"))
    return line.split(separator)


def _sentences(lines: list[str], separator: str) -> list[list[_Row]]:
    rows: list[_Row | None] = []  # None ends a sentence
    for number, line in enumerate(lines, start=1):
        if not line.strip(" \t"):
            rows.append(None)
            continue
        fields = _split(line, separator)
        rows.append(None if fields[0] == _DOCUMENT_MARK else _Row(number, fields))
    widths = Counter(len(r.fields) for r in rows if r and not r.fields[0].startswith("#"))
    width = widths.most_common(1)[0][0] if widths else 0
    sentences: list[list[_Row]] = [[]]
    for row in rows:
        if row is None:
            sentences.append([])
        elif not _is_comment(row, width):
            sentences[-1].append(row)
    return [sentence for sentence in sentences if sentence]


def _is_comment(row: _Row, width: int) -> bool:
    first = row.fields[0]
    if not first.startswith("#"):
        return False
    return first.startswith("# ") if width <= 1 else len(row.fields) != width


def _check_widths(rows: list[_Row], path: str, separator: str) -> None:
    name = {"\t": "tabs", " ": "spaces"}.get(separator, repr(separator))
    width = Counter(len(row.fields) for row in rows).most_common(1)[0][0]
    for row in rows:
        if width < 2:
            raise UserError(
                f"{path}:{row.line}: a line must hold a word and a tag, "
                f"separated by a tab or spaces, but got {row.fields[0]!r}."
            )
        if len(row.fields) != width:
            raise UserError(
                f"{path}:{row.line}: each line must have {width} columns as most do "
                f"(separated by {name}), but got {separator.join(row.fields)!r}."
            )


def _is_numbered(sentences: list[list[_Row]], *, num_columns: int) -> bool:
    if all(len(sentence) == 1 for sentence in sentences):
        return False
    return all(
        len(row.fields) >= num_columns and row.fields[0] == str(number)
        for sentence in sentences
        for number, row in enumerate(sentence, start=1)
    )


def _tag_column(rows: list[_Row], wanted: int | None, path: str) -> int:
    width = len(rows[0].fields)
    if wanted is not None:
        if not -width <= wanted < width:
            raise UserError(
                f"{path}: `tag_column` must be from {-width} to {width - 1}, but got {wanted}."
            )
        return wanted
    # Most of its values, not all: a wrong tag must be reported, not push the choice to the
    # column of chunks, which looks the same in CoNLL-2003.
    for column in range(width - 1, 0, -1):
        values = Counter(row.fields[column] for row in rows)
        tagged = sum(count for value, count in values.items() if TAG_FORM.fullmatch(value))
        if 2 * tagged > len(rows):
            return column
    return width - 1


def _without_prefix(words: list[list[str]]) -> list[list[str]]:
    match = _LANGUAGE_PREFIX.match(words[0][0])
    prefix = match.group() if match else ""
    if not prefix or not all(w.startswith(prefix) and w != prefix for s in words for w in s):
        return words
    return [[word[len(prefix) :] for word in sentence] for sentence in words]
