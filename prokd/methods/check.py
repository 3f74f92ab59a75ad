"""Whether a method is made as `prokd.method` says: its mistakes, one sentence each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from prokd.common.names import ending, flatten
from prokd.common.raised import in_a_line
from prokd.config import ExperimentConfig, OptimizationConfig, validation_sentence
from prokd.config.presets import PRESETS
from prokd.errors import UserError
from prokd.method import CORPORA, ENCODER, Graph, Method, StageSpec


def check_method(method: Method) -> None:
    """Make sure that a method is whole, as far as its default settings show it.

    Its settings and its graph can be made, each stage has a section and names what there is to
    read, and spaces, presets, readings and components name settings that there are. What builds
    the stages is imported later, with PyTorch: `StageSpec.function`.

    Raises:
        UserError: Anything wrong with it.
    """
    with _told("its settings"):
        default = method.config.model_validate({"method": method.name})
    with _told("its graph"):
        graph = method.graph(default)
    if not isinstance(graph, Graph):
        raise UserError(f"its graph must be a prokd.method.Graph, but is {graph!r}.")
    for spec in graph.stages:
        _check_stage(spec, default)
    if method.transfer is not None and method.transfer not in graph.names:
        rule = f"its transfer must be one of its stages, {', '.join(graph.names)}"
        raise UserError(f"{rule}, {ending(method.transfer, graph.names)}")
    if "default" not in method.spaces:
        raise UserError(f"its spaces must have one called default, but are {list(method.spaces)}.")
    for preset in method.presets:
        if preset not in PRESETS:
            rule = f"its presets must be of {', '.join(PRESETS)}"
            raise UserError(f"{rule}, {ending(preset, PRESETS)}")
    _check_paths(method, set(flatten(default.model_dump())))


def _check_stage(spec: StageSpec, default: ExperimentConfig) -> None:
    what = f"the stage {spec.name}"
    if not isinstance(getattr(default, spec.section, None), OptimizationConfig):
        raise UserError(
            f"{what} must have a section {spec.section} of its settings that is an "
            f"OptimizationConfig, but there is none."
        )
    with _told(f"{what}: reads"):
        seen = spec.view(default)
        read = tuple(spec.reads(seen))
    for name in read:
        if name not in (*CORPORA, ENCODER):
            rule = f"{what} must read of {', '.join((*CORPORA, ENCODER))}"
            raise UserError(f"{rule}, {ending(name, CORPORA)}")
    with _told(f"{what}: effective"):
        effective = spec.effective(seen)
        if not isinstance(effective, dict):
            raise UserError(f"it must be a dictionary, but is {effective!r}.")
        json.dumps(effective)


def _check_paths(method: Method, known: set[str]) -> None:
    tables: dict[str, Mapping[str, Iterable[str]]] = {
        "space": method.spaces,
        "preset": method.presets,
        "reading": method.readings,
        "component": method.components,
    }
    places = [
        (f"its {kind} {name}", own) for kind, all_ in tables.items() for name, own in all_.items()
    ]
    lists = {"symbols": method.symbols, "together": method.together, "indirect": method.indirect}
    for place, paths in [*places, *((f"its {name}", own) for name, own in lists.items())]:
        for path in paths:
            if path not in known:
                raise UserError(f"{place} must name settings that it has, {ending(path, known)}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever the method's own code raises into a sentence, with its place."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from None
    except ValidationError as error:
        raise UserError(f"{what}: {validation_sentence(error)}") from None
    except Exception as error:
        raise UserError(f"{what}: {in_a_line(error)}.") from None
