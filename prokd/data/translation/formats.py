r"""Dictionaries in the forms in which they are shared; their form is detected.

======================  ==========================================================  ==============
form                    a line                                                      told by
======================  ==========================================================  ==============
ours, MUSE's            ``source<TAB>target`` or ``source<TAB>target<TAB>score``    tabs
MUSE's                  ``source target``                                           one blank
hunalign's              ``target @ source``                                         `` @ ``
Wiktionary's            ``word {pos} (gloss) :: target {gender} /roman/, target``   ``::``
dictd's                 (offsets into a text, see `prokd.data.translation.dictd`)   ``.index``
======================  ==========================================================  ==============

All of them may be packed by gzip or xz.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prokd.common.text import split_lines
from prokd.data.translation.cleaning import clean_source, clean_target
from prokd.data.translation.dictd import index_of, read_dictd
from prokd.data.translation.text_file import read_text
from prokd.data.translation.wiktionary import read_wiktionary
from prokd.errors import UserError

SAME_LANGUAGE = {
    "en": ("eng",),
    "nl": ("nld",),
    "de": ("deu",),
    "es": ("spa",),
    "ar": ("ara", "arb"),
    "hi": ("hin",),
    "zh": ("zho", "cmn"),
}
"""Longer codes of some languages, as in the names of Wiktionary's and FreeDict's files."""
_ENDINGS = (".tsv", ".txt", ".dict", ".dict.dz", ".dic")
_PACKED = ("", ".gz", ".xz")


class Pair(NamedTuple):
    """A line's source, target and score, if it has one, all as they stand there."""

    source: str
    target: str
    score: float | None = None


def dictionary_in(folder: Path, source: str, target: str) -> Path:
    """Return the one dictionary of a pair of languages in a folder.

    Its name begins with ``<source>-<target>`` (or FreeDict's ``freedict-<source>-<target>``), with
    codes of two letters or of three, and ends as dictionaries do (.tsv, .txt, .dict ..., packed or
    not).

    Raises:
        UserError: There is none, or several.
    """
    sources, targets = ("|".join(map(re.escape, _codes(code))) for code in (source, target))
    pattern = re.compile(rf"(freedict-)?({sources})-({targets})([-_.].*)?", re.IGNORECASE)
    endings = tuple(ending + packed for ending in _ENDINGS for packed in _PACKED)
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.name.endswith(endings) and pattern.fullmatch(path.name) and path.is_file()
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise UserError(
        f"{folder}: must hold exactly one dictionary {source}-{target} (.tsv, .txt, .dict, "
        f".dict.dz), but has {names}."
    )


def read_dictionary(path: Path, target: str) -> Iterator[tuple[str, str, float]]:
    """Read the entries of one word to one word of a file, cleaned, in order.

    Where a file has no scores, the targets of a source word are ranked by how often they are
    listed for it (Wiktionary: for how many senses), then by their order; the score is 1/rank.

    Args:
        path: The file.
        target: Code of the target language, which decides how targets are cleaned.

    Yields:
        Source word, normalised; target word; score. A pair comes once, with its largest score.

    Raises:
        UserError: The file is missing, empty, damaged, malformed or of no known form.
    """
    counts: dict[str, dict[str, int]] = {}
    scores: dict[tuple[str, str], float] = {}
    for pair in _read_pairs(path):
        key, value = clean_source(pair.source), clean_target(pair.target, target)
        if key is None or value is None:
            continue
        listed = counts.setdefault(key, {})
        listed[value] = listed.get(value, 0) + 1
        if pair.score is not None:
            scores[key, value] = max(pair.score, scores.get((key, value), -math.inf))
    for key, listed in counts.items():
        for rank, value in enumerate(sorted(listed, key=lambda word: -listed[word]), start=1):
            yield key, value, scores.get((key, value), 1 / rank)


def _codes(language: str) -> tuple[str, ...]:
    return (language, *SAME_LANGUAGE.get(language, ()))


def files_of(path: Path) -> list[Path]:
    """Return all files that a dictionary is read from: itself, and the index of dictd's form."""
    index = index_of(path)
    return [path] if index is None else [path, index]


def _read_pairs(path: Path) -> list[Pair]:
    index = index_of(path)
    if index is not None:
        return [Pair(*found) for found in read_dictd(path, index)]
    lines = split_lines(read_text(path))
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    while numbered and numbered[0][1].startswith("# "):  # what a file says of itself
        del numbered[0]
    first = numbered[0][1] if numbered else ""
    if "::" in first:
        return [Pair(*found) for found in read_wiktionary(numbered, path)]
    read = _hunalign if " @ " in first else _tabs if "\t" in first else _blank
    return [read(line, f"{path}:{number}") for number, line in numbered]


def _tabs(line: str, place: str) -> Pair:
    fields = line.split("\t")
    if len(fields) not in (2, 3) or not all(field.strip() for field in fields):
        raise _malformed(place, "source<TAB>target or source<TAB>target<TAB>score", line)
    if len(fields) == 2:
        return Pair(fields[0], fields[1])
    try:
        score = float(fields[2])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{place}: a score must be a finite number, but got {fields[2]!r}.")
    return Pair(fields[0], fields[1], score)


def _blank(line: str, place: str) -> Pair:
    fields = line.split()
    if len(fields) != 2:
        raise _malformed(place, "source and target, with a tab or a blank between them", line)
    return Pair(fields[0], fields[1])


def _hunalign(line: str, place: str) -> Pair:
    fields = line.split(" @ ")
    if len(fields) != 2 or not all(field.strip() for field in fields):
        raise _malformed(place, "`target @ source`", line)
    return Pair(fields[1], fields[0])


def _malformed(place: str, form: str, line: str) -> UserError:
    shown = repr(line if len(line) <= 60 else line[:57] + "...")
    return UserError(f"{place}: a line must be {form}, as the first is, but got {shown}.")
