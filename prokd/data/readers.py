r"""Readers of one file: columns (CoNLL, WikiANN), JSON lines, Parquet.

A word may be any Unicode text, no-break spaces and U+2028 included: lines are those of
`text.split_lines`, columns are split at tabs or ASCII spaces only, and words are kept as they
are. With ``labelled=False`` nothing but the words is looked at: tags may be wrong or missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prokd.common.text import decode_text, lone_surrogate, split_lines
from prokd.data.columns import parse_columns
from prokd.errors import UnlabelledError, UserError

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("ner_tags", "tags")


@dataclass(frozen=True)
class RawSentences:
    """Sentences as they stand in a file, before any conversion of tags.

    Args:
        words: Words of each sentence; no sentence and no word is empty.
        tags: One tag a word, in the scheme of the file, or None if they were not read.
        lines: Line number (from 1) of each word, for messages.
        path: The file.
        unit: What ``lines`` counts: "" for lines, "row " for rows of a table.
    """

    words: list[list[str]]
    tags: list[list[str]] | None
    lines: list[list[int]]
    path: str
    unit: str = ""

    def place(self, sentence: int, word: int) -> str:
        """Return the place of a word in the form ``path:line``."""
        return f"{self.path}:{self.unit}{self.lines[sentence][word]}"


def read_file(
    path: Path, *, labelled: bool, separator: str | None = None, tag_column: int | None = None
) -> RawSentences:
    """Read a file in the format that its name tells: .parquet, .jsonl, else columns.

    Args:
        path: The file, in UTF-8 if it is text.
        labelled: Whether to read the tags.
        separator: What separates columns; detected if None.
        tag_column: Index of the column of tags (negative from the right); detected if None.

    Raises:
        UserError: The file is not in UTF-8 or malformed; names the line, the rule and the value.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, labelled=labelled)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    text = decode_text(content, str(path))
    if path.suffix == ".jsonl":
        return parse_json_lines(text, str(path), labelled=labelled)
    words, tags, lines = parse_columns(
        text, str(path), labelled=labelled, separator=separator, tag_column=tag_column
    )
    return RawSentences(words, tags, lines, str(path))


def parse_json_lines(text: str, path: str, *, labelled: bool, first_line: int = 1) -> RawSentences:
    """Read words, and tags if wanted, from one JSON object a line.

    Args:
        text: The text of the file.
        path: The name of the file in messages.
        labelled: Whether to read tags.
        first_line: Number of the text's first line, where it is a part of a file.

    Raises:
        UserError: A line is malformed.
        UnlabelledError: Tags are wanted, and no line has any.
    """
    rows: list[tuple[int, Any, Any]] = []
    for number, line in enumerate(split_lines(text), start=first_line):
        if not line.strip(" \t\f"):
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}:{number}: each line must be a JSON object, but got {_short(line)} "
                f"({error.msg} at column {error.colno})."
            ) from None
        except RecursionError:
            raise UserError(
                f"{path}:{number}: each line must be a JSON object of words and tags, but got one "
                f"that is nested too deep."
            ) from None
        if "\\ud" in line.lower():
            _check_surrogates(record, f"{path}:{number}")
        keys = list(record) if isinstance(record, dict) else []
        words = next((record[key] for key in TOKEN_KEYS if key in keys), None)
        tags = next((record[key] for key in TAG_KEYS if key in keys), None)
        rows.append((number, words, tags))
    if labelled and rows and all(isinstance(row[1], list) and row[2] is None for row in rows):
        raise UnlabelledError(_tags_rule(f"{path}:{rows[0][0]}", None))
    return raw_sentences(rows, path, "", labelled=labelled)


def _check_surrogates(record: Any, place: str) -> None:
    """Refuse half a pair of surrogates, which JSON can escape and no text can hold."""
    lone = lone_surrogate(json.dumps(record, ensure_ascii=False))
    if lone is not None:
        raise UserError(
            f"{place}: a word must be Unicode text, but got the lone surrogate \\u{ord(lone):04x}."
        )


def _tags_rule(place: str, tags: object) -> str:
    return (
        f"{place}: 'ner_tags' or 'tags' must be a list of tags such as 'B-PER' (or of "
        f"class numbers whose names the file gives), but got {_short(tags)}."
    )


def _read_parquet(path: Path, *, labelled: bool) -> RawSentences:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        token_key = next((key for key in TOKEN_KEYS if key in schema.names), None)
        tag_key = next((key for key in TAG_KEYS if key in schema.names), None)
        if token_key is None or (labelled and tag_key is None):
            kind = UserError if token_key is None else UnlabelledError
            raise kind(
                f"{path}: the table must have a column 'tokens' and a column 'ner_tags' or "
                f"'tags', but got {schema.names}."
            )
        columns = [token_key, tag_key] if labelled else [token_key]
        table = pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: the file must be Parquet, but got: {error}.") from None
    words = table.column(token_key).to_pylist()
    tags: list[Any] = [None] * len(words)
    if labelled:
        names = class_names(schema.metadata, str(tag_key))
        tags = [decode_tags(row, names) for row in table.column(tag_key).to_pylist()]
    rows = list(zip(range(1, len(words) + 1), words, tags, strict=True))
    return raw_sentences(rows, str(path), "row ", labelled=labelled)


def class_names(metadata: dict[bytes, bytes] | None, column: str) -> list[str]:
    """Return the names of a column of class numbers from the metadata of an Arrow schema.

    The ``datasets`` library writes them under the key "huggingface". Empty if there are none.
    """
    features = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info", {})
    feature: Any = features.get("features", {}).get(column, {})
    while isinstance(feature, dict | list) and feature:
        if isinstance(feature, list):  # the short form [{...}] of a list feature
            feature = feature[0]
        elif "names" in feature:
            names = feature["names"]
            return list(names.values()) if isinstance(names, dict) else list(names)
        else:
            feature = feature.get("feature", {})
    return []


def decode_tags(tags: Any, names: list[str]) -> Any:
    """Return tags with each class number replaced by its name; what has no name stays a number."""
    if not names or not isinstance(tags, list):
        return tags
    return [names[t] if isinstance(t, int) and 0 <= t < len(names) else t for t in tags]


def raw_sentences(
    rows: list[tuple[int, Any, Any]], path: str, unit: str, *, labelled: bool
) -> RawSentences:
    """Check rows of a table and put them together; a row without words is no sentence.

    Args:
        rows: Number, words and tags of each row, not checked yet.
        path: Where they come from, for messages.
        unit: What the numbers count, as in `RawSentences`.
        labelled: Whether there must be tags.

    Raises:
        UserError: A row is not a list of words with one tag each.
    """
    all_words: list[list[str]] = []
    all_tags: list[list[str]] = []
    lines: list[list[int]] = []
    for number, words, tags in rows:
        place = f"{path}:{unit}{number}"
        if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
            raise UserError(
                f"{place}: 'tokens' must be a list of words that are not empty, "
                f"but got {_short(words)}."
            )
        if not words:
            continue
        if labelled:
            if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                raise UserError(_tags_rule(place, tags))
            if len(tags) != len(words):
                raise UserError(
                    f"{place}: each word must have one tag, "
                    f"but got {len(words)} words and {len(tags)} tags."
                )
            all_tags.append(tags)
        all_words.append(words)
        lines.append([number] * len(words))
    return RawSentences(all_words, all_tags if labelled else None, lines, path, unit)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
