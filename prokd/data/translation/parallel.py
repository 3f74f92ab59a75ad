"""Parallel sentences, split into words, and the dictionary that scores of word pairs give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prokd.common.text import split_lines
from prokd.data.translation.cleaning import clean_source, clean_target, normalised
from prokd.data.translation.lexicon import Lexicon, from_scores
from prokd.data.translation.text_file import read_text
from prokd.data.words import split_words
from prokd.errors import UserError

MOST_WORDS = 200
"""Pairs with a longer side are left out: they are rarely sentences, and cost with their square."""
MOST_TARGETS = 5
"""How many targets of a source word are kept."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class ParallelText:
    """Pairs of sentences, each side split into words in the form in which they are counted.

    Attributes:
        sources: Words of each source sentence, normalised as a lexicon looks them up.
        targets: Words of its translation, cleaned as a lexicon's targets and lower-cased.
        spelling: How each of the target words is spelled within sentences (German nouns).
        target: Code of the target language.
        origin: Names of the files.
    """

    sources: Sequence[Sequence[str]]
    targets: Sequence[Sequence[str]]
    spelling: Mapping[str, str]
    target: str
    origin: str

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.sources)


def read_parallel(paths: Sequence[Path], *, source: str, target: str) -> ParallelText:
    """Read parallel sentences, plain or packed by gzip or xz.

    Words are those of `prokd.data.words.split_words`: words and punctuation marks apart, Chinese
    by the dictionary of ICU; text that is tokenised already keeps its blanks as borders. Pairs
    with an empty side, or one of more than `MOST_WORDS` words, are left out.

    Args:
        paths: One file of lines ``source<TAB>target``, or two files, line by line the same.
        source: Code of the source language.
        target: Code of the target language.

    Raises:
        UserError: A file is missing, empty, damaged or no UTF-8, a line has not one tab, two files
            differ in length, or no pair is left.
    """
    if len(paths) not in (1, 2):
        raise UserError(f"parallel sentences must be in one file or two, but got {len(paths)}.")
    origin = " + ".join(path.name for path in paths)
    sources, surfaces = [], []
    for left, right in _pairs_of_lines(paths):
        words = [word.text for word in split_words(left, source)]
        translated = [word.text for word in split_words(right, target)]
        if words and translated and max(len(words), len(translated)) <= MOST_WORDS:
            sources.append([_without_blanks(normalised(word), word) for word in words])
            surfaces.append([_target_form(word, target) for word in translated])
    if not sources:
        raise UserError(f"{origin}: there must be a pair of sentences, but got none.")
    targets = [[form.lower() for form in sentence] for sentence in surfaces]
    return ParallelText(sources, targets, _spelling(surfaces), target, origin)


def indexed(sentences: Sequence[Sequence[str]]) -> tuple[list[str], list[Ids]]:
    """Number the words in order of appearance; return them and each sentence in numbers.

    >>> indexed([["a", "b"], ["b"]])
    (['a', 'b'], [array([0, 1]), array([1])])
    """
    numbers: dict[str, int] = {}
    ids = [
        np.array([numbers.setdefault(word, len(numbers)) for word in sentence], dtype=np.int64)
        for sentence in sentences
    ]
    return list(numbers), ids


def induced(text: ParallelText, scores: Iterable[tuple[str, str, float]], aligner: str) -> Lexicon:
    """Return the lexicon of scored word pairs: spelled, cleaned, at most `MOST_TARGETS` a word.

    Args:
        text: Where the words come from.
        scores: Source word, target word, score; a larger one is better.
        aligner: Whose scores they are.

    Raises:
        UserError: No pair of words is left.
    """
    best: dict[tuple[str, str], float] = {}
    for source, target, score in scores:
        key = clean_source(source)
        word = clean_target(text.spelling.get(target, target), text.target)
        if key is not None and word is not None:
            best[key, word] = max(score, best.get((key, word), score))
    origin = f"{aligner} on {text.origin}"
    found = from_scores(((key, word, score) for (key, word), score in best.items()), origin)
    if not found:
        raise UserError(
            f"{text.origin}: {aligner} must find words that go together often enough, but found "
            f"none in {len(text)} pairs of sentences."
        )
    return Lexicon({key: targets[:MOST_TARGETS] for key, targets in found.entries.items()}, origin)


def _pairs_of_lines(paths: Sequence[Path]) -> Iterable[tuple[str, str]]:
    first, *others = ([*_lines(path)] for path in paths)
    for second in others:
        if len(first) != len(second):
            raise UserError(
                f"{paths[1]}: two files of parallel sentences must have equally many lines, but "
                f"got {len(first)} and {len(second)}."
            )
        return zip(first, second, strict=True)
    pairs = []
    for number, line in enumerate(first, start=1):
        fields = line.split("\t")
        if len(fields) == 2:
            pairs.append((fields[0], fields[1]))
        elif line.strip():
            shown = repr(line if len(line) <= 60 else line[:57] + "...")
            raise UserError(
                f"{paths[0]}:{number}: a line must be source<TAB>target, but got {shown}."
            )
    return pairs


def _lines(path: Path) -> list[str]:
    return split_lines(read_text(path).removesuffix("\n").removesuffix("\r"))


def _target_form(word: str, language: str) -> str:
    cleaned = clean_target(word, language)
    return word if cleaned is None else cleaned


def _without_blanks(form: str, word: str) -> str:
    return "_".join(form.split()) or word  # NFKC writes one sign as several words, seldom


def _spelling(sentences: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return how each lower-cased word is written most often, but for starts of sentences."""
    counts = Counter(form for sentence in sentences for form in sentence[1:])
    result: dict[str, str] = {}
    for form, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0] != item[0].lower())):
        result.setdefault(form.lower(), form)
    return result
