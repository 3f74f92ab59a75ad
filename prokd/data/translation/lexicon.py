"""A dictionary from words of one language to words of another, and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prokd.common.files import write_text
from prokd.data.translation.cleaning import normalised
from prokd.data.translation.formats import dictionary_in, read_dictionary
from prokd.data.words import check_language
from prokd.errors import UserError

Entries = Mapping[str, tuple[tuple[str, float], ...]]
"""The targets of each source word with their scores, best first."""

__all__ = ["Entries", "Lexicon", "merged", "normalised", "read_lexicon", "write_lexicon"]


@dataclass(frozen=True)
class Lexicon:
    """A dictionary of single words.

    Attributes:
        entries: For each source word, normalised (lower case, NFKC), one target or more in their
            own case, with scores that compare within one source word, best first.
        origin: Where it comes from, for people.
    """

    entries: Entries
    origin: str

    def best(self, word: str) -> str | None:
        """Return the best target of a word, looked up normalised; None if it has none."""
        found = self.entries.get(normalised(word))
        return found[0][0] if found else None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the content; the order of the source words has no part in it."""
        content = json.dumps([(source, self.entries[source]) for source in sorted(self.entries)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def __len__(self) -> int:
        """Return the number of source words."""
        return len(self.entries)


def merged(lexicons: Sequence[Lexicon]) -> Lexicon:
    """Return the union; the first that has a source word gives all its targets."""
    entries: dict[str, tuple[tuple[str, float], ...]] = {}
    for lexicon in lexicons:
        entries = {**lexicon.entries, **entries}
    return Lexicon(entries, " + ".join(lexicon.origin for lexicon in lexicons))


def from_scores(scores: Iterable[tuple[str, str, float]], origin: str) -> Lexicon:
    """Return a lexicon of (source, target, score), sources normalised; ties keep their order."""
    found: dict[str, list[tuple[str, float]]] = {}
    for source, target, score in scores:
        found.setdefault(source, []).append((target, score))
    ranked = {word: sorted(pairs, key=lambda pair: -pair[1]) for word, pairs in found.items()}
    return Lexicon({word: tuple(pairs) for word, pairs in ranked.items()}, origin)


def read_lexicon(paths: Sequence[Path], *, source: str, target: str) -> Lexicon:
    """Read dictionaries of any known form, cleaned; the first that has a source word wins.

    Args:
        paths: Files, or folders that hold one dictionary named ``<source>-<target>...``.
        source: Code of the source language.
        target: Code of the target language.

    Raises:
        UserError: A file is missing, empty, damaged or malformed, a folder has no or several
            dictionaries of the pair, or a file leaves no entry of single words.
    """
    if not paths:
        raise UserError("a lexicon must come from one file or more, but got none.")
    check_language(source)
    check_language(target)
    lexicons = []
    for given in paths:
        path = dictionary_in(given, source, target) if given.is_dir() else given
        found = from_scores(read_dictionary(path, target), path.name)
        if not found:
            raise UserError(
                f"{path}: a dictionary {source}-{target} must have entries of one word to one "
                f"word, but got none."
            )
        lexicons.append(found)
    return merged(lexicons)


def write_lexicon(path: Path, lexicon: Lexicon) -> None:
    """Write lines ``source<TAB>target<TAB>score``, which `read_lexicon` reads; whole or not."""
    lines = [
        f"{source}\t{target}\t{score!r}\n"
        for source in sorted(lexicon.entries)
        for target, score in lexicon.entries[source]
    ]
    write_text(path, "".join(lines))
