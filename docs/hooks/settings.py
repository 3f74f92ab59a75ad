"""Pages of all settings of all methods, read off the pydantic models when the site is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from prokd.config import PRESETS, RuntimeConfig
from prokd.method import Method
from prokd.methods import methods

BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "&lt;"}
KINDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "`true`, `false`",
    Path: "path",
    NoneType: "`null`",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each method, and one for what is no part of a run's identity."""
    for name, method in methods().items():
        text = "\n".join(page_of(method))
        files.append(File.generated(config, f"settings/{name}.md", content=text))
    where = "\n".join(
        [
            "# Where it runs\n",
            "Fields of `prokd.config.RuntimeConfig`: no part of a run's identity. Options of the "
            "commands set them.\n",
            *_sections(RuntimeConfig, {}),
        ]
    )
    files.append(File.generated(config, "settings/runtime.md", content=where))
    return files


def page_of(method: Method) -> Iterator[str]:
    """Yield the parts of the page of a method."""
    yield f"# Settings of `{method.name}`\n"
    yield f"{method.title}{f' ({method.citation})' if method.citation else ''}. "
    yield "Each is set by `--set PATH=VALUE`, and searched by a line of a space file.\n"
    yield from _sections(method.config, method.symbols)
    yield "## Presets\n\nWhat a preset sets otherwise than the defaults above.\n"
    for name, common in PRESETS.items():
        yield from _changes(f"--preset {name}", {**common, **method.presets.get(name, {})})
    if any(method.readings.values()):
        weak = f", with the embedded encoder `{name}`" if (name := method.embedded_reading) else ""
        yield f"## Readings\n\nWhat a reading sets otherwise; the first is the default{weak}.\n"
        for name, changes in method.readings.items():
            yield from _changes(f"--reading {name}", changes)
    if method.components:
        yield "## Parts\n\nWhat takes a part away, in an ablation.\n"
        for name, changes in method.components.items():
            yield from _changes(name, changes)
    yield "## What a search varies\n"
    for name, space in method.spaces.items():
        yield from _changes(f"--space {name}", space)


def _changes(name: str, changes: Mapping[str, Any]) -> Iterator[str]:
    shown = "\n".join(f"- `{path}`: {_value(value)}" for path, value in changes.items())
    yield f"**`{name}`**\n\n{shown or '- nothing'}\n"


def _sections(
    model: type[BaseModel], symbols: Mapping[str, str], before: str = ""
) -> Iterator[str]:
    """Yield the table of a class of settings, then those of its sections, each under its path."""
    sections = {
        name: kind for name, field in model.model_fields.items() if (kind := _model(field))
    }
    yield "| setting | default | allowed | what it is |\n|---|---|---|---|"
    for name, field in model.model_fields.items():
        if name not in sections:
            yield _row(f"{before}{name}", field, symbols)
    yield ""
    for name, kind in sections.items():
        path = f"{before}{name}"
        yield f"##{'#' * path.count('.')} `{path}`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n"
        yield from _sections(kind, symbols, f"{path}.")


def _model(field: FieldInfo) -> type[BaseModel] | None:
    """Return the class of a section; None of a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _row(path: str, field: FieldInfo, symbols: Mapping[str, str]) -> str:
    symbol = f"**{symbols[path]}**: " if path in symbols else ""
    text = _cell(f"{symbol}{field.description or ''}")
    return f"| `{path}` | {_default(field)} | {_allowed(field)} | {text} |"


def _default(field: FieldInfo) -> str:
    factory = field.default_factory
    return f"`{factory.__name__}()`" if factory is not None else _value(field.default)


def _value(value: Any) -> str:
    """Return a value as a space file or ``--set`` takes it."""
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_plain(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(field: FieldInfo) -> str:
    """Return the kind and the range of a setting, or its choices."""
    bounds = [
        f"{sign}&nbsp;{getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(annotation: Any) -> str:
    """Return a type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0])
    if origin is Literal:
        return ", ".join(map(_value, parts))
    if origin in (Union, UnionType):
        return " or ".join(map(_kind, parts))
    if origin is Mapping:
        return f"{_kind(parts[1])} by {_kind(parts[0])}"
    if origin is tuple:
        return f"list of {_kind(parts[0])}"
    return KINDS.get(annotation, annotation.__name__)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
