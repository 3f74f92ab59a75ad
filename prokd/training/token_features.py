"""Features of words of each class and language, of several models: the data of a picture.

# N tokens that were drawn, those of the source first, D feature size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE

from prokd.config import RuntimeConfig
from prokd.data import Corpus
from prokd.data.labels import TagSet
from prokd.errors import UserError
from prokd.scoring.class_alignment import ClassAlignment, class_alignment
from prokd.scoring.tagging import Tagger
from prokd.scoring.token_sample import Token, class_names, draw_tokens
from prokd.scoring.type_mapping import with_mapped_types
from prokd.training.model_data import ModelData

MOST_MODELS = 4
FEWEST_TOKENS = 5
"""Tokens without which there is nothing to see: a plane of fewer is arbitrary."""
PERPLEXITY = 30.0
"""Of t-SNE, about how many neighbours a point has; less where there are few tokens."""


@dataclass(frozen=True)
class Choice:
    """Which words are looked at.

    Args:
        tokens_per_class: Most words of each class and language.
        by_type: Whether the classes are types of entities; else they are tags, as in the paper.
        outside: Whether words outside of entities are a class, too.
        seed: Of the draw and of t-SNE.
    """

    tokens_per_class: int = 50
    by_type: bool = False
    outside: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Panel:
    """What one model makes of the words.

    Args:
        data: Its folder.
        name: What it is called.
        plane_N2: Places of the words in the plane, by t-SNE.
        alignment: How well the languages' classes lie together among its features.
    """

    data: ModelData
    name: str
    plane_N2: npt.NDArray[np.float32]
    alignment: list[ClassAlignment]


@dataclass(frozen=True)
class FeatureMap:
    """The same words as several models see them.

    Args:
        corpora: The source's and the target's sentences.
        tokens: The words that were drawn from each.
        names: The classes.
        panels: One for each model.
        choice: How the words were drawn.
        perplexity: Of t-SNE.
    """

    corpora: tuple[Corpus, Corpus]
    tokens: tuple[list[Token], list[Token]]
    names: tuple[str, ...]
    panels: list[Panel]
    choice: Choice
    perplexity: float

    @property
    def note(self) -> str:
        """What is looked at, in a sentence."""
        read = " and ".join(f"{c.language} {c.split} ({c.origin})" for c in self.corpora)
        return (
            f"This picture reads the labels of {read}: it is for people to look at, and nothing "
            f"that trains or chooses may go by it."
        )

    def few(self) -> list[str]:
        """Return a sentence for each class that has fewer words than were asked for."""
        found = []
        for corpus, tokens in zip(self.corpora, self.tokens, strict=True):
            for name in self.names:
                number = sum(token.name == name for token in tokens)
                if number < self.choice.tokens_per_class:
                    found.append(f"{corpus.language} {corpus.split} has {number} of {name} only.")
        return found


def feature_map(
    models: Sequence[ModelData],
    corpora: tuple[Corpus, Corpus],
    *,
    names: Sequence[str] = (),
    choice: Choice | None = None,
    mapping: dict[str, str] | None = None,
    runtime: RuntimeConfig | None = None,
    encoder: str | None = None,
) -> FeatureMap:
    """Draw words of two labelled corpora, and put each model's features of them into a plane.

    Args:
        models: One to `MOST_MODELS` folders.
        corpora: Labelled; of the source and of the target.
        names: What the models are called; else as their folders.
        choice: Which words.
        mapping: As in `with_mapped_types`.
        runtime: The device.
        encoder: The base encoder of runs, if it no longer lies where it lay in training.

    Raises:
        UserError: A folder that holds no model, models that know different types, types of a
            corpus that they do not know, fewer than `FEWEST_TOKENS` words in all.
    """
    choice = choice or Choice()
    called = names or [data.folder.resolve().name for data in models]
    tag_set: TagSet | None = None
    panels: list[Panel] = []
    for data, name in zip(models, called, strict=True):
        tagger = Tagger(data.folder, runtime, encoder)
        if tag_set is None:
            tag_set = tagger.tag_set
            mapped = [with_mapped_types(c, mapping or {}, tag_set) for c in corpora]
            corpora = mapped[0], mapped[1]
            classes = class_names(tag_set, by_type=choice.by_type, outside=choice.outside)
            tokens = _drawn(corpora, classes, choice)
        elif set(tag_set.entity_types) != set(tagger.tag_set.entity_types):
            raise UserError(
                f"all models must know the same entity types, but {models[0].folder} knows "
                f"{', '.join(tag_set.entity_types)} and {data.folder} "
                f"{', '.join(tagger.tag_set.entity_types)}."
            )
        panels.append(_panel(data, name, tagger, corpora, tokens, classes, choice.seed))
    return FeatureMap(corpora, tokens, classes, panels, choice, _perplexity(tokens))


def _drawn(
    corpora: tuple[Corpus, Corpus], classes: Sequence[str], choice: Choice
) -> tuple[list[Token], list[Token]]:
    drawn = []
    for place, corpus in enumerate(corpora):
        generator = np.random.default_rng([choice.seed, place])
        drawn.append(
            draw_tokens(
                corpus.tags or (),
                classes,
                choice.tokens_per_class,
                generator,
                by_type=choice.by_type,
            )
        )
    if (number := len(drawn[0]) + len(drawn[1])) < FEWEST_TOKENS or not all(drawn):
        raise UserError(
            f"at least {FEWEST_TOKENS} words of entities, some of each language, must be there to "
            f"be drawn, but got {number} ({len(drawn[0])} of {corpora[0].origin}, "
            f"{len(drawn[1])} of {corpora[1].origin})."
        )
    return drawn[0], drawn[1]


def _panel(
    data: ModelData,
    name: str,
    tagger: Tagger,
    corpora: tuple[Corpus, Corpus],
    tokens: tuple[list[Token], list[Token]],
    classes: Sequence[str],
    seed: int,
) -> Panel:
    sides = [
        features_of_tokens(tagger, corpus, own)
        for corpus, own in zip(corpora, tokens, strict=True)
    ]
    of_class = [[token.name for token in own] for own in tokens]
    plane_N2 = TSNE(
        perplexity=_perplexity(tokens), init="pca", random_state=seed, n_jobs=1
    ).fit_transform(np.concatenate(sides))
    alignment = class_alignment(sides[0], of_class[0], sides[1], of_class[1], classes)
    return Panel(data, name, plane_N2, alignment)


def _perplexity(tokens: tuple[list[Token], list[Token]]) -> float:
    return min(PERPLEXITY, (len(tokens[0]) + len(tokens[1]) - 1) / 3)


def features_of_tokens(
    tagger: Tagger, corpus: Corpus, tokens: Sequence[Token]
) -> npt.NDArray[np.float32]:
    """Return a model's features of some words, float32, (N, D); other sentences are not read."""
    sentences = sorted({token.sentence for token in tokens})
    lengths = [len(corpus.words[sentence]) for sentence in sentences]
    first = dict(zip(sentences, np.cumsum([0, *lengths]).tolist(), strict=False))
    rows = [first[token.sentence] + token.place for token in tokens]
    features_WD = tagger.features([corpus.words[sentence] for sentence in sentences])
    return np.asarray(features_WD.numpy()[rows])
