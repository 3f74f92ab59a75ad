r"""Words of raw text in any script, with their places in it; ICU knows where words end.

ICU splits by the Unicode rules (UAX 29: combining marks, contractions, numbers), by rules of
single languages, and by dictionaries where no blanks stand between words (Chinese, Japanese,
Thai, Lao, Khmer, Burmese).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from icu4py.breakers import WordBreaker

from prokd.common.text import check_text
from prokd.config.settings import LANGUAGE
from prokd.errors import UserError

UNDETERMINED = "und"
"""The language code of a text of unknown language: rules alone, and all dictionaries."""
_HYPHENS = ("-", "\u2010", "\u2011")
_BLANKLESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


class Word(NamedTuple):
    """A word and its place: ``text[start:end]``, counted in characters."""

    text: str
    start: int
    end: int


def split_words(text: str, language: str = UNDETERMINED) -> list[Word]:
    r"""Split raw text into words and punctuation marks; blanks and control characters fall out.

    Words that hyphens join are one word, as in most corpora, except in scripts without blanks.

    Args:
        text: In Unicode.
        language: Its code, e.g. "hi" or "zh-min-nan".

    Raises:
        UserError: A text that is no Unicode (lone surrogates), or no code of a language.

    Example:
        >>> [word.text for word in split_words("Anna lives in St. Paul.", "en")]
        ['Anna', 'lives', 'in', 'St', '.', 'Paul', '.']
        >>> [word.text for word in split_words("It's 9 o'clock, Mary-Ann O’Neil", "en")]
        ["It's", '9', "o'clock", ',', 'Mary-Ann', 'O’Neil']
        >>> split_words("नई दिल्ली", "hi")
        [Word(text='नई', start=0, end=2), Word(text='दिल्ली', start=3, end=9)]
        >>> [word.text for word in split_words("他住在北京。", "zh")]
        ['他', '住在', '北京', '。']
        >>> [word.text for word in split_words("東京に住んで", "ja")]
        ['東京', 'に', '住', 'んで']
        >>> [word.text for word in split_words("อยู่ที่กรุงเทพมหานคร", "th")]
        ['อยู่', 'ที่', 'กรุงเทพมหานคร']
        >>> [word.text for word in split_words("يعيش في القاهرة، مصر", "ar")]
        ['يعيش', 'في', 'القاهرة', '،', 'مصر']
        >>> split_words("😀 e\u0301te\u0301", "fr")[1][1:]
        (2, 7)
    """
    check_text(text, "a text")
    return _joined([word for word in _pieces(text, language) if not _is_invisible(word.text)])


def blank_words(text: str) -> list[Word]:
    """Split a text that is tokenised already, at blanks alone.

    >>> blank_words("St. Paul .")[1]
    Word(text='Paul', start=4, end=8)
    """
    check_text(text, "a text")
    return [Word(match.group(), *match.span()) for match in re.finditer(r"\S+", text)]


def check_language(language: str) -> str:
    """Return a language's code; UserError if it is none."""
    if not re.fullmatch(LANGUAGE, language):
        raise UserError(
            f"a language must be a code such as ar or zh-min-nan, but got {language!r}."
        )
    return language


def _pieces(text: str, language: str) -> Iterator[Word]:
    # The breaker's own offsets count UTF-16 units; its pieces follow each other without gaps.
    start = 0
    for piece in WordBreaker(text, check_language(language)):
        yield Word(piece, start, start + len(piece))
        start += len(piece)


def _is_invisible(piece: str) -> bool:
    kinds = {unicodedata.category(character) for character in piece}
    return kinds <= {"Zs", "Zl", "Zp", "Cc", "Cf"}


def _joined(words: list[Word]) -> list[Word]:
    """Join word, hyphen and word where nothing stands between them."""
    result: list[Word] = []
    for word in words:
        if len(result) > 1 and _is_compound(result[-2], result[-1], word):
            first = result[-2]
            text = first.text + result[-1].text + word.text
            result[-2:] = [Word(text, first.start, word.end)]
        else:
            result.append(word)
    return result


def _is_compound(left: Word, hyphen: Word, right: Word) -> bool:
    touch = left.end == hyphen.start and hyphen.end == right.start
    return touch and hyphen.text in _HYPHENS and _joins(left.text[-1]) and _joins(right.text[0])


def _joins(character: str) -> bool:
    is_of_word = character == "_" or unicodedata.category(character)[0] in "LMN"
    return is_of_word and not unicodedata.name(character, "").startswith(_BLANKLESS)
