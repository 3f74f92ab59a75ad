"""Scores of a trained model on labelled sentences, by the tags that the model knows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from shlex import quote

import numpy as np
import numpy.typing as npt

from prokd.data import Corpus
from prokd.data.labels import OUTSIDE, TagSet
from prokd.data.windows import likeliest_tags_of_long
from prokd.errors import UserError
from prokd.scoring.evaluation import scores_in_two_ways
from prokd.scoring.tagging import Tagger

logger = logging.getLogger(__name__)


def parse_mapping(texts: Iterable[str]) -> dict[str, str]:
    """Read entity types of the data and what each counts as.

    >>> parse_mapping(["MISC=O", "GPE=LOC"])
    {'MISC': 'O', 'GPE': 'LOC'}
    """
    mapping: dict[str, str] = {}
    for text in texts:
        kind, equals, other = (part.strip() for part in text.partition("="))
        if not (kind and equals and other):
            raise UserError(f"a mapping must have the form TYPE=TYPE or TYPE=O, but got {text!r}.")
        if mapping.setdefault(kind, other) != other:
            raise UserError(
                f"a type must be mapped once, but got {kind}={mapping[kind]} and {kind}={other}."
            )
    return mapping


def with_mapped_types(corpus: Corpus, mapping: Mapping[str, str], tag_set: TagSet) -> Corpus:
    """Return a labelled corpus with the entity types that a model knows.

    Args:
        corpus: With its own types.
        mapping: From types of the data to types of the model, or to "O": no entity.
        tag_set: The model's tags.

    Raises:
        UserError: A type that the model does not know and nothing maps, or a mapping to one.
    """
    known = ", ".join(tag_set.entity_types)
    for kind, other in mapping.items():
        if other != OUTSIDE and other not in tag_set.entity_types:
            raise UserError(
                f"--map must lead to O or a type of the model ({known}), but got {kind}={other}."
            )
    for kind in set(mapping) - set(corpus.entity_types):
        logger.warning("--map %s=%s: %s has no type %s", kind, mapping[kind], corpus.origin, kind)
    strange = [
        kind
        for kind in corpus.entity_types
        if kind not in mapping and kind not in tag_set.entity_types
    ]
    if strange:
        example = " ".join(f"--map {quote(f'{kind}=O')}" for kind in strange)
        raise UserError(
            f"{corpus.origin}: the entity types must be those of the model ({known}), but got "
            f"{', '.join(strange)} too: count them as no entity ({example}) or as a type of the "
            f"model (--map {quote(f'{strange[0]}={tag_set.entity_types[0]}')})."
        )
    table = {OUTSIDE: OUTSIDE}
    for kind in corpus.entity_types:
        other = mapping.get(kind, kind)
        table |= {f"{m}-{kind}": OUTSIDE if other == OUTSIDE else f"{m}-{other}" for m in "BI"}
    return replace(corpus, tags=[[table[tag] for tag in tags] for tags in corpus.tags or ()])


def absent_types(corpus: Corpus, tag_set: TagSet) -> list[str]:
    """Return a sentence for each type of a model that a labelled corpus has no entity of."""
    return [
        f"{corpus.origin} has no entity of the type {kind}, which the model knows: whatever it "
        f"takes for one counts as wrong."
        for kind in tag_set.entity_types
        if kind not in corpus.entity_types
    ]


def score(tagger: Tagger, corpus: Corpus) -> dict[str, float]:
    """Return the measures of a model on a labelled corpus; no word is cut off.

    Words beyond the length limit are seen through windows, unlike in a run's own report, where
    they count as "O".

    Args:
        tagger: The model.
        corpus: Labelled, with no other types than the model's.

    Returns:
        As `evaluation.scores_in_two_ways`.
    """
    return labels_of(tagger, corpus).scores(tagger.tag_set)


@dataclass(frozen=True)
class Labels:
    """What a model makes of all words of a labelled corpus, in corpus order.

    Class indices are int64, (N,).

    Args:
        gold: As the corpus has them.
        independent: The likeliest tag of each word.
        valid: The likeliest valid IOB2 tags of each sentence.
        sentence_of: Sentence number of each word, rising.
        probabilities: Of all classes, float32, (N, C).
    """

    gold: npt.NDArray[np.int64]
    independent: npt.NDArray[np.int64]
    valid: npt.NDArray[np.int64]
    sentence_of: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]

    def scores(self, tag_set: TagSet) -> dict[str, float]:
        """Return `evaluation.scores_in_two_ways`."""
        return scores_in_two_ways(
            self.gold, self.independent, self.valid, self.sentence_of, tag_set
        )


def labels_of(tagger: Tagger, corpus: Corpus) -> Labels:
    """Return gold and predicted classes of a labelled corpus, as `score` compares them."""
    assert corpus.tags is not None, "a corpus to score on is read with its labels"
    lengths = [len(words) for words in corpus.words]
    values_WC = tagger.probabilities(corpus.words)
    valid = likeliest_tags_of_long(values_WC, lengths).numpy()
    independent = values_WC.argmax(dim=-1).numpy()
    flat = [tag for tags in corpus.tags for tag in tags]
    gold = np.array(tagger.tag_set.indices(flat), dtype=np.int64)
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    return Labels(gold, independent, valid, sentence_of, values_WC.numpy())
