"""Pages of all settings of all methods, read off the pydantic models when the site is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from prokd.config import PRESETS, RuntimeConfig
from prokd.method import Method
from prokd.methods import methods

BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each method, and one for what is no part of a run's identity."""
    for name, method in methods().items():
        text = "\n".join(_page(method))
        files.append(File.generated(config, f"settings/{name}.md", content=text))
    where = "\n".join(
        [
            "# Where it runs\n",
            "Fields of `prokd.config.RuntimeConfig`: no part of a run's identity. Options of the "
            "commands set them.\n",
            *_table(RuntimeConfig, {}),
        ]
    )
    files.append(File.generated(config, "settings/runtime.md", content=where))
    return files


def _page(method: Method) -> Iterator[str]:
    yield f"# Settings of `{method.name}`\n"
    yield f"{method.title}{f' ({method.citation})' if method.citation else ''}. "
    yield "Each is set by `--set PATH=VALUE`, and searched by a line of a space file.\n"
    yield from _table(method.config, method.symbols)
    yield "## Presets\n\nWhat a preset sets otherwise than the defaults above.\n"
    for name, common in PRESETS.items():
        yield from _changes(f"--preset {name}", {**common, **method.presets.get(name, {})})
    if any(method.readings.values()):
        yield "## Readings\n\nWhat a reading sets otherwise; the first is the default.\n"
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


def _table(model: type[BaseModel], symbols: Mapping[str, str]) -> Iterator[str]:
    yield "| setting | default | allowed | what it is |\n|---|---|---|---|"
    for path, field in _fields(model):
        symbol = f"**{symbols[path]}**: " if path in symbols else ""
        text = f"{symbol}{field.description or ''}"
        default = "its own" if field.is_required() else _default(field)
        yield f"| `{path}` | {default} | {_allowed(field)} | {_cell(text)} |"
    yield ""


def _fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield all settings by dotted path, those of sections at the section's place."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{before}{name}.")
        else:
            yield f"{before}{name}", field


def _default(field: FieldInfo) -> str:
    factory = field.default_factory
    return f"`{factory.__name__}()`" if factory is not None else _value(field.default)


def _value(value: Any) -> str:
    """Return a value as YAML has it, or as the command line takes it."""
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower() if value is not None else 'null'}`"
    if isinstance(value, Mapping):
        return "`" + (", ".join(f"{key}: {each}" for key, each in value.items()) or "{}") + "`"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{_cell(str(value))}`"


def _allowed(field: FieldInfo) -> str:
    """Return the type and the range of a setting, or its choices."""
    bounds = [
        f"{sign} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, sign in BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_type(field.annotation), *bounds])


def _type(kind: Any) -> str:
    if "Literal" in str(getattr(kind, "__origin__", "")):
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    shown = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    shown = re.sub(r"Annotated\[(\w+), .*?\)\]", r"\1", shown)
    return _cell(re.sub(r"\b(typing|pathlib|collections\.abc|prokd\.[\w.]+)\.", "", shown))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
