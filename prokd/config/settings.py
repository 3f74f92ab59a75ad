"""Every hyperparameter that any method has: type, range, default; what a method's own build on.

Configurations are frozen values. They name *what* is computed (`ExperimentConfig`, which gives a
run its identity) and, apart from it, *where* (`RuntimeConfig`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prokd.common.places import default_cache
from prokd.errors import UserError


class Frozen(BaseModel):
    """Settings that never change, refuse what they do not know, and check their defaults too."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


AutocastType = Literal["fp32", "bf16", "fp16"]
Precision = Literal["auto"] | AutocastType


class DataConfig(Frozen):
    """Which sentences are read, and how long they may be."""

    dataset: Literal["wikiann", "conll", "phrasebook"] = Field(
        "wikiann", description="name of the corpus; local folders keep the name they stand for"
    )
    max_length: int = Field(128, ge=8, le=512, description="subwords per sentence, specials in")
    source_train_limit: int | None = Field(None, ge=1, description="first N sentences, None = all")
    target_train_limit: int | None = Field(None, ge=1, description="first N sentences, None = all")
    evaluation_limit: int | None = Field(None, ge=1, description="first N dev/test sentences")


class EncoderConfig(Frozen):
    """The multilingual encoder under the classifier."""

    name: str = Field("bert-base-multilingual-cased", description="hub name or local folder")
    frozen_layers: int = Field(3, ge=0, description="bottom layers that are not trained")
    freeze_embeddings: bool = Field(True, description="whether the embeddings are not trained")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout before the classifier")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="autocast type; auto = bf16 on a GPU that has it, fp32 elsewhere, settled "
        "before a run is named; bf16 also acts on a CPU, fp16 on a GPU alone",
    )


class OptimizationConfig(Frozen):
    """How one stage is optimised."""

    epochs: int = Field(10, ge=1, description="E_max")
    learning_rate: float = Field(5e-5, gt=0)
    head_learning_rate_factor: float = Field(
        1.0,
        gt=0,
        description="learning rate of the last layer's classifier over that of all else",
    )
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = Field(0.0, ge=0, description="not on biases and normalisations")
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="share of steps with rising rate")
    max_gradient_norm: float = Field(1.0, gt=0, description="clipping threshold, L2 norm")
    batch_sentences: int = Field(128, ge=1, description="most sentences in a batch")
    batch_tokens: int = Field(16384, ge=16, description="most subwords in a batch, padding in")
    batch_pool: int = Field(
        50,
        ge=1,
        description="batches' worth of shuffled sentences that are sorted by length together: "
        "less padding, but batches of one length; 1 = sentences of any length in a batch",
    )
    micro_batch_tokens: int | None = Field(
        None,
        ge=16,
        description="most subwords of one forward pass; a larger batch goes in parts, whose "
        "activations are computed again for the gradient: the same update (dropout draws "
        "otherwise), less memory, more time; None = the batch in one piece. A run that does not "
        "fit into memory goes on as the one with half of it",
    )
    loss_reduction: Literal["tokens", "sentences"] = Field(
        "tokens", description="Eq. 1, 2 and 11 divided by the number of tokens or of sentences"
    )


LANGUAGE = r"^[A-Za-z0-9]{2,}([_-][A-Za-z0-9]+)*$"
"""A language's code, such as zh or zh-min-nan: it names folders and cannot lead out of them."""
JOINT = "."
"""Between the languages of a source whose corpora are one, as in en.de: metrics are named by the
source, and MLflow takes it in their names."""


class DistillationConfig(OptimizationConfig):
    """A student that learns by distillation on unlabelled target text."""

    learning_rate: float = Field(1e-5, gt=0)
    start: Literal["encoder", "teacher"] = Field(
        "encoder", description="first weights: the pretrained encoder, or the (first) teacher's"
    )
    distillation_reduction: Literal["sum", "mean"] = Field(
        "sum", description="squared differences summed or averaged over the C classes"
    )


class TranslationConfig(Frozen):
    """How labelled source sentences are translated with a dictionary."""

    mode: Literal["words", "none"] = Field(
        "words", description="word by word, or not at all (w/o TR)"
    )
    keep: tuple[str, ...] = Field(
        ("PER",), description="types of entities whose words stay as they are"
    )
    casing: Literal["auto", "source", "target"] = Field(
        "auto",
        description="capitals of a translated word: as the source word has them, or drawn as "
        "often as the unlabelled target text has each form; auto = the latter for German alone",
    )


class ExperimentConfig(Frozen):
    """What the settings of every method hold: all that the numbers of its stages depend on.

    A method adds its name and a section for each stage, an `OptimizationConfig` or more.
    """

    method: str = Field(description="name of the method, which says what the other settings are")
    source: str = Field(
        "en",
        description="language with labels; en.de = the corpora of several as one, in turns",
    )
    target: str = Field("ar", pattern=LANGUAGE, description="language without labels")
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    encoder: EncoderConfig = EncoderConfig()

    @field_validator("source")
    @classmethod
    def _check_source(cls, given: str) -> str:
        languages = given.split(JOINT)
        if not all(re.fullmatch(LANGUAGE, language) for language in languages):
            raise UserError(
                f"source: the languages must be codes such as zh or zh-min-nan, several between "
                f"commas, but got {given!r}."
            )
        if len(set(languages)) < len(languages):
            raise UserError(f"source: each language must be named once, but got {given!r}.")
        return given

    def check_languages(self) -> None:
        """Refuse what would learn from labels of the target; UserError."""
        if self.target in self.source_languages:
            raise UserError(
                f"source and target must differ, but {self.target} is among the sources "
                f"({','.join(self.source_languages)}): its labels would be learned."
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """The labelled corpora, each of one language or `JOINT` ones; `source` is the first."""
        return (self.source,)

    @property
    def source_languages(self) -> tuple[str, ...]:
        """The languages with labels."""
        return tuple(language for source in self.sources for language in source.split(JOINT))


class RuntimeConfig(Frozen):
    """Where an experiment runs and where its files lie; never part of a run's identity."""

    data_dirs: tuple[Path, ...] = Field((), description="local corpora, first match wins")
    texts: Mapping[str, Path] = Field(
        {}, description="folder with <lang>/train.jsonl made of raw text, by target language"
    )
    runs_dir: Path = Field(Path("runs"), description="one folder per stage run")
    cache_dir: Path = Field(default_factory=default_cache, description="tokenised corpora (Arrow)")
    dictionaries: tuple[Path, ...] = Field(
        (),
        description="word lists from source to target, first that has a word wins: files, or "
        "folders with a file <source>-<target>",
    )
    separator: str | None = Field(
        None, min_length=1, description="between the columns of local files, None = detected"
    )
    tag_column: int | None = Field(
        None,
        description="column of the tags in local files, from 0, negative from the right; "
        "None = detected",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: int | None = Field(None, ge=1, description="CPU threads of torch, None = its default")
    frozen_cache: Literal["auto", "on", "off"] = Field(
        "auto",
        description="keep the output of the encoder's frozen part in cache_dir: always, never, or "
        "where a layer is frozen and the files stay below frozen_cache_bytes",
    )
    frozen_cache_bytes: int = Field(
        16 * 2**30, ge=0, description="most bytes of all such files together (frozen_cache = auto)"
    )
