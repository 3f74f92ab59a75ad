"""Precision, recall and F1 of entities by what they are like: length, frequency, known words."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from prokd.data import Corpus
from prokd.scoring.errors import Entity
from prokd.scoring.metrics import f1_score


@dataclass(frozen=True)
class Grouping:
    """A way to put entities, gold and predicted ones alike, into groups.

    Args:
        title: What they are grouped by.
        names: Of the groups, in the order in which they are shown.
        group_of: From an entity to the name of its group.
    """

    title: str
    names: tuple[str, ...]
    group_of: Callable[[Entity], str]


class GroupScore(NamedTuple):
    """Counts and scores of a group of entities; the scores are in [0, 1].

    Args:
        name: Of the group.
        gold: Gold entities in it.
        predicted: Predicted entities in it.
        correct: Entities in it that are both.
        precision: 0 where nothing was predicted.
        recall: 0 where there is no gold entity.
        f1: 0 where there is neither.
    """

    name: str
    gold: int
    predicted: int
    correct: int
    precision: float
    recall: float
    f1: float


def group_scores(
    grouping: Grouping, gold: Sequence[Entity], predicted: Sequence[Entity]
) -> list[GroupScore]:
    """Return counts and scores of each group; counts of all groups add up to all entities."""
    counts = [
        Counter(map(grouping.group_of, entities))
        for entities in (gold, predicted, set(gold) & set(predicted))
    ]
    result = []
    for name in grouping.names:
        num_gold, num_predicted, correct = (count[name] for count in counts)
        precision = correct / num_predicted if num_predicted else 0.0
        recall = correct / num_gold if num_gold else 0.0
        f1 = f1_score(correct, num_predicted, num_gold)
        result.append(GroupScore(name, num_gold, num_predicted, correct, precision, recall, f1))
    return result


@dataclass(frozen=True)
class SourceText:
    """What a model saw labelled: the words and the entities of the training sentences.

    Args:
        words: All words, exactly as written.
        surfaces: How often each entity occurs, of whatever type: its words joined by blanks.
        tags: How often each word has each tag, by word and tag.
        origin: Where the sentences come from.
    """

    words: frozenset[str]
    surfaces: Counter[str]
    tags: Counter[tuple[str, str]]
    origin: str


def source_text(corpora: Iterable[Corpus]) -> SourceText:
    """Return words, entities and tags of labelled corpora in IOB2."""
    words: set[str] = set()
    surfaces: Counter[str] = Counter()
    tags_of_words: Counter[tuple[str, str]] = Counter()
    origins = []
    for corpus in corpora:
        origins.append(corpus.origin)
        for sentence, tags in zip(corpus.words, corpus.tags or (), strict=True):
            words.update(sentence)
            tags_of_words.update(zip(sentence, tags, strict=True))
            starts = [place for place, tag in enumerate(tags) if tag.startswith("B-")]
            for start in starts:
                end = start + 1
                while end < len(tags) and tags[end].startswith("I-"):
                    end += 1
                surfaces[" ".join(sentence[start:end])] += 1
    return SourceText(frozenset(words), surfaces, tags_of_words, ", ".join(origins))


def groupings(
    sentences: Sequence[Sequence[str]],
    entity_types: Sequence[str],
    source: SourceText | None = None,
) -> list[Grouping]:
    """Return all ways to group the entities of a corpus.

    Args:
        sentences: Words of each sentence of it.
        entity_types: The types of its entities and of what is predicted.
        source: What the model saw labelled; None leaves out the ways that need it.
    """
    found = [
        Grouping("all entities", ("all",), lambda entity: "all"),
        Grouping("type", tuple(sorted(entity_types)), lambda entity: entity.kind),
        Grouping("words of the entity", ("1", "2", "3", "4+"), _length),
        by_sentence_length([len(words) for words in sentences]),
    ]
    if source is not None:
        found += [by_frequency(sentences, source), by_seen_words(sentences, source)]
    return found


def _length(entity: Entity) -> str:
    length = entity.end - entity.first
    return str(length) if length < 4 else "4+"


def by_sentence_length(lengths: Sequence[int]) -> Grouping:
    """Return the quarters of the sentences by their number of words, the same number in the same.

    >>> by_sentence_length([1, 2, 3, 4, 5, 6, 7, 8]).names
    ('1-2', '3-4', '5-6', '7-8')
    """
    cuts = np.quantile(lengths, [0.25, 0.5, 0.75, 1.0], method="inverted_cdf")
    last = sorted({int(cut) for cut in cuts})
    first = [min(lengths), *(cut + 1 for cut in last[:-1])]
    names = [str(a) if a == b else f"{a}-{b}" for a, b in zip(first, last, strict=True)]
    return Grouping(
        "words of the sentence",
        tuple(names),
        lambda entity: names[bisect_left(last, lengths[entity.sentence])],
    )


def by_frequency(sentences: Sequence[Sequence[str]], source: SourceText) -> Grouping:
    """Group by how often the same words are an entity in the source's training sentences."""
    names = ("0", "1", "2-5", "6+")

    def group_of(entity: Entity) -> str:
        surface = " ".join(sentences[entity.sentence][entity.first : entity.end])
        return names[bisect_left([0, 1, 5], source.surfaces[surface])]

    return Grouping("times among the source's entities", names, group_of)


def by_seen_words(sentences: Sequence[Sequence[str]], source: SourceText) -> Grouping:
    """Group by the share of an entity's words that stand in the source's training sentences."""
    names = ("none", "some", "all")

    def group_of(entity: Entity) -> str:
        words = sentences[entity.sentence][entity.first : entity.end]
        seen = sum(word in source.words for word in words)
        return names[2 if seen == len(words) else int(seen > 0)]

    return Grouping("words seen in the source", names, group_of)
