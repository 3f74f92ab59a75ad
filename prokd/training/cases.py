"""A case study: the sentences that exactly one of two models has right, the surest first.

A model is right in a sentence if all of its entities are, and no other is predicted. How sure a
case is: the least probability that the right model gives to its tag of a word on which the two
differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from prokd.scoring.differences import ONLY_FIRST, ONLY_SECOND
from prokd.scoring.entity_groups import source_text
from prokd.training.analysis import Analysis

Counts = dict[str, int]
"""How often a word has each tag; tags that it never has are left out."""


class DifferingWord(NamedTuple):
    """A word on which two models differ.

    Args:
        place: In its sentence, from 0.
        probabilities: Of each model, the probabilities of the tags that gold and both models
            have, by tag.
        source: Tags that the word has in the source's training text; None if that is not there.
        split: Tags that the word has in the split that is looked at.
    """

    place: int
    probabilities: tuple[dict[str, float], dict[str, float]]
    source: Counts | None
    split: Counts


@dataclass(frozen=True)
class Case:
    """A sentence that exactly one of two models has right.

    Args:
        sentence: Its number in the corpus, from 0.
        side: `ONLY_FIRST` or `ONLY_SECOND`.
        words: Of the sentence.
        gold: Gold tags.
        predicted: Tags of both models.
        differing: The words on which they differ.
    """

    sentence: int
    side: str
    words: list[str]
    gold: list[str]
    predicted: tuple[list[str], list[str]]
    differing: list[DifferingWord]

    @property
    def right(self) -> int:
        """Which model is right: 0 or 1."""
        return int(self.side == ONLY_SECOND)

    @property
    def sureness(self) -> float:
        """How sure the right model is, in [0, 1], see above."""
        tags = self.predicted[self.right]
        values = (word.probabilities[self.right][tags[word.place]] for word in self.differing)
        return min(values, default=1.0)


def cases(analysis: Analysis, number: int) -> list[Case]:
    """Return the surest cases of two models: first those that only the first has right.

    Args:
        analysis: Of two models; of one there is no case.
        number: Most cases of each side, >= 0.
    """
    if analysis.agreement is None or not number:
        return []
    found = []
    tags_of_word = source_text([analysis.corpus]).tags
    for side in (ONLY_FIRST, ONLY_SECOND):
        of_side = [
            _case(analysis, sentence, side, tags_of_word)
            for sentence in analysis.agreement.of_side(side)
        ]
        found += sorted(of_side, key=lambda case: (-case.sureness, case.sentence))[:number]
    return found


def _case(
    analysis: Analysis, sentence: int, side: str, tags_of_word: Counter[tuple[str, str]]
) -> Case:
    corpus = analysis.corpus
    words, gold = corpus.words[sentence], (corpus.tags or [])[sentence]
    first, second = (model.tags(sentence) for model in analysis.models)
    names = analysis.models[0].tag_set.names
    source = None if analysis.source is None else analysis.source.tags
    differing = []
    for place, tags in enumerate(zip(gold, first, second, strict=True)):
        if tags[1] == tags[2]:
            continue
        wanted = sorted(set(tags))
        one, other = (
            dict(zip(wanted, model.probabilities(sentence, place, wanted), strict=True))
            for model in analysis.models
        )
        differing.append(
            DifferingWord(
                place,
                (one, other),
                None if source is None else _counts(source, words[place], names),
                _counts(tags_of_word, words[place], names),
            )
        )
    return Case(sentence, side, words, gold, (first, second), differing)


def _counts(tags: Counter[tuple[str, str]], word: str, names: tuple[str, ...]) -> Counts:
    """Return how often a word has each tag, the commonest first."""
    known = [(name, tags[word, name]) for name in names if tags[word, name]]
    return dict(sorted(known, key=lambda item: -item[1]))
