"""Words aligned by eflomal where it is installed, else by IBM model 1: parallel text to lexicon.

eflomal is a tool of its own (``pip install eflomal==2.0.0``, which needs a C compiler; GPL), not
a part of this project. Its sampler takes its random numbers from the system, so two runs differ
in a few entries: the dictionary that was written is what to keep.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prokd.data.translation.dice import lexicon_by_dice
from prokd.data.translation.ibm1 import lexicon_by_ibm1
from prokd.data.translation.lexicon import Lexicon
from prokd.data.translation.parallel import ParallelText, induced
from prokd.errors import UserError

ALIGNERS = ("auto", "eflomal", "dice", "ibm1")
MIN_LINKS = 2
MIN_DICE = 0.2

Links = Sequence[tuple[int, int]]


def lexicon_from_parallel(text: ParallelText, aligner: str = "auto") -> Lexicon:
    """Return the lexicon of parallel sentences.

    Args:
        text: Parallel sentences.
        aligner: One of `ALIGNERS`; auto is eflomal if it is installed, else ibm1.

    Raises:
        UserError: There is no such aligner, eflomal is asked for and not installed, or no words
            are found.
    """
    check_aligner(aligner)
    if aligner == "dice":
        return lexicon_by_dice(text)
    if aligner == "ibm1" or not has_eflomal():
        return lexicon_by_ibm1(text)
    return lexicon_by_eflomal(text)


def check_aligner(aligner: str) -> None:
    """Raise UserError if there is no such aligner, or it is not installed."""
    if aligner not in ALIGNERS:
        raise UserError(f"an aligner must be one of {', '.join(ALIGNERS)}, but got {aligner!r}.")
    if aligner == "eflomal" and not has_eflomal():
        raise UserError(
            "the aligner eflomal must be installed (`pip install eflomal==2.0.0`, which needs a C "
            "compiler), but is not; the aligner ibm1 needs nothing."
        )


def has_eflomal() -> bool:
    """Return whether eflomal is installed."""
    return importlib.util.find_spec("eflomal") is not None


def lexicon_by_eflomal(
    text: ParallelText, *, min_links: int = MIN_LINKS, min_dice: float = MIN_DICE
) -> Lexicon:
    """Align by eflomal (HMM with fertility) both ways; count the links that both ways have.

    Args:
        text: Parallel sentences.
        min_links: As in `linked_scores`.
        min_dice: As in `linked_scores`.

    Raises:
        UserError: No words are linked so often.
    """
    forward, backward = _align(text)
    links = [sorted(set(one) & set(other)) for one, other in zip(forward, backward, strict=True)]
    scores = linked_scores(text, links, min_links=min_links, min_dice=min_dice)
    return induced(text, scores, "eflomal")


def linked_scores(
    text: ParallelText, links: Sequence[Links], *, min_links: int, min_dice: float
) -> Iterator[tuple[str, str, float]]:
    r"""Yield source word, target word and link-Dice of the words that are linked often.

    .. math:: Dice(e, f) = 2 n_{ef} / (n_e + n_f)

    with the numbers of links between e and f, of e at all, and of f at all.

    Args:
        text: Parallel sentences.
        links: For each pair of sentences, places in the source and in the target.
        min_links: Least n_ef.
        min_dice: Least coefficient, 0 to 1.
    """
    together = Counter(
        (source[i], target[j])
        for source, target, found in zip(text.sources, text.targets, links, strict=True)
        for i, j in found
    )
    n_e: Counter[str] = Counter()
    n_f: Counter[str] = Counter()
    for (word, other), number in together.items():
        n_e[word] += number
        n_f[other] += number
    for (word, other), number in together.items():
        score = 2 * number / (n_e[word] + n_f[other])
        if number >= min_links and score >= min_dice:
            yield word, other, score


def _align(text: ParallelText) -> tuple[list[Links], list[Links]]:
    eflomal: Any = importlib.import_module("eflomal")
    with tempfile.TemporaryDirectory(prefix="prokd-eflomal-") as name:
        forward, backward = Path(name) / "forward", Path(name) / "backward"
        eflomal.Aligner(model=3).align(
            [" ".join(words) for words in text.sources],
            [" ".join(words) for words in text.targets],
            links_filename_fwd=str(forward),
            links_filename_rev=str(backward),
        )
        return _links(forward), _links(backward)


def _links(path: Path) -> list[Links]:
    """Read lines of ``i-j``, places in the source and in the target, in both directions alike."""
    lines = path.read_text(encoding="ascii").splitlines()
    return [[_link(part) for part in line.split()] for line in lines]


def _link(text: str) -> tuple[int, int]:
    source, _, target = text.partition("-")
    return int(source), int(target)
