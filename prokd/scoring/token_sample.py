"""Words drawn from a labelled corpus, as many of each class: what a picture of features shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from prokd.data.labels import OUTSIDE, TagSet


class Token(NamedTuple):
    """A word that was drawn.

    Args:
        sentence: Number of its sentence in the corpus, from 0.
        place: Its place in the sentence, from 0.
        name: Its class, see `class_names`.
    """

    sentence: int
    place: int
    name: str


def class_of(tag: str, *, by_type: bool) -> str:
    """Return the class of a word: its tag, or the type of its entity.

    >>> class_of("I-LOC", by_type=True), class_of("I-LOC", by_type=False)
    ('LOC', 'I-LOC')
    """
    return tag[2:] if by_type and tag != OUTSIDE else tag


def class_names(tag_set: TagSet, *, by_type: bool, outside: bool) -> tuple[str, ...]:
    """Return the classes of a tag set in its order, "O" at the end or not at all.

    >>> class_names(TagSet.of(["LOC", "PER"]), by_type=True, outside=True)
    ('LOC', 'PER', 'O')
    """
    entities = (class_of(tag, by_type=by_type) for tag in tag_set.names if tag != OUTSIDE)
    return (*dict.fromkeys(entities), *([OUTSIDE] if outside else []))


def draw_tokens(
    tags: Iterable[Sequence[str]],
    names: Sequence[str],
    number: int,
    generator: np.random.Generator,
    *,
    by_type: bool = False,
) -> list[Token]:
    """Draw words of each class, none of them twice.

    Args:
        tags: Of each sentence of a corpus.
        names: The classes that are wanted.
        number: Most words of each class: one with fewer has all of them.
        generator: Draws.
        by_type: As in `class_of`.

    Returns:
        Class by class, in each as they stand in the corpus.
    """
    found: dict[str, list[Token]] = {name: [] for name in names}
    for sentence, own in enumerate(tags):
        for place, tag in enumerate(own):
            name = class_of(tag, by_type=by_type)
            if name in found:
                found[name].append(Token(sentence, place, name))
    result = []
    for tokens in found.values():
        drawn = generator.choice(len(tokens), size=min(number, len(tokens)), replace=False)
        result += [tokens[index] for index in sorted(drawn.tolist())]
    return result
