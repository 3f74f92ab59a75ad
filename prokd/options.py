"""Options that several commands share, and what they describe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from prokd.config import ExperimentConfig, build_config, parse_override
from prokd.effect import check_effect
from prokd.errors import UserError

SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}
"""Names of separators that are hard to type."""

Preset = Annotated[str, typer.Option(help="paper, fast or mini (embedded, needs no network).")]
Reading = Annotated[str, typer.Option(help="stable (what works) or literal (as printed).")]
Language = Annotated[str, typer.Option("--lang", help="Target language.")]
Source = Annotated[str, typer.Option(help="Source language.")]
Dataset = Annotated[Optional[str], typer.Option(help="wikiann, conll or phrasebook.")]  # noqa: UP045
DataDirs = Annotated[
    list[Path], typer.Option("--data-dir", help="Folder DIR/<lang>/{train,dev,test}; repeatable.")
]
Model = Annotated[Optional[str], typer.Option(help="Encoder: hub name or folder.")]  # noqa: UP045
Settings = Annotated[list[str], typer.Option("--set", help="path=value; repeatable.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Runs = Annotated[Path, typer.Option("--runs-dir", help="Folder of all runs.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Separator = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="Between the columns of local files: tab, space or any text; else detected."
    ),
]
TagColumn = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Column of the tags in local files, from 0, or -1 from the right."),
]
Place = Optional[Path]  # noqa: UP045


def experiment(
    *,
    preset: str,
    reading: str,
    language: str,
    source: str,
    dataset: str | None,
    model: str | None,
    seed: int,
    settings: list[str],
) -> ExperimentConfig:
    """Build the configuration that command-line options describe."""
    overrides: dict[str, Any] = {"target": language, "source": source, "seed": seed}
    if dataset is not None:
        overrides["data.dataset"] = dataset
    if model is not None:
        overrides["encoder.name"] = model
    overrides |= dict(parse_override(text) for text in settings)
    config = build_config(preset, reading, overrides)
    check_effect(config, [parse_override(text)[0] for text in settings])
    return config


def codes(languages: Iterable[str]) -> list[str]:
    """Return the languages that were given one by one or separated by commas, each once.

    >>> codes(["en,nl", "ar", "nl"])
    ['en', 'nl', 'ar']
    """
    parts = [part.strip() for text in languages for part in text.split(",")]
    return list(dict.fromkeys(part for part in parts if part))


def separator_of(name: str | None) -> str | None:
    r"""Return the characters that a separator's name stands for; None stays None.

    >>> separator_of("tab"), separator_of(";")
    ('\t', ';')
    """
    if name == "":
        raise UserError("the separator must be tab, space or other characters, but got none.")
    return None if name is None else SEPARATORS.get(name, name)
