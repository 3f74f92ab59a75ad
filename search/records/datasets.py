"""The corpora that stage runs read, as MLflow's data sets.

What is read, by whom and for what stands in one table, `read_by`. Labels of the target appear in
it under the contexts `REPORT` and `ORACLE` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prokd.config import ExperimentConfig
from prokd.config.settings import JOINT
from prokd.method import (
    ENCODER,
    MADE_OF_SOURCE,
    SOURCE_DEV,
    SOURCE_TRAIN,
    TARGET_TRAIN,
    TRANSLATED_TRAIN,
)
from prokd.methods import graph_of

if TYPE_CHECKING:  # slow imports
    from prokd.data import Corpus
    from prokd.training.corpora import Corpora

TRAINING, UNLABELLED, SELECTION = "training", "training, without labels", "selection"
REPORT = "report, labels read after training and selection"
ORACLE = "oracle, chooses by target labels"
"""What a corpus is read for."""
PHRASEBOOK = "phrasebook"
"""The origin of the embedded corpus, which is generated."""


@dataclass(frozen=True)
class DataSet:
    """A corpus that stage runs read.

    Args:
        context: What it is read for, one of the five above.
        stages: Stages that read it.
        name: Data set, language and split.
        digest: Fingerprint of words and tags, 16 hex digits.
        source_type: ``local``, ``hf`` or ``code``, as MLflow calls them.
        source: Where it comes from, as JSON in MLflow's form for the type.
        schema: Its columns, as JSON in MLflow's form.
        profile: Numbers of sentences and words, and of a source's entities, as JSON.
    """

    context: str
    stages: tuple[str, ...]
    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


def read_by(
    config: ExperimentConfig, corpora: Corpora, *, oracle: bool = False
) -> tuple[DataSet, ...]:
    """Return all that the stage runs of an experiment read.

    Args:
        config: The experiment.
        corpora: Its corpora; test splits that are not there are left out.
        oracle: Whether labelled target dev is read.
    """
    readers: dict[tuple[str, str, str], list[str]] = {}
    graph = graph_of(config)
    for spec in graph.stages:
        seen = spec.view(config)
        for name in spec.reads(seen):
            if (place := _place(spec.corpus(name, config), config)) is not None:
                readers.setdefault(place, []).append(spec.name)
        for language in (config.target, seen.source):
            readers.setdefault((REPORT, language, "test"), []).append(spec.name)
    if oracle:
        readers[ORACLE, config.target, "dev"] = [graph.result]
    table = [(place, tuple(stages), _read(corpora, *place)) for place, stages in readers.items()]
    return tuple(
        _described(place, stages, corpus, config)
        for place, stages, corpus in table
        if corpus is not None
    )


def _place(name: str, config: ExperimentConfig) -> tuple[str, str, str] | None:
    """Return what a corpus is read for, its language and its split; None for the encoder."""
    role, _, language = name.partition("/")
    if role == ENCODER:
        return None
    if role == TARGET_TRAIN:
        return UNLABELLED, config.target, "train"
    if role in MADE_OF_SOURCE:
        return TRAINING, config.target, role
    assert role in (SOURCE_TRAIN, SOURCE_DEV), f"nothing is known of {role}"
    what, split = (TRAINING, "train") if role == SOURCE_TRAIN else (SELECTION, "dev")
    return what, language or config.source, split


def _read(corpora: Corpora, context: str, language: str, split: str) -> Corpus | None:
    if context == REPORT:
        return corpora.test(language)[0]
    if split in MADE_OF_SOURCE:
        return corpora.translated if split == TRANSLATED_TRAIN else corpora.paired
    return corpora.corpus(language, split, labelled=context != UNLABELLED)


def _described(
    place: tuple[str, str, str], stages: tuple[str, ...], corpus: Corpus, config: ExperimentConfig
) -> DataSet:
    context, language, split = place
    name = f"{config.data.dataset}/{corpus.language}/{corpus.split}"
    source_type, source = _source(corpus)
    if split in MADE_OF_SOURCE:
        name = f"{config.data.dataset}/{config.source}/train, {MADE_OF_SOURCE[split]} {language}"
        source_type, source = "code", {"tags": {"mlflow.source.name": name}}
    has_source_labels = split in MADE_OF_SOURCE or corpus.language in config.sources
    return DataSet(
        context=context,
        stages=stages,
        name=name if corpus.tags is not None else f"{name}, without labels",
        digest=corpus.fingerprint,
        source_type=source_type,
        source=json.dumps(source),
        schema=json.dumps({"mlflow_colspec": list(_columns(corpus))}),
        profile=json.dumps(_profile(corpus, is_source=has_source_labels)),
    )


def _source(corpus: Corpus) -> tuple[str, dict[str, Any]]:
    """Return type and place, by what MLflow's own classes of sources write."""
    if JOINT in corpus.language:
        return "code", {"tags": {"mlflow.source.name": corpus.origin}}
    if corpus.origin.startswith("hub:"):
        place, _, revision = corpus.origin.removeprefix("hub:").rpartition("@")
        path, _, language = place.rpartition("/")
        own = {"path": path, "config_name": language, "revision": revision}
        return "hf", {**own, "split": corpus.split, "data_dir": None, "data_files": None}
    if corpus.origin != PHRASEBOOK:
        return "local", {"uri": str(Path(corpus.origin).absolute())}
    return "code", {"tags": {"mlflow.source.name": f"prokd.data.mini ({corpus.origin})"}}


def _columns(corpus: Corpus) -> Iterator[dict[str, Any]]:
    for name in ("tokens", *(("ner_tags",) if corpus.tags is not None else ())):
        yield {"name": name, "type": "array", "items": {"type": "string"}, "required": True}


def _profile(corpus: Corpus, *, is_source: bool) -> dict[str, int]:
    """Return counts; entities of the source alone, for none of the target's may be looked at."""
    found = {"sentences": len(corpus), "words": sum(map(len, corpus.words))}
    if is_source:
        tags = (tag for sentence in corpus.tags or () for tag in sentence)
        found["entities"] = sum(tag.startswith("B-") for tag in tags)
    return found
