"""Text in columns: one word a line, sentences separated by blank lines (CoNLL, WikiANN)."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from prokd.common.text import split_lines
from prokd.data.schemes import clean_tag, is_tag
from prokd.errors import UnlabelledError, UserError

_BLANK = " \t\f"
_ASCII_SPACE = re.compile(r"[ \t]+")
_LANGUAGE_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:")
_DOCUMENT_MARK = "-DOCSTART-"
_GLUED_MARK = re.compile(r"\w[。！？]")


class _Row(NamedTuple):
    line: int
    fields: list[str]


def parse_columns(
    text: str, path: str, *, labelled: bool, separator: str | None, tag_column: int | None
) -> tuple[list[list[str]], list[list[str]] | None, list[list[int]]]:
    r"""Read words, and tags if wanted, from text in columns.

    Lines are those of `split_lines`. A line of spaces, tabs and form feeds ends a sentence, so
    does a document mark (-DOCSTART-). A line that starts with "#" and has not as many columns
    as the others is a comment. The word is in the first column, or in the second where the first
    numbers the words. A language prefix as in "en:word" is cut off only if all words have it.

    Args:
        text: The text of the file.
        path: The name of the file in messages.
        labelled: Whether to read tags; if not, lines need not have more than a word, but must all
            have as many columns as the others.
        separator: What separates columns; None: tab if most lines have one, else spaces.
        tag_column: Column of the tags; None: the last one in which most look like tags.

    Returns:
        Words and tags (or None) of each sentence, and the line number of each word.

    Raises:
        UserError: A line is malformed, or the text is not in columns.
        UnlabelledError: Tags are wanted, and every line holds a word alone.
    """
    lines = split_lines(text)
    if separator is None:
        separator = _detect_separator(lines)
    sentences = _sentences(lines, separator)
    rows = [row for sentence in sentences for row in sentence]
    if not rows:
        return [], [] if labelled else None, []
    _check_widths(rows, path, separator, labelled=labelled)
    # Without labels the column of tags may be missing, which leaves two.
    word_column = int(_is_numbered(sentences, num_columns=3 if labelled else 2))
    words = [[row.fields[word_column] for row in sentence] for sentence in sentences]
    if not labelled and word_column == 0:
        _check_no_text(sentences, path, separator)
    prefix = _shared_prefix(words)
    _check_words(rows, word_column, prefix, path, separator)
    words = [[word[len(prefix) :] for word in sentence] for sentence in words]
    tags = None
    if labelled:
        column = _tag_column(rows, tag_column, path)
        tags = [[row.fields[column] for row in sentence] for sentence in sentences]
    numbers = [[row.line for row in sentence] for sentence in sentences]
    return words, tags, numbers


def _detect_separator(lines: list[str]) -> str:
    filled = [line for line in lines if line.strip(_BLANK)]
    tokens = [line for line in filled if not line.startswith("#")] or filled
    for separator in ("\t", " "):
        if 2 * sum(separator in line for line in tokens) > len(tokens):
            return separator
    return ""


def _split(line: str, separator: str) -> list[str]:
    if separator == "":
        return [line]
    if separator == " ":
        return _ASCII_SPACE.split(line.strip(_BLANK))
    return line.split(separator)


def _sentences(lines: list[str], separator: str) -> list[list[_Row]]:
    rows: list[_Row | None] = []  # None ends a sentence
    for number, line in enumerate(lines, start=1):
        if not line.strip(_BLANK):
            rows.append(None)
            continue
        fields = _split(line.strip("\f"), separator)  # a page break is no part of a word
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


def _check_widths(rows: list[_Row], path: str, separator: str, *, labelled: bool) -> None:
    width = Counter(len(row.fields) for row in rows).most_common(1)[0][0]
    if labelled and width < 2:
        raise UnlabelledError(
            f"{path}:{rows[0].line}: a line must hold a word and a tag, "
            f"separated by a tab or spaces, but got {rows[0].fields[0]!r}."
        )
    name = {"\t": "tabs", " ": "spaces"}.get(separator, repr(separator))
    for row in rows:
        has_blank = separator == "" and any(blank in row.fields[0] for blank in " \t")
        if len(row.fields) == width and not has_blank:
            continue
        if not labelled:
            raise _not_columns(row, path, separator)
        raise UserError(
            f"{path}:{row.line}: each line must have {width} columns as most do "
            f"(separated by {name}), but got {separator.join(row.fields)!r}."
        )


def _check_no_text(sentences: list[list[_Row]], path: str, separator: str) -> None:
    """Refuse plain text whose lines happen to have equally many words, or no blanks at all."""
    if len(sentences) > 1 and any(len(sentence) > 1 for sentence in sentences):
        return
    rows = [row for sentence in sentences for row in sentence]
    if len(rows[0].fields) == 1:
        wrong = next((row for row in rows if _GLUED_MARK.search(row.fields[0])), None)
    else:
        wrong = rows[0] if separator == " " and _likely_tag_column(rows) is None else None
    if wrong is not None:
        raise _not_columns(wrong, path, separator)


def _not_columns(row: _Row, path: str, separator: str) -> UserError:
    line = separator.join(row.fields)
    shown = repr(line if len(line) <= 60 else line[:57] + "...")
    return UserError(
        f"{path}:{row.line}: each line must hold one word, with as many columns as the other "
        f"lines, and a blank line must end each sentence, but got {shown} (plain text must be "
        f'split into words first, e.g. into JSON lines {{"tokens": [...]}}).'
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
    column = _likely_tag_column(rows)
    return width - 1 if column is None else column


def _likely_tag_column(rows: list[_Row]) -> int | None:
    # Most of its values, not all: a wrong tag must be reported, not push the choice to the
    # column of chunks, which looks the same in CoNLL-2003.
    for column in range(len(rows[0].fields) - 1, 0, -1):
        values = Counter(row.fields[column] for row in rows)
        tagged = sum(count for value, count in values.items() if is_tag(clean_tag(value)))
        if 2 * tagged > len(rows):
            return column
    return None


def _check_words(
    rows: list[_Row], word_column: int, prefix: str, path: str, separator: str
) -> None:
    for row in rows:
        if row.fields[word_column] in ("", prefix):
            behind = f" behind the prefix {prefix!r} of all words" if prefix else ""
            raise UserError(
                f"{path}:{row.line}: a word must not be empty{behind}, "
                f"but got {separator.join(row.fields)!r}."
            )


def _shared_prefix(words: list[list[str]]) -> str:
    """Return the language prefix that all words have; "" if they have none."""
    match = _LANGUAGE_PREFIX.match(words[0][0])
    prefix = match.group() if match else ""
    return prefix if all(word.startswith(prefix) for s in words for word in s) else ""
