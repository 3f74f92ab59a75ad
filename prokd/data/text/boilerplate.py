"""What is no sentence of a language: menus, addresses, tables, debris of web pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from prokd.data.text.rules import (
    ADDRESS,
    BROKEN,
    FEW_LETTERS,
    MENU,
    TOO_LONG,
    TOO_SHORT,
    TextRules,
)

LEAST_LETTERS = 0.4
"""Share of a sentence's characters, blanks aside, that must be letters or their marks."""
MENU_ENTRIES, MENU_LENGTH = 3, 25
"""Fewest entries of a menu, and most characters of one on average."""
# Dots without blanks around them stand within foreign names in Chinese.
_BETWEEN_ENTRIES = re.compile(r"\s*[|¦]\s*|(?:^|\s)[→•·►▸✦>](?=\s)")
_ADDRESS = re.compile(r"https?:|www\.|\b[\w.+-]+@[\w-]+\.\w", re.IGNORECASE)
_REPLACEMENT = "\ufffd"


def paragraph_fault(paragraph: str) -> str | None:
    """Return why a whole paragraph is no text; None if it may be one.

    >>> paragraph_fault("Home | News | Sport | Contact"), paragraph_fault("Anna lives in Leiden.")
    ('menu', None)
    """
    entries = [part.strip() for part in _BETWEEN_ENTRIES.split(paragraph) if part.strip()]
    is_short = sum(map(len, entries)) <= MENU_LENGTH * len(entries)
    return MENU if len(entries) >= MENU_ENTRIES and is_short else None


def sentence_fault(sentence: str, words: Sequence[str], rules: TextRules) -> str | None:
    """Return why a sentence is not kept; None if it is.

    Args:
        sentence: Its text, see `sentences.cleaned`.
        words: Its words and marks.
        rules: How long it may be.

    Example:
        >>> rules = TextRules()
        >>> sentence_fault("See www.example.org now", ["See", "www.example.org", "now"], rules)
        'web address'
        >>> sentence_fault("Ajax 3 : 1 ( 2 : 0 )", ["Ajax", "3", ":", "1"], rules)
        'few letters'
    """
    if _REPLACEMENT in sentence:
        return BROKEN
    if _ADDRESS.search(sentence):
        return ADDRESS
    characters = sentence.replace(" ", "")
    if sum(map(_is_letter, characters)) < LEAST_LETTERS * len(characters):
        return FEW_LETTERS
    if sum(any(map(_is_letter, word)) for word in words) < rules.min_words:
        return TOO_SHORT
    return TOO_LONG if len(words) > rules.max_words else None


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"
