"""The errors of one model, or of two side by side, on a labelled split that a person names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from prokd.config import RuntimeConfig
from prokd.data import Corpus
from prokd.data.labels import TagSet
from prokd.errors import UserError
from prokd.scoring.differences import Agreement, agreement
from prokd.scoring.entity_groups import Grouping, GroupScore, SourceText, group_scores, groupings
from prokd.scoring.errors import Entity, Outcome, entities_of, outcomes
from prokd.scoring.tagging import Tagger
from prokd.scoring.type_mapping import Labels, absent_types, labels_of, with_mapped_types
from prokd.training.model_data import ModelData

SUFFIX = {"lenient": "", "strict": "_strict", "viterbi": "_viterbi"}
"""How entities can be read, and what `prokd evaluate` adds to ``entity_f1`` for it.

lenient: each word's likeliest tag, an I- tag may begin an entity; strict: the same tags, only B-
begins one; viterbi: the likeliest valid IOB2 tags.
"""


@dataclass(frozen=True)
class ModelErrors:
    """What one model makes of the entities.

    Args:
        data: Its folder.
        scores: As `prokd evaluate` gives them.
        predicted: Its entities.
        outcomes: What became of each entity.
        groups: Scores of each grouping, by its title.
        tag_set: The tags that it knows.
        labels: The classes of all words, and their probabilities.
        chosen: The classes of all words that its entities are read from.
    """

    data: ModelData
    scores: dict[str, float]
    predicted: list[Entity]
    outcomes: list[Outcome]
    groups: dict[str, list[GroupScore]]
    tag_set: TagSet
    labels: Labels
    chosen: npt.NDArray[np.int64]

    def tags(self, sentence: int) -> list[str]:
        """Return the tags of a sentence as the model chose them."""
        first, end = np.searchsorted(self.labels.sentence_of, [sentence, sentence + 1])
        return [self.tag_set.names[index] for index in self.chosen[first:end].tolist()]

    def probabilities(self, sentence: int, place: int, tags: Sequence[str]) -> list[float]:
        """Return the probabilities of some tags of a word."""
        row = int(np.searchsorted(self.labels.sentence_of, sentence)) + place
        values = self.labels.probabilities[row, self.tag_set.indices(tags)]
        return [float(value) for value in values]


@dataclass(frozen=True)
class Analysis:
    """The errors of one model or two.

    Args:
        corpus: The labelled sentences, with the types that the models know.
        entities: "lenient", "strict" or "viterbi", see `SUFFIX`.
        gold: The entities of the corpus.
        models: One or two.
        source: What the first model saw labelled; None if it is not there.
        no_source: Why it is not there; "" if it is.
        notes: What else must be known to read the numbers, in sentences.
    """

    corpus: Corpus
    entities: str
    gold: list[Entity]
    models: list[ModelErrors]
    source: SourceText | None
    no_source: str
    notes: list[str]

    @cached_property
    def agreement(self) -> Agreement | None:
        """Where two models agree and differ; None of one."""
        if len(self.models) == 1:
            return None
        first, second = (model.predicted for model in self.models)
        return agreement(self.gold, first, second, len(self.corpus))

    @property
    def measure(self) -> str:
        """Name of the F1 among the scores that the counts add up to."""
        return f"entity_f1{SUFFIX[self.entities]}"

    @property
    def note(self) -> str:
        """What is looked at, in a sentence."""
        return (
            f"This report reads the labels of {self.corpus.language} {self.corpus.split} "
            f"({self.corpus.origin}, {len(self.corpus)} sentences): it is for people to look at, "
            f"and nothing that trains or chooses may go by it."
        )


def check_entities(entities: str) -> None:
    """Refuse a way to read entities that does not exist."""
    if entities not in SUFFIX:
        raise UserError(f"--entities must be one of {', '.join(SUFFIX)}, but got {entities!r}.")


def analyse(
    models: Sequence[ModelData],
    corpus: Corpus,
    *,
    entities: str = "lenient",
    mapping: dict[str, str] | None = None,
    source: tuple[SourceText | None, str] = (None, ""),
    runtime: RuntimeConfig | None = None,
    encoder: str | None = None,
) -> Analysis:
    """Tag a labelled corpus with one model or two, and find their errors.

    Args:
        models: One or two folders.
        corpus: Labelled.
        entities: See `SUFFIX`.
        mapping: As in `with_mapped_types`.
        source: What the first model saw labelled, or why that is not there.
        runtime: The device.
        encoder: The base encoder of runs, if it no longer lies where it lay in training.

    Raises:
        UserError: A folder that holds no model, two models that know different types, types of
            the corpus that they do not know, an unknown reading of entities.
    """
    check_entities(entities)
    types: tuple[str, ...] = ()
    found: list[ModelErrors] = []
    gold: list[Entity] = []
    ways: list[Grouping] = []
    notes: list[str] = []
    for data in models:
        tagger = Tagger(data.folder, runtime, encoder)
        tag_set = tagger.tag_set
        if not found:
            types = tuple(sorted(tag_set.entity_types))
            corpus = with_mapped_types(corpus, mapping or {}, tag_set)
            notes = absent_types(corpus, tag_set)
            ways = groupings(corpus.words, types, source[0])
        elif types != tuple(sorted(tag_set.entity_types)):
            raise UserError(
                f"both models must know the same entity types, but {models[0].folder} knows "
                f"{', '.join(types)} and {data.folder} {', '.join(sorted(tag_set.entity_types))}."
            )
        labels = labels_of(tagger, corpus)
        chosen = labels.valid if entities == "viterbi" else labels.independent
        strict = entities == "strict"
        gold = entities_of(labels.gold, labels.sentence_of, tag_set, strict=strict)
        predicted = entities_of(chosen, labels.sentence_of, tag_set, strict=strict)
        groups = {way.title: group_scores(way, gold, predicted) for way in ways}
        found.append(
            ModelErrors(
                data,
                labels.scores(tag_set),
                predicted,
                outcomes(gold, predicted),
                groups,
                tag_set,
                labels,
                chosen,
            )
        )
    return Analysis(corpus, entities, gold, found, *source, notes)
