"""Paragraphs to sentences, and sentences to words, by ICU's rules for the language."""

from __future__ import annotations

from collections.abc import Iterator

from icu4py.breakers import SentenceBreaker

from prokd.data.words import check_language, split_words

UNMARKED = ("th", "lo")
"""Languages whose sentences end in a blank, as phrases do: nothing tells one from the other."""
PHRASES = 120
"""Characters of such text that are taken for a sentence, to the next blank."""


def split_sentences(paragraph: str, language: str) -> Iterator[str]:
    """Yield the sentences of a cleaned paragraph.

    ICU ends a sentence at full stops, question marks and their like in all scripts, before a
    capital after an abbreviation too. Its lists of abbreviations are left aside: in German they
    hide one end in 17 and mend one sentence in 140.

    Args:
        paragraph: As `cleaned` returns it.
        language: Its code, e.g. "sw" or "zh-min-nan".

    Raises:
        UserError: No code of a language.

    Example:
        >>> list(split_sentences("Er kam z.B. um 9.30 Uhr. Sie ging.", "de"))
        ['Er kam z.B. um 9.30 Uhr.', 'Sie ging.']
        >>> list(split_sentences("他住在北京。她也是！", "zh"))
        ['他住在北京。', '她也是！']
    """
    code = check_language(language).replace("_", "-")
    for sentence in SentenceBreaker(paragraph, code):
        if code.partition("-")[0] in UNMARKED:
            yield from _phrases(sentence)
        else:
            yield sentence.strip(" ")


def words_of(sentence: str, language: str) -> list[str]:
    """Return the words of a sentence: those that `prokd predict` sees in the same text."""
    return [word.text for word in split_words(sentence, language)]


def _phrases(text: str) -> Iterator[str]:
    part = ""
    for phrase in text.split():
        if part and len(part) + len(phrase) >= PHRASES:
            yield part
            part = ""
        part = f"{part} {phrase}".strip()
    if part:
        yield part
