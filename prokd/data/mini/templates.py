"""Reads a phrasebook: sentence templates with slots, and the names that fill them.

The notation is explained at the top of `phrasebook/en.yaml`. Every mistake in a file raises
`UserError` with the name of the file, the rule and the value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from prokd.errors import UserError

PHRASEBOOK_PATH = Path(__file__).resolve().parent / "phrasebook"
ENTITY_TYPES = ("PER", "LOC", "ORG")
SPLITS = ("train", "dev", "test")
# A row of names: four for training, the fifth held out for dev, the sixth for test.
ROW_SPLITS = ("train", "train", "train", "train", "dev", "test")

_SLOT = re.compile(r"\{([A-Z]+(?:\|[A-Z]+)*)(?::([A-Z]+))?\}")

Name = tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """A place for one name in a template.

    Attributes:
        kinds: entity types a name may be drawn from, at least one.
        label: entity type of the annotation where it is not the name's own (a habit), else None.
    """

    kinds: tuple[str, ...]
    label: str | None = None


@dataclass(frozen=True)
class Phrasebook:
    """One language's templates and names, both divided into train, dev and test.

    Attributes:
        path: file it was read from.
        language: language code, the file's stem.
        templates: split -> templates, each a tuple of words and slots.
        names: entity type -> split -> names, each a tuple of words.
    """

    path: Path
    language: str
    templates: Mapping[str, tuple[tuple[str | Slot, ...], ...]]
    names: Mapping[str, Mapping[str, tuple[Name, ...]]]

    def slot_kinds(self, split: str) -> list[list[tuple[str, ...]]]:
        """Returns the kinds of every slot of every template of the split, in order."""
        return [
            [part.kinds for part in t if isinstance(part, Slot)] for t in self.templates[split]
        ]


@cache
def shipped_phrasebook(language: str) -> Phrasebook:
    """Returns the phrasebook of the package in this language, read once per process.

    Raises:
        UserError: there is no such file, or it holds a mistake.
    """
    return read_phrasebook(PHRASEBOOK_PATH / f"{language}.yaml")


def read_phrasebook(path: Path) -> Phrasebook:
    """Reads and checks one phrasebook.

    Args:
        path: YAML file named after its language (`en.yaml`).

    Raises:
        UserError: the file is missing, is not YAML, or breaks a rule of the notation.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: the phrasebook must be readable, but: {error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the phrasebook must be YAML, but: {reason}.") from error
    _check_keys(path, "the phrasebook", content, ("language", "templates", "names"))
    if content["language"] != path.stem:
        raise UserError(
            f"{path}: `language` must be the file's name ({path.stem}), "
            f"but got {content['language']!r}."
        )
    _check_keys(path, "`templates`", content["templates"], SPLITS)
    _check_keys(path, "`names`", content["names"], ENTITY_TYPES)
    templates = {
        split: _read_templates(path, split, content["templates"][split]) for split in SPLITS
    }
    names = {kind: _read_names(path, kind, content["names"][kind]) for kind in ENTITY_TYPES}
    return Phrasebook(path, path.stem, templates, names)


def _check_keys(path: Path, what: str, value: Any, keys: tuple[str, ...]) -> None:
    """Checks that a value is a mapping with exactly these keys."""
    if not isinstance(value, dict) or set(value) != set(keys):
        got = list(value) if isinstance(value, dict) else value
        raise UserError(f"{path}: {what} must have the keys {list(keys)}, but got {got!r}.")


def _read_templates(path: Path, split: str, lines: Any) -> tuple[tuple[str | Slot, ...], ...]:
    """Returns the templates of one split, parsed."""
    if not isinstance(lines, list) or not lines:
        raise UserError(
            f"{path}: `templates.{split}` must be a non-empty list, but got {lines!r}."
        )
    for line in lines:
        if not isinstance(line, str) or not line.split():
            raise UserError(f"{path}: a template must be a sentence, but got {line!r}.")
        if lines.count(line) > 1:
            raise UserError(f"{path}: a template must occur once, but {line!r} is repeated.")
    return tuple(tuple(_read_part(path, word) for word in line.split()) for line in lines)


def _read_part(path: Path, word: str) -> str | Slot:
    """Returns a word of a template as it is, or the slot it stands for."""
    if not set(word) & set("{}"):
        return word
    match = _SLOT.fullmatch(word)
    kinds = tuple(match[1].split("|")) if match else ()
    label = match[2] if match else None
    if not match or not {*kinds, label or kinds[0]} <= set(ENTITY_TYPES):
        raise UserError(
            f"{path}: a slot must look like {{PER}}, {{PER|ORG}} or {{LOC:ORG}} "
            f"with the types {list(ENTITY_TYPES)}, but got {word!r}."
        )
    return Slot(kinds, label)


def _read_names(path: Path, kind: str, rows: Any) -> dict[str, tuple[Name, ...]]:
    """Returns split -> names of one entity type."""
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: `names.{kind}` must be a non-empty list, but got {rows!r}.")
    seen: set[str] = set()
    names: dict[str, list[Name]] = {split: [] for split in SPLITS}
    for row in rows:
        if not isinstance(row, list) or len(row) != len(ROW_SPLITS):
            raise UserError(
                f"{path}: a row of `names.{kind}` must hold {len(ROW_SPLITS)} names, "
                f"but got {row!r}."
            )
        for split, name in zip(ROW_SPLITS, row, strict=True):
            if not isinstance(name, str) or not name.split():
                raise UserError(f"{path}: a name of {kind} must be text, but got {name!r}.")
            if name in seen:
                raise UserError(
                    f"{path}: a name of {kind} must occur once, but {name!r} is repeated."
                )
            seen.add(name)
            names[split].append(tuple(name.split()))
    return {split: tuple(found) for split, found in names.items()}
