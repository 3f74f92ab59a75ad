"""What becomes of each entity: right, wrong in type or boundary, missed, invented.

An entity is what `prokd.scoring.metrics` counts, so that the sums here are those of the scores:
`CORRECT` ones are the true positives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prokd.data.labels import OUTSIDE, TagSet
from prokd.scoring.metrics import lenient_spans, strict_spans

CORRECT = "correct"
WRONG_TYPE = "wrong type"
WRONG_BOUNDARY = "wrong boundary"
WRONG_BOTH = "wrong type and boundary"
MISSED = "missed"
MERGED = "merged"
INVENTED = "invented"
SPLIT = "split"
KINDS = (
    CORRECT,
    WRONG_TYPE,
    WRONG_BOUNDARY,
    WRONG_BOTH,
    MISSED,
    MERGED,
    INVENTED,
    SPLIT,
)
"""See `outcomes`."""
MEANINGS = {
    CORRECT: "same words, same type",
    WRONG_TYPE: "same words, another type",
    WRONG_BOUNDARY: "some words in common, same type",
    WRONG_BOTH: "some words in common, another type",
    MISSED: "a gold entity that nothing predicted overlaps",
    MERGED: "a gold entity all of whose predictions count for other gold entities",
    INVENTED: "a predicted entity that overlaps no gold one",
    SPLIT: "a predicted entity all of whose gold entities count for other predictions",
}
"""What each kind of outcome means, in words."""


class Entity(NamedTuple):
    """An entity.

    Args:
        sentence: Number of its sentence in the corpus, from 0.
        first: Its first word in the sentence, from 0.
        end: The word after its last.
        kind: Its type, e.g. "PER".
    """

    sentence: int
    first: int
    end: int
    kind: str


class Outcome(NamedTuple):
    """What became of a gold entity, of a predicted one, or of two that belong together.

    Args:
        kind: One of `KINDS`.
        gold: The gold entity; None if it is invented or split.
        predicted: The predicted entity; None if the gold one is missed or merged.
    """

    kind: str
    gold: Entity | None
    predicted: Entity | None

    @property
    def one(self) -> Entity:
        """The gold entity, or the predicted one where there is no gold one."""
        found = self.gold or self.predicted
        assert found is not None, "an outcome is that of an entity"
        return found

    @property
    def cell(self) -> Cell:
        """Where it is counted."""
        gold = self.gold.kind if self.gold else ""
        return Cell(self.kind, gold, self.predicted.kind if self.predicted else "")


class Cell(NamedTuple):
    """A cell of the confusion: kind of outcome, gold type and predicted type, "" for none."""

    kind: str
    gold: str
    predicted: str


def entities_of(
    labels: npt.NDArray[np.integer],
    sentence_of: npt.NDArray[np.integer],
    tag_set: TagSet,
    *,
    strict: bool = False,
) -> list[Entity]:
    """Return the entities in flat class indices, as the scores count them.

    Args:
        labels: int, (N,), class indices of all words of a corpus.
        sentence_of: int, (N,), sentence number of each word, rising.
        tag_set: Gives the classes their meaning.
        strict: Leave out what begins with an I- tag, as ``entity_f1_strict`` does.
    """
    spans = (strict_spans if strict else lenient_spans)(labels, sentence_of, tag_set)
    sentences = np.asarray(sentence_of)[spans[:, 0]]
    begins = np.searchsorted(sentence_of, sentences)
    rows = np.column_stack([sentences, spans[:, 0] - begins, spans[:, 1] - begins, spans[:, 2]])
    kinds = tag_set.entity_types
    return [
        Entity(sentence, first, end, kinds[kind]) for sentence, first, end, kind in rows.tolist()
    ]


def outcomes(gold: Sequence[Entity], predicted: Sequence[Entity]) -> list[Outcome]:
    """Return what became of each entity; each gold and each predicted one is in one outcome.

    Gold and predicted entities of a sentence that share a word are put together, two at a time.
    The first pairs are those of the same words and type (correct), then of the same words (wrong
    type), then of the same type (wrong boundary), then all others (wrong type and boundary);
    among them those that share more words, then those that begin further left (gold first). Once
    paired, an entity is in no other pair. Of what is left, a gold entity is missed if it shares
    no word with any predicted one, else merged: a prediction that runs over several gold entities
    counts for one of them, and the others are merged. A predicted entity is invented if it shares
    no word with any gold one, else split: one of several predictions in one gold entity.

    So there are as many gold entities as correct, wrong, missed and merged ones, and as many
    predicted ones as correct, wrong, invented and split ones.

    Args:
        gold: Entities of a corpus that do not overlap one another; rising sentences.
        predicted: The same of a model.

    Returns:
        By sentence, and in it by the first word of the gold (else the predicted) entity.
    """
    of_gold, of_predicted = by_sentence(gold), by_sentence(predicted)
    result: list[Outcome] = []
    for sentence in sorted(of_gold.keys() | of_predicted.keys()):
        found = _of_sentence(of_gold.get(sentence, []), of_predicted.get(sentence, []))
        result += sorted(found, key=lambda outcome: (outcome.one.first, outcome.kind))
    return result


def by_sentence(entities: Iterable[Entity]) -> dict[int, list[Entity]]:
    """Return the entities of each sentence that has any; the sentences must rise."""
    return {number: list(found) for number, found in groupby(entities, lambda e: e.sentence)}


def _of_sentence(gold: list[Entity], predicted: list[Entity]) -> Iterator[Outcome]:
    pairs = [(g, p) for g in gold for p in predicted if _shared(g, p)]
    free_gold, free_predicted = set(gold), set(predicted)
    for g, p in sorted(pairs, key=_preference):
        if g in free_gold and p in free_predicted:
            free_gold.remove(g)
            free_predicted.remove(p)
            yield Outcome(KINDS[_rank(g, p)], g, p)
    touched = {entity for pair in pairs for entity in pair}
    for g in gold:
        if g in free_gold:
            yield Outcome(MERGED if (g in touched) else MISSED, g, None)
    for p in predicted:
        if p in free_predicted:
            yield Outcome(SPLIT if (p in touched) else INVENTED, None, p)


def _shared(gold: Entity, predicted: Entity) -> int:
    """Return how many words two entities of a sentence share."""
    return max(0, min(gold.end, predicted.end) - max(gold.first, predicted.first))


def _rank(gold: Entity, predicted: Entity) -> int:
    same_words = gold.first == predicted.first and gold.end == predicted.end
    return 2 * (not same_words) + (gold.kind != predicted.kind)


def _preference(pair: tuple[Entity, Entity]) -> tuple[int, int, int, int]:
    gold, predicted = pair
    return _rank(gold, predicted), -_shared(gold, predicted), gold.first, predicted.first


def confusion(found: Iterable[Outcome]) -> dict[Cell, int]:
    """Return how many outcomes each cell has, by kind in the order of `KINDS`, then by types."""
    counts = Counter(outcome.cell for outcome in found)
    return {cell: counts[cell] for cell in sorted(counts, key=cell_order)}


def cell_order(cell: Cell) -> tuple[int, str, str]:
    """Return what cells are sorted by: their kind, as in `KINDS`, and their types."""
    return KINDS.index(cell.kind), cell.gold, cell.predicted


def totals(found: Iterable[Outcome]) -> dict[str, int]:
    """Return how many outcomes of each kind there are, all `KINDS` among them."""
    counts = Counter(outcome.kind for outcome in found)
    return {kind: counts[kind] for kind in KINDS}


def tags_of(entities: Iterable[Entity], length: int) -> list[str]:
    """Return the IOB2 tags of a sentence with these entities.

    >>> tags_of([Entity(0, 1, 3, "PER")], 4)
    ['O', 'B-PER', 'I-PER', 'O']
    """
    tags = [OUTSIDE] * length
    for entity in entities:
        inside = [f"I-{entity.kind}"] * (entity.end - entity.first - 1)
        tags[entity.first : entity.end] = [f"B-{entity.kind}", *inside]
    return tags
