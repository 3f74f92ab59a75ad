"""What a tagger found: tags of words, entities of text, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from prokd.data.inputs import Sentence
from prokd.errors import UserError


@dataclass(frozen=True)
class TaggedSentence:
    """Words, their tags, and the probability of each tag."""

    words: list[str]
    tags: list[str]
    scores: list[float]


@dataclass(frozen=True)
class TextEntity:
    """An entity of raw text.

    Args:
        type: Its entity type, such as "PER".
        text: As it stands in the text.
        start: Its first character, counted from 0.
        end: The character after its last one.
        score: Mean probability of its words' tags, in [0, 1].
    """

    type: str
    text: str
    start: int
    end: int
    score: float


def text_entities(sentence: Sentence, tagged: TaggedSentence) -> list[TextEntity]:
    """Return the entities of a tagged sentence, in its order."""
    found = []
    for item in entities(sentence, tagged.tags):
        scores = tagged.scores[item["first_word"] : item["end_word"]]
        place = item["start"], item["end"]
        found.append(TextEntity(item["type"], item["text"], *place, fmean(scores)))
    return found


def as_conll(
    sentences: Iterable[TaggedSentence], gold: Sequence[Sequence[str]] | None = None
) -> str:
    """Format as columns, a blank line after each sentence: words, gold tags if given, tags.

    Args:
        sentences: What was tagged.
        gold: The tags that the data has of each sentence.

    Raises:
        UserError: A word of tokenised input holds a tab or a line end.
    """
    lines = []
    for number, item in enumerate(sentences):
        columns = [item.tags] if gold is None else [gold[number], item.tags]
        for word, *tags in zip(item.words, *columns, strict=True):
            if "\t" in word or "\n" in word or "\r" in word:
                raise UserError(
                    f"a word in columns must hold no tab and no line end, but got {word!r} "
                    f"(use JSON: --format)."
                )
            lines.append("\t".join([word, *tags]) + "\n")
        lines.append("\n")
    return "".join(lines)


def as_record(sentence: Sentence, tagged: TaggedSentence) -> dict[str, object]:
    """Return a tagged sentence as a JSON object.

    Returns:
        ``line`` (number, from 1), ``text``, and for each word ``words``, ``tags``, ``scores``,
        ``start`` and ``end``; ``entities`` as `entities` returns them.
    """
    return {
        "line": sentence.line,
        "text": sentence.text,
        "words": tagged.words,
        "tags": tagged.tags,
        "scores": [round(score, 4) for score in tagged.scores],
        "start": [word.start for word in sentence.words],
        "end": [word.end for word in sentence.words],
        "entities": entities(sentence, tagged.tags),
    }


def entities(sentence: Sentence, tags: Sequence[str]) -> list[dict[str, Any]]:
    """Return the entities of a tagged sentence.

    Returns:
        Of each its ``type``, ``text``, its place in the text of the sentence in characters
        (``start``, ``end``), its first word and the word after the last (``first_word``,
        ``end_word``).
    """
    result: list[dict[str, Any]] = []
    first, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            start, end = sentence.words[first].start, sentence.words[position - 1].end
            result.append(
                {
                    "type": kind,
                    "text": sentence.text[start:end],
                    "start": start,
                    "end": end,
                    "first_word": first,
                    "end_word": position,
                }
            )
            kind = ""
        if tag != "O" and not kind:
            first, kind = position, tag[2:]
    return result
