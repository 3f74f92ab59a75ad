"""What a corpus of raw text was made of, in lines of a terminal: from its own file of counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prokd.common.files import read_json
from prokd.data.text.corpus import COUNTS
from prokd.data.text.languages import language_line
from prokd.data.text.rules import OF_PARAGRAPHS, OF_SENTENCES


def summary(place: Path) -> Iterator[str]:
    """Yield a corpus in short: one line of counts, one of languages.

    Args:
        place: The folder of its language.
    """
    known = read_json(place / COUNTS)
    counts = known["counts"]
    dropped = ", ".join(f"{reason} {n:,}" for reason, n in counts["dropped"].items() if n)
    held_out = counts.get("held_out", 0)  # a corpus of before has none
    yield (
        f"{known['language']}: {counts['sentences']:,} sentences ({held_out:,} held out), "
        f"{counts['words']:,} words of {counts['paragraphs']:,} paragraphs; dropped: "
        f"{dropped or 'nothing'}"
    )
    yield language_line(known["language"], counts["languages"])


def table(place: Path) -> Iterator[str]:
    """Yield all counts, a line each."""
    known = read_json(place / COUNTS)
    counts = known["counts"]
    yield f"{'lines':22s}{counts['lines']:>12,}"
    yield f"{'paragraphs':22s}{counts['paragraphs']:>12,}   (lines that are not empty)"
    for reason in OF_PARAGRAPHS:
        yield f"{f'  {reason}':22s}{counts['dropped'][reason]:>12,}"
    of_sentences = sum(counts["dropped"][reason] for reason in OF_SENTENCES)
    yield f"{'sentences':22s}{counts['sentences'] + of_sentences:>12,}"
    for reason in OF_SENTENCES:
        yield f"{f'  {reason}':22s}{counts['dropped'][reason]:>12,}"
    yield f"{'kept':22s}{counts['sentences']:>12,}   ({counts['words']:,} words)"
    yield f"{'  held out':22s}{counts['held_out']:>12,}   (dev.jsonl: nothing learns from it)"
    yield language_line(known["language"], counts["languages"])
