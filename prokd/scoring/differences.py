"""The sentences on which two models differ, and which of the two has them right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prokd.scoring.errors import Entity, by_sentence

ONLY_FIRST, ONLY_SECOND, NEITHER = "only first right", "only second right", "neither right"
SIDES = (ONLY_FIRST, ONLY_SECOND, NEITHER)
"""Who has a sentence right on which two models differ; never both."""


class Difference(NamedTuple):
    """A sentence of which two models predict different entities.

    Args:
        sentence: Its number in the corpus, from 0.
        side: One of `SIDES`; right = all of its entities, and no other.
    """

    sentence: int
    side: str


class Agreement(NamedTuple):
    """How many sentences two models have right, and where they differ.

    Args:
        both_right: Sentences that both have right.
        both_wrong_alike: Sentences that both have wrong by the same entities.
        differences: Those on which they differ; first those that exactly one has right.
    """

    both_right: int
    both_wrong_alike: int
    differences: list[Difference]

    def of_side(self, side: str) -> list[int]:
        """Return the sentences of one of `SIDES`."""
        return [found.sentence for found in self.differences if found.side == side]


def agreement(
    gold: Sequence[Entity],
    first: Sequence[Entity],
    second: Sequence[Entity],
    num_sentences: int,
) -> Agreement:
    """Compare two models' entities sentence by sentence.

    Args:
        gold: Gold entities of a corpus; rising sentences, as those of the models.
        first: Entities of the first model.
        second: Entities of the second model.
        num_sentences: Of the corpus; one without entities is right if none is predicted.
    """
    sides = [by_sentence(entities) for entities in (gold, first, second)]
    alike = {True: 0, False: 0}
    found = []
    for sentence in range(num_sentences):
        right, one, other = (side.get(sentence, []) for side in sides)
        if one == other:
            alike[one == right] += 1
        else:
            side = ONLY_FIRST if one == right else ONLY_SECOND if other == right else NEITHER
            found.append(Difference(sentence, side))
    found.sort(key=lambda difference: difference.side == NEITHER)
    return Agreement(alike[True], alike[False], found)
