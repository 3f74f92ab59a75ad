"""What a method is to whatever drives it: a value that is read and never looked inside.

A `Method` names its settings, its stages as a directed graph, what a search varies and what an
ablation removes. All that is true of one method alone lies in its own folder or package; what
trains its stages is named by a text and imported when something trains (docs/methods.md).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from prokd.common.names import ending
from prokd.config.settings import ExperimentConfig, OptimizationConfig
from prokd.errors import UserError

SOURCE_TRAIN, SOURCE_DEV, TARGET_TRAIN = "source_train", "source_dev", "target_train"
"""Corpora that a stage may read: labelled source to train and to choose on, unlabelled target."""
TRANSLATED_TRAIN, PAIRED_TRAIN = "translated_train", "paired_train"
"""The labelled source translated word by word; the source, then its translation in that order."""
CORPORA = (SOURCE_TRAIN, SOURCE_DEV, TARGET_TRAIN, TRANSLATED_TRAIN, PAIRED_TRAIN)
"""All that a stage may read, but for `ENCODER`."""
MADE_OF_SOURCE = {TRANSLATED_TRAIN: "translated into", PAIRED_TRAIN: "beside its translation into"}
"""Corpora that have the source's labels, and how, in words before the target's language."""
TRANSLATION = ("translation.mode", "translation.keep", "translation.casing")
"""Settings that act through the translated text, for `Method.indirect`."""
ENCODER = "encoder"
"""The weights and the tokenizer under a classifier, which identities hold like a corpus."""

CRITERIA = ("teacher_agreement", "confidence", "distribution_match", "prototype_separation")
"""What `stages.criteria` says of a student without any label, higher is better."""

Effective = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class StageSpec:
    """One training stage of a method.

    Args:
        name: What it is called, e.g. "teacher".
        build: ``module:function``, from a `prokd.training.context.Context` to a `Stage`.
        effective: From the settings that it sees to those that its numbers depend on: stages of
            one kind with equal ones, on equal text, are one run, whatever their methods.
        needs: Earlier stages whose finished models it reads.
        reads: From the settings that it sees to the corpora (and `ENCODER`) that it reads.
        own_kind: Of its run folders, ``<kind>-<signature>``; None = its name.
        own_section: Its part of the settings, an `OptimizationConfig`; None = its name.
        source: Language whose labels it reads; None = the experiment's first.
    """

    name: str
    build: str
    effective: Effective
    needs: tuple[str, ...] = ()
    reads: Callable[[Any], Sequence[str]] = lambda config: (SOURCE_TRAIN, SOURCE_DEV, ENCODER)
    own_kind: str | None = None
    own_section: str | None = None
    source: str | None = None

    @property
    def kind(self) -> str:
        """What its run folders are called."""
        return self.own_kind or self.name

    @property
    def section(self) -> str:
        """The name of its part of the settings."""
        return self.own_section or self.name

    def settings(self, config: ExperimentConfig) -> OptimizationConfig:
        """Return its part of an experiment's settings."""
        found = getattr(config, self.section)
        assert isinstance(found, OptimizationConfig), "a stage's section says how it is optimised"
        return found

    def view(self, config: ExperimentConfig) -> ExperimentConfig:
        """Return the experiment as this stage sees it: with its own source language."""
        if self.source in (None, config.source):
            return config
        alone = {"more_sources": ()} if hasattr(config, "more_sources") else {}
        return config.model_copy(update={"source": self.source, **alone})

    def corpus(self, name: str, config: ExperimentConfig) -> str:
        """Return under which name an experiment's fingerprints hold a corpus that this reads.

        Those of its further sources have the language behind them: ``source_train/nl``.
        """
        is_source = name in (SOURCE_TRAIN, SOURCE_DEV)
        own = self.source not in (None, config.source)
        return f"{name}/{self.source}" if is_source and own else name

    def function(self) -> Callable[..., Any]:
        """Import what builds the stage; UserError if it cannot be imported."""
        module, _, name = self.build.partition(":")
        rule = f"the build of the stage {self.name} must be module:function, but {self.build}"
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"{rule} cannot be imported: {error}.") from None
        if not callable(found):
            raise UserError(f"{rule} is {found!r}.")
        return found


@dataclass(frozen=True)
class Graph:
    """The stages of an experiment: each stands behind those that it needs; the last is the result.

    Args:
        stages: In the order in which they may be trained one after the other.
    """

    stages: tuple[StageSpec, ...]

    def __post_init__(self) -> None:
        """Check that names differ and that each stage needs earlier ones alone; UserError else."""
        known: dict[str, None] = {}
        for spec in self.stages:
            if spec.name in known:
                raise UserError(
                    f"the stages of a graph must differ, but {spec.name} is there twice."
                )
            for need in spec.needs:
                if need not in known:
                    rule = f"the stage {spec.name} must need stages before it"
                    raise UserError(f"{rule}, {ending(need, known)}")
            known[spec.name] = None
        if not self.stages:
            raise UserError("a graph must have a stage, but has none.")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(spec.name for spec in self.stages)

    @property
    def result(self) -> str:
        """The stage whose model is scored, chosen and exported."""
        return self.stages[-1].name

    def stage(self, name: str) -> StageSpec:
        """Return a stage by its name; UserError if there is none."""
        for spec in self.stages:
            if spec.name == name:
                return spec
        rule = f"the stage must be one of {', '.join(self.names)}"
        raise UserError(f"{rule}, {ending(name, self.names)}")

    def before(self, name: str) -> list[str]:
        """Return all stages that a stage needs, directly or not, in order."""
        wanted, found = {name}, []
        for spec in reversed(self.stages):
            if spec.name in wanted:
                wanted.update(spec.needs)
                found.append(spec.name)
        return [each for each in reversed(found) if each != name]


@dataclass(frozen=True)
class Method:
    """A method, as a search, an ablation and a command line see it.

    Args:
        name: By which ``--method`` finds it, and ``method`` of its settings.
        title: Its name for a reader.
        citation: Where it was published.
        config: Its settings, a class of `ExperimentConfig`.
        graph: From settings to its stages.
        spaces: What a search varies, by name: settings by dotted path with a list of values or a
            range, as in a space file; ``default`` is there.
        symbols: The paper's symbol of each setting that has one.
        components: Overrides that remove each part of the method, for ablations.
        readings: Overrides by name where the paper can be read in several ways; the first is the
            default.
        embedded_reading: The default with the embedded encoder, which is weak, in its stead.
        presets: Overrides that it adds to presets (`config.presets.PRESETS`).
        together: Settings of which one can take another's effect away: spaces are checked at all
            combinations of their ends.
        indirect: Settings that act through the stages and the text that they lead to: no stage's
            ``effective`` has them.
        criteria: What a finished result can be chosen by without any label, beside source dev.
        transfer: The stage whose score on the target stands beside the result's: direct transfer.
        many_sources: Whether it takes several labelled languages.
        timing: From settings to overrides under which two epochs on a few untrained batches run.
    """

    name: str
    title: str
    citation: str
    config: type[ExperimentConfig]
    graph: Callable[[Any], Graph]
    spaces: Mapping[str, Mapping[str, Any]]
    symbols: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    readings: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {"literal": {}, "stable": {}}
    )
    embedded_reading: str | None = None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    together: tuple[str, ...] = ()
    indirect: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    transfer: str | None = None
    many_sources: bool = False
    timing: Callable[[Any], Mapping[str, Any]] = lambda config: {}
