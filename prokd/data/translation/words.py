"""Labelled sentences in another language, word by word (UniTrans, Wu et al., IJCAI 2020).

The order of the words stays, and each word's tag goes with it. Names of persons, and words that
the dictionary does not have, stay as they are.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from prokd.config.settings import TranslationConfig
from prokd.data.corpus import Corpus
from prokd.data.labels import OUTSIDE
from prokd.data.translation.lexicon import Lexicon, normalised

DRAWN_CASING = ("de",)
"""Languages that write more than names with capitals: `TranslationConfig.casing` = auto."""
MOST_CHARACTERS = 0.95
"""Share of one-character words above which a text without blanks is one of characters."""


@dataclass(frozen=True)
class WordCounts:
    """What became of the words of one class.

    Args:
        words: Number of words.
        covered: Those that the dictionary has.
        changed: Those that are spelled otherwise afterwards, capitals aside.
        kept: Those that stay by rule, whatever the dictionary has.
    """

    words: int = 0
    covered: int = 0
    changed: int = 0
    kept: int = 0

    def __add__(self, other: WordCounts) -> WordCounts:
        """Return the sums."""
        return WordCounts(
            self.words + other.words,
            self.covered + other.covered,
            self.changed + other.changed,
            self.kept + other.kept,
        )


@dataclass(frozen=True)
class Translation:
    """A translated corpus, and what became of its words.

    Args:
        corpus: Sentence n is that of the source's sentence n.
        counts: By class: "O" and the types of entities.
        known_share: Of the words that were changed, how many the target's text has, too, in
            [0, 1]; 1 where none was changed.
    """

    corpus: Corpus
    counts: Mapping[str, WordCounts]
    known_share: float = 1.0


def translate(
    corpus: Corpus, lexicon: Lexicon, settings: TranslationConfig, *, target: Corpus
) -> Translation:
    """Translate labelled sentences word by word.

    Where the target's text consists of single characters (WikiANN's Chinese), a translation does
    too: the first of a word's characters has its tag, the others the I tag of its type.

    Args:
        corpus: Labelled sentences.
        lexicon: From their language to the target's.
        settings: Which words stay, and how capitals are set.
        target: Text of the target; no label of it is looked at. It tells how often each word has
            which capitals, and whether its words are single characters.

    Returns:
        As many sentences as there were, in their order; capitals that are drawn are drawn the
        same whenever this is called.
    """
    assert corpus.tags is not None, "what is translated is labelled"
    writing = _Writing(target, settings)
    counts: dict[str, WordCounts] = defaultdict(WordCounts)
    all_words, all_tags = [], []
    changed, known = 0, 0
    for words, tags in zip(corpus.words, corpus.tags, strict=True):
        translated: list[str] = []
        tags_of_it: list[str] = []
        for word, tag in zip(words, tags, strict=True):
            kind = tag if tag == OUTSIDE else tag[2:]
            found = lexicon.best(word)
            is_kept = kind in settings.keep
            is_same = found is None or normalised(found) == normalised(word)  # McDonald stays
            parts = [word] if is_kept or is_same else writing.write(str(found), word)
            translated += parts
            tags_of_it += [tag, *[tag if tag == OUTSIDE else f"I-{kind}"] * (len(parts) - 1)]
            is_changed = "".join(parts).lower() != word.lower()
            counts[kind] += WordCounts(1, found is not None, is_changed, is_kept)
            if is_changed:
                changed += 1
                known += all(part.lower() in writing.words for part in parts)
        all_words.append(translated)
        all_tags.append(tags_of_it)
    origin = f"{corpus.origin} translated by {lexicon.origin}"
    made = Corpus(target.language, corpus.split, all_words, all_tags, origin, "IOB2")
    ordered = {kind: counts[kind] for kind in sorted(counts, key=_outside_first)}
    return Translation(made, ordered, known / changed if changed else 1.0)


def paired(source: Corpus, translation: Corpus) -> Corpus:
    """Return a corpus and its translation as one: sentence n + S is that of sentence n of S."""
    assert source.tags is not None, "the source is labelled"
    assert translation.tags is not None, "so is its translation"
    assert len(source) == len(translation), "each sentence has a translation"
    return Corpus(
        language=f"{source.language}+{translation.language}",
        split=source.split,
        words=source.words + translation.words,
        tags=source.tags + translation.tags,
        origin=f"{source.origin} and its translation",
        scheme="IOB2",
    )


def _outside_first(kind: str) -> tuple[bool, str]:
    return kind != OUTSIDE, kind


class _Writing:
    """How the target language is written, as far as its unlabelled text tells."""

    def __init__(self, target: Corpus, settings: TranslationConfig) -> None:
        known = Counter(word for sentence in target.words for word in sentence)
        self.words = {word.lower() for word in known}
        self.forms: dict[str, Counter[str]] = defaultdict(Counter)
        self.is_drawn = settings.casing == "target" or (
            settings.casing == "auto" and target.language in DRAWN_CASING
        )
        for word, count in known.items() if self.is_drawn else ():
            lower = word.lower()
            if word in (lower, _capitalised(lower), lower.upper()):
                self.forms[lower][word] += count
        blankless = {word: count for word, count in known.items() if _is_blankless(word)}
        characters = sum(count for word, count in blankless.items() if len(word) == 1)
        self.by_character = characters > MOST_CHARACTERS * max(1, sum(blankless.values()))
        self.random = random.Random("casing")

    def write(self, found: str, source_word: str) -> list[str]:
        """Return a translation's words: with capitals, in characters where they stand alone."""
        lower = found.lower()
        if forms := self.forms.get(lower):
            (written,) = self.random.choices(list(forms), list(forms.values()))
        elif len(source_word) > 1 and source_word.isupper():
            written = lower.upper()
        elif source_word[:1].isupper():
            written = _capitalised(lower)
        else:  # a noun that the text does not have is spelled as the dictionary has it
            written = found if self.is_drawn else lower
        if self.by_character and _is_blankless(written):
            return list(written)
        return [written]


def _capitalised(lower: str) -> str:
    """Return a word with its first letter in capitals.

    >>> _capitalised("ijsland"), _capitalised("")
    ('Ijsland', '')
    """
    return lower[:1].upper() + lower[1:]


def _is_blankless(word: str) -> bool:
    """Tell whether all of a word is of a script that is written without blanks.

    >>> _is_blankless("和平"), _is_blankless("NBA"), _is_blankless("2")
    (True, False, False)
    """
    return all("\u3040" <= letter <= "\u9fff" or "\u0e00" <= letter <= "\u0eff" for letter in word)
