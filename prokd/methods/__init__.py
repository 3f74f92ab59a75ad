"""The methods: one folder each, found by name; other packages add theirs by entry points."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from prokd.common.names import ending
from prokd.config import ExperimentConfig, RuntimeConfig, validation_sentence, with_overrides
from prokd.config.presets import PRESETS
from prokd.config.settings import JOINT
from prokd.config.shared import narrowed
from prokd.errors import UserError
from prokd.method import PAIRED_TRAIN, TARGET_TRAIN, TRANSLATED_TRAIN, Graph, Method
from prokd.methods.found import DEFAULT as DEFAULT
from prokd.methods.found import found_methods

logger = logging.getLogger(__name__)


def methods() -> dict[str, Method]:
    """Return all methods by name: our own, then those of other packages that are whole."""
    return found_methods().known


def method_packages() -> dict[str, str]:
    """Return name and version of the package of each method that is not ours."""
    return dict(found_methods().packages)


def refused_methods() -> list[str]:
    """Return why methods of other packages are not among the known ones, a sentence each."""
    return list(found_methods().refused.values())


def method_named(name: str) -> Method:
    """Return a method by its name.

    Raises:
        UserError: There is none, with what there is, or that of another package is not whole.
    """
    known, _, refused = found_methods()
    if name in known:
        if name in refused:
            _tell(refused[name])
        return known[name]
    if name in refused:
        raise UserError(refused[name])
    rule = f"the method must be one of {', '.join(known)}"
    others = "".join(f" Not among them: {sentence}" for sentence in refused.values())
    raise UserError(f"{rule}, {ending(name, known)}{others}")


@cache
def _tell(sentence: str) -> None:
    logger.warning("%s", sentence)


def method_of(config: ExperimentConfig) -> Method:
    """Return the method of an experiment."""
    return method_named(config.method)


def graph_of(config: ExperimentConfig) -> Graph:
    """Return the stages of an experiment."""
    return method_of(config).graph(config)


def needed_corpora(config: ExperimentConfig) -> tuple[str, ...]:
    """Return the names of all that the stages of an experiment read, see `StageSpec.corpus`."""
    names: dict[str, None] = {}
    for spec in graph_of(config).stages:
        for name in spec.reads(spec.view(config)):
            names[spec.corpus(name, config)] = None
    return tuple(names)


def idle_dictionaries(configs: Iterable[ExperimentConfig], runtime: RuntimeConfig) -> str | None:
    """Return in words that dictionaries were named and nothing is translated; None otherwise."""
    if not runtime.dictionaries or any(map(_translates, configs)):
        return None
    return "--dictionary is not used: nothing here translates the labelled sentences"


def idle_texts(configs: Iterable[ExperimentConfig], runtime: RuntimeConfig) -> str | None:
    """Return in words that raw text was named and nothing reads target text; None otherwise."""
    read = {name for config in configs for name in needed_corpora(config)}
    if not runtime.texts or read & {TARGET_TRAIN, TRANSLATED_TRAIN, PAIRED_TRAIN}:
        return None
    return "--text is not used: nothing here learns from text of the target"


def lacking(config: ExperimentConfig, runtime: RuntimeConfig) -> str | None:
    """Return what the method of an experiment needs and has not got, as words; None if nothing.

    Args:
        config: The experiment.
        runtime: Names the data at hand; the phrasebook brings a dictionary of its own.
    """
    if not _translates(config):
        return None
    if JOINT in config.source:
        return (
            f"{config.method} translates by a dictionary of one source language, and several "
            f"({config.source}) have none together: name one"
        )
    if runtime.dictionaries:
        return None
    from prokd.data.mini import LANGUAGES

    embedded = config.data.dataset == "phrasebook" and not runtime.data_dirs
    if embedded and config.target in LANGUAGES:
        return None
    return (
        f"{config.method} needs a dictionary from {config.source} to {config.target}: name one by "
        f"--dictionary, or make one by `prokd dictionary`"
    )


def _translates(config: ExperimentConfig) -> bool:
    """Tell whether a stage of an experiment reads translated sentences."""
    return not {TRANSLATED_TRAIN, PAIRED_TRAIN}.isdisjoint(needed_corpora(config))


def contents_key(config: ExperimentConfig) -> str:
    """Return a text that experiments share if what they read of one name is the same.

    But for how much of it: the limits of data are settings that identities hold themselves.
    """
    translation = getattr(config, "translation", None)
    place = config.sources, config.target, config.data.dataset
    return repr((place, translation, config.encoder.name))


def reading_key(config: ExperimentConfig) -> str:
    """Return a text that experiments share which read the same."""
    return repr((contents_key(config), config.data, needed_corpora(config)))


def read_config(tree: Mapping[str, Any]) -> ExperimentConfig:
    """Return an experiment from its settings as `model_dump` gives them.

    Raises:
        UserError: No such method, or settings that it does not have.
    """
    try:
        return method_named(str(tree.get("method", DEFAULT))).config.model_validate(tree)
    except ValidationError as error:
        raise UserError(validation_sentence(error)) from None


def build_config(
    preset: str = "paper",
    reading: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    method: str = DEFAULT,
) -> ExperimentConfig:
    """Build a configuration: defaults, then the preset, the reading and the overrides.

    Args:
        preset: ``paper``, ``fast`` or ``mini``.
        reading: One of the method's; None = its default, which may be another with the embedded
            encoder.
        overrides: Values by dotted path, e.g. ``{"student.fusion_weight": 0.9}``.
        method: Its name.

    Raises:
        UserError: An unknown name or path, or a value out of its range.

    Example:
        >>> build_config().student.distance, build_config("mini").student.distance
        ('scaled', 'unit')
    """
    chosen = method_named(method)
    reading = reading or default_reading(method, preset, overrides or {})
    for kind, name, known in (("preset", preset, PRESETS), ("reading", reading, chosen.readings)):
        if name not in known:
            rule = f"the {kind} must be one of {', '.join(known)}"
            raise UserError(f"{rule}, {ending(name, known)}")
    values = {**PRESETS[preset], **chosen.presets.get(preset, {}), **chosen.readings[reading]}
    default = chosen.config.model_validate({"method": method})
    return with_overrides(default, values | dict(overrides or {}))


def default_reading(method: str, preset: str, given: Collection[str]) -> str:
    """Return the reading of the paper that is taken where none is asked for.

    Args:
        method: Its name.
        preset: What the experiment starts from.
        given: Settings that are chosen: an encoder among them is not the embedded one.
    """
    chosen = method_named(method)
    embedded = preset == "mini" and "encoder.name" not in given
    own = chosen.embedded_reading if embedded else None
    return own or next(iter(chosen.readings))


def without_components(removed: Iterable[str], *, method: str = DEFAULT) -> dict[str, Any]:
    """Return the overrides that take parts of a method away.

    Where two parts set one setting, the one that the method names first wins.

    Args:
        removed: Names among the method's components.
        method: Its name.

    Raises:
        UserError: An unknown component.

    Example:
        >>> without_components(["ST", "CL"])
        {'student.schedule': 'distillation'}
    """
    components = method_named(method).components
    wanted = set(removed)
    for name in sorted(wanted - set(components)):
        rule = f"a component must be one of {', '.join(components)}"
        raise UserError(f"{rule}, {ending(name, components)}")
    overrides: dict[str, Any] = {}
    for name in reversed(list(components)):
        overrides |= components[name] if name in wanted else {}
    return overrides


def in_method(config: ExperimentConfig, method: str) -> ExperimentConfig:
    """Return another method's configuration with all settings that both methods have.

    Args:
        config: Of any method.
        method: Name of the other.

    Raises:
        UserError: No such method, or settings that it refuses together.
    """
    if method == config.method:
        return config
    try:
        return narrowed(config, method_named(method).config, {"method": method})
    except ValidationError as error:
        raise UserError(validation_sentence(error)) from None
