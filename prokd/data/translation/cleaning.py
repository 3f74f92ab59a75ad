"""What is done to both sides of a dictionary's entry, whatever file it comes from."""

from __future__ import annotations

import re
import unicodedata

_CODES = (
    "am ar arb as be bg bn bo ckb cmn dv el fa gu he hi hy ja ka kk km kn ko ky lo mk ml mn mr my "
    "ne or pa ps ru sa sd si ta te tg th ti ug uk ur wuu yi yue zh"
)
NON_LATIN = frozenset(_CODES.split())
"""Languages that write no Latin letters: a target with one is none of their words (the→the)."""
_LATIN_BRANCHES = ("zh-min-nan",)
"""Codes under those of `NON_LATIN` whose text is written in Latin letters all the same."""
_HARAKAT_AND_TATWEEL = re.compile("[\u064b-\u0652\u0640]")
_OUTSIDE = " \t\u00a0.…!?¡¿"
_HYPHENS = ("-", "\u2010", "\u2011")
_DUTCH_IJ = str.maketrans({"\u0132": "IJ", "\u0133": "ij"})


def normalised(word: str) -> str:
    """Return the form under which a source word is looked up: NFKC, lower case, no blanks outside.

    >>> normalised(" Ｈouse"), normalised("IS")
    ('house', 'is')
    """
    lowered = unicodedata.normalize("NFKC", word).lower()
    return unicodedata.normalize("NFKC", lowered).strip()


def clean_source(text: str) -> str | None:
    """Return a source word as it is looked up; None for several words, affixes and signs alone.

    >>> clean_source("House"), clean_source("as well")
    ('house', None)
    """
    return _one_word(normalised(text))


def clean_target(text: str, language: str) -> str | None:
    """Return a target word in its own spelling and case; None for what cannot stand for a word.

    Args:
        text: As it stands in a dictionary.
        language: Code of the target language: nl writes ij for U+0133, ar without vowel marks
            (U+064B-0652) and tatweel, hi a blank for ~; those of `NON_LATIN` have no word with a
            Latin letter.

    Returns:
        One word in NFC, without dots and marks outside of it (``...के``); None for several words,
        affixes (``un-``), and signs alone.

    >>> clean_target("Haus", "de"), clean_target("w\u0133n", "nl"), clean_target("te koop", "nl")
    ('Haus', 'wijn', None)
    >>> clean_target("所...的", "zh"), clean_target("the", "ar"), clean_target("छोड़~देना", "hi")
    (None, None, None)
    """
    word = unicodedata.normalize("NFC", text)
    base = language if language in _LATIN_BRANCHES else language.split("-")[0]
    if base == "nl":
        word = word.translate(_DUTCH_IJ)
    elif base in ("ar", "arb"):
        word = _HARAKAT_AND_TATWEEL.sub("", word)
    elif base == "hi":
        word = word.replace("~", " ")
    if base in NON_LATIN and any(map(_is_latin, word)):
        return None
    return _one_word(word.strip(_OUTSIDE))


def _one_word(text: str) -> str | None:
    has_letter = any(unicodedata.category(character)[0] in "LN" for character in text)
    is_affix = text.startswith(_HYPHENS) or text.endswith(_HYPHENS)
    has_gap = "…" in text or "..." in text  # "越…越": words that others stand between
    is_word = has_letter and not is_affix and not has_gap
    return text if is_word and len(text.split()) == 1 else None


def _is_latin(character: str) -> bool:
    return character.isalpha() and unicodedata.name(character, "").startswith("LATIN ")
