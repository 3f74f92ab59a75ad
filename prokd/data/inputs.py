"""Sentences to be tagged: raw text, CoNLL columns or JSON lines of words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from prokd.common.streams import standard_input
from prokd.common.text import cleaned, decode_text, split_lines
from prokd.data.columns import parse_columns
from prokd.data.readers import parse_json_lines
from prokd.data.schemes import clean_tag, is_tag
from prokd.data.words import UNDETERMINED, Word, blank_words, split_words
from prokd.errors import UserError

FORMS = ("auto", "text", "conll", "jsonl")
SUFFIXES = {".conll": "conll", ".bio": "conll", ".tsv": "conll", ".jsonl": "jsonl"}
"""Forms that a file's name tells; of other files, the content does."""
_ENTITY = re.compile(r"[BI]-[A-Za-z]{2,}")


@dataclass(frozen=True)
class Sentence:
    """A sentence to be tagged.

    Args:
        text: The line as it was given, or the words of tokenised input joined by blanks.
        words: Its words, with their places in the text.
        line: Number, from 1, of the line where it begins.
        is_raw: Whether nobody has split it into words before.
    """

    text: str
    words: list[Word]
    line: int
    is_raw: bool = False

    @property
    def tokens(self) -> list[str]:
        """The words as a model sees them: those of raw text cleaned as such corpora are."""
        if not self.is_raw or cleaned(self.text) == self.text:
            return [word.text for word in self.words]
        found = (cleaned(word.text).replace(" ", "") for word in self.words)
        return [seen or word.text for seen, word in zip(found, self.words, strict=True)]


def read_input(file: Path) -> str:
    """Return the text of a file, or of standard input for ``-``; gzip is unpacked.

    Raises:
        UserError: It cannot be read, or is no UTF-8.
    """
    if str(file) == "-":
        return decode_text(standard_input().read(), "standard input")
    try:
        return decode_text(file.read_bytes(), str(file))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from None


def sentences_of(
    text: str,
    name: str,
    *,
    form: str = "auto",
    language: str = UNDETERMINED,
    split: bool = True,
) -> list[Sentence]:
    """Return the sentences of a text, one a line if it is raw; blank lines are none.

    Args:
        text: The whole text.
        name: Of the file, for messages and for its suffix.
        form: "text", "conll", "jsonl", or "auto": what suffix and content tell.
        language: Whose rules split the words of raw text.
        split: Whether raw text is split into words; if not, blanks alone separate them.

    Raises:
        UserError: An unknown form, or a text that does not have it.
    """
    check_form(form)
    if form == "auto":
        form = detected_form(text, name)
    if form == "conll":
        return sentences_in_columns(text, name)
    return sentences_in_lines(split_lines(text), name, form, language=language, split=split)


def check_form(form: str) -> None:
    """Refuse what is no form of an input."""
    if form not in FORMS:
        raise UserError(f"the input must be one of {', '.join(FORMS)}, but got {form!r}.")


def sentences_in_columns(text: str, name: str) -> list[Sentence]:
    """Return the sentences of CoNLL columns, as `sentences_of` does."""
    sentences, _, lines = parse_columns(
        text, name, labelled=False, separator=None, tag_column=None
    )
    return [of_words(found, at[0]) for found, at in zip(sentences, lines, strict=True)]


def sentences_in_lines(
    lines: Sequence[str],
    name: str,
    form: str,
    first_line: int = 1,
    *,
    language: str = UNDETERMINED,
    split: bool = True,
) -> list[Sentence]:
    """Return the sentences of some lines of raw text or JSON, as `sentences_of` does.

    Args:
        lines: The lines.
        name: Of the file, for messages.
        form: "text" or "jsonl".
        first_line: Number of the first, from 1.
        language: As there, like ``split``.
        split: Whether raw text is split into words.
    """
    if form == "jsonl":
        text = "\n".join(lines)
        raw = parse_json_lines(text, name, labelled=False, first_line=first_line)
        return [of_words(found, at[0]) for found, at in zip(raw.words, raw.lines, strict=True)]
    result = [
        raw_sentence(line, number, language=language, split=split)
        for number, line in enumerate(lines, start=first_line)
    ]
    return [sentence for sentence in result if sentence.words]


def raw_sentence(
    text: str, line: int = 1, *, language: str = UNDETERMINED, split: bool = True
) -> Sentence:
    """Return raw text as one sentence, as `sentences_of` does with a line."""
    words = split_words(text, language) if split else blank_words(text)
    return Sentence(text, words, line, is_raw=split)


def detected_form(text: str, name: str) -> str:
    r"""Return "text", "conll" or "jsonl".

    A suffix that tells the form goes first. Else lines that are all JSON objects with words are
    JSON lines, and lines of which most are columns whose last or second is a tag are CoNLL.

    >>> detected_form("Anna\tB-PER\nlives\tO\n", "x.txt"), detected_form("Anna lives", "x.txt")
    ('conll', 'text')
    """
    suffixes = [suffix for suffix in PurePath(name).suffixes if suffix != ".gz"]
    if suffixes and suffixes[-1] in SUFFIXES:
        return SUFFIXES[suffixes[-1]]
    lines = [line for line in split_lines(text) if line.strip()]
    if lines and all(_is_record(line) for line in lines):
        return "jsonl"
    rows = [line.split() for line in lines if not line.startswith(("# ", "-DOCSTART-"))]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    own = [row for row in rows if len(row) == width > 1]
    for column in {1, width - 1} if own else ():
        tags = [tag for row in own if is_tag(tag := clean_tag(row[column]))]
        # A line that is no such row is a mistake to be told, not a sign that this is raw text.
        is_most = 2 * len(tags) > len(rows) and any(_ENTITY.fullmatch(tag) for tag in tags)
        if len(tags) == len(rows) or is_most:
            return "conll"
    return "text"


def _is_record(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and ("tokens" in record or "words" in record)


def of_words(words: list[str], line: int) -> Sentence:
    """Return a tokenised sentence: its text is its words joined by blanks.

    >>> of_words(["St.", "Paul"], 3).words[1]
    Word(text='Paul', start=4, end=8)
    """
    placed, start = [], 0
    for word in words:
        placed.append(Word(word, start, start + len(word)))
        start += len(word) + 1
    return Sentence(" ".join(words), placed, line)
