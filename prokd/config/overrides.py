"""Settings by dotted path, as typed on a command line or written in a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import ValidationError

from prokd.common.names import nearest
from prokd.common.text import check_text
from prokd.config.settings import ExperimentConfig
from prokd.errors import UserError

Config = TypeVar("Config", bound=ExperimentConfig)


def with_overrides(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Return a copy with some values, named by dotted path, replaced.

    Raises:
        UserError: A path that does not exist (the valid names are listed), a bad value, or
            values that the method refuses together.
    """
    tree = config.model_dump()
    for path, value in overrides.items():
        *parents, leaf = path.split(".")
        node = tree
        for depth, parent in enumerate(parents):
            child = node.get(parent)
            if not isinstance(child, dict):
                raise UserError(_unknown_path(path, ".".join(parents[:depth]), node, config))
            node = child
        if leaf not in node or isinstance(node[leaf], dict):
            raise UserError(_unknown_path(path, ".".join(parents), node, config))
        node[leaf] = value
    try:
        return type(config).model_validate(tree)
    except ValidationError as error:
        raise UserError(validation_sentence(error)) from None


def _unknown_path(path: str, group: str, node: Mapping[str, Any], config: ExperimentConfig) -> str:
    place = f"{group} has" if group else "an experiment has"
    meant = _meant(path, _leaves(config.model_dump()))
    question = f"; did you mean {meant}?" if meant else "."
    return f"the setting {path!r} does not exist: {place} {', '.join(node)}{question}"


def _meant(path: str, known: Sequence[str]) -> str | None:
    """Return the setting that is most like a path, or the only one whose last part is like its."""
    if meant := nearest(path, known):
        return meant
    last = nearest(path.rpartition(".")[2], [name.rpartition(".")[2] for name in known])
    own = [name for name in known if name.rpartition(".")[2] == last]
    return own[0] if len(own) == 1 else None


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in tree.items():
        path = f"{prefix}{name}"
        found += _leaves(value, f"{path}.") if isinstance(value, dict) else [path]
    return found


def validation_sentence(error: ValidationError) -> str:
    """Say in one sentence what a configuration does wrong: dotted path, rule, value."""
    own = [item.get("ctx", {}).get("error") for item in error.errors()]
    told = [str(cause) for cause in own if isinstance(cause, UserError)]  # whole sentences
    if told:
        return " ".join(told)
    parts = [
        f"{'.'.join(map(str, item['loc']))}: {_uncapitalised(item['msg'])}, "
        f"but got {item['input']!r}"
        for item in error.errors()
    ]
    return "; ".join(parts) + "."


def _uncapitalised(message: str) -> str:
    """Begin in lower case; the rest may hold a pattern or a value, which case is part of."""
    return message[:1].lower() + message[1:]


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Read settings as typed on a command line, each of which may be given once.

    >>> parse_overrides(["teacher.epochs=2", "seed=1"])
    {'teacher.epochs': 2, 'seed': 1}

    Raises:
        UserError: No ``path=value``, no YAML, or a path that is given twice.
    """
    found: dict[str, Any] = {}
    given: dict[str, str] = {}
    for text in texts:
        path, value = parse_override(text)
        typed = text.partition("=")[2].strip()
        if path in found:
            raise UserError(
                f"the setting {path} must be given once, but got {given[path]} and {typed}."
            )
        found[path], given[path] = value, typed
    return found


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``path=value`` as typed on a command line; the value is YAML.

    >>> parse_override("student.fusion_weight=0.9")
    ('student.fusion_weight', 0.9)
    """
    import yaml

    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UserError(f"a setting must have the form path=value, but got {text!r}.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"the value of {path} must be YAML, but got {value!r}.") from None
    if path.strip() in ("source", "target") or isinstance(parsed, bool) != (
        value.strip().lower() in ("true", "false")
    ):
        # YAML 1.1 takes the language code no for False; only true and false are meant as such.
        parsed = value.strip()
    elif isinstance(parsed, str):
        check_text(parsed, f"the value of {path}")
        # YAML 1.1 takes 1e-3 for a string.
        with suppress(ValueError):
            parsed = float(parsed)
    return path.strip(), parsed
