"""Options that several commands share, and what they describe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from prokd.common.places import check_writable, default_cache
from prokd.config import ExperimentConfig, RuntimeConfig, parse_overrides
from prokd.config.settings import JOINT
from prokd.errors import UserError
from prokd.methods import DEFAULT, build_config, method_named
from prokd.methods.rates import with_suited_rates
from prokd.runs.effect import check_effect

OWN_OPTIONS = {"source": "--source", "target": "--lang", "seed": "--seed"}
"""Settings that have options of their own."""
SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}
"""Names of separators that are hard to type."""

Preset = Annotated[str, typer.Option(help="paper, fast or mini (embedded, needs no network).")]
MethodName = Annotated[
    str,
    typer.Option("--method", help="prokd, tsl, msd, unitrans, concner, composed, baseline ...."),
]
Reading = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="ProKD: soft (default), literal (as printed) or stable (weak encoders)."),
]
Language = Annotated[str, typer.Option("--lang", help="Target language.")]
Source = Annotated[
    str, typer.Option(help="Labelled language; en,de: several, as the method has it.")
]
Dataset = Annotated[Optional[str], typer.Option(help="wikiann, conll or phrasebook.")]  # noqa: UP045
DataDirs = Annotated[
    list[Path],
    typer.Option(
        "--data-dir", resolve_path=True, help="Folder DIR/<lang>/{train,dev,test}; repeatable."
    ),
]
"""Paths are made absolute where they come in, so that all that is printed later can be used from
anywhere."""
Dictionaries = Annotated[
    list[Path],
    typer.Option(
        "--dictionary",
        resolve_path=True,
        help="Word list from source to target, or a folder of <source>-<target>; repeatable.",
    ),
]
Model = Annotated[Optional[str], typer.Option(help="Encoder: hub name or folder.")]  # noqa: UP045
Settings = Annotated[list[str], typer.Option("--set", help="path=value; repeatable.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Runs = Annotated[
    Path,
    typer.Option("--runs-dir", envvar="PROKD_RUNS", resolve_path=True, help="Folder of all runs."),
]
Output = Annotated[
    Path,
    typer.Option(
        envvar="PROKD_OUTPUT", resolve_path=True, help="Folder of runs/, studies/, exports/ ..."
    ),
]
Cache = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--cache-dir",
        envvar="PROKD_CACHE",
        resolve_path=True,
        help="Folder of subwords and features; ~/.cache/prokd by default.",
    ),
]
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
Types = Annotated[
    list[str],
    typer.Option("--map", help="TYPE=O or TYPE=TYPE of the model, for types of the data."),
]
WordLanguage = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--lang", help="Language whose rules split words; else the model's target."),
]
Valid = Annotated[
    bool,
    typer.Option(
        "--valid/--independent",
        help="The likeliest valid IOB2 tags of a sentence, or each word's likeliest tag.",
    ),
]
Names = Annotated[
    list[str],
    typer.Option("--name", help="What a model is called, in their order; else by its folder."),
]
Place = Optional[Path]  # noqa: UP045


def given_settings(settings: Iterable[str], options: Mapping[str, str]) -> dict[str, Any]:
    """Read what ``--set`` gives, by dotted path; refuse what has an option of its own.

    Args:
        settings: As they are typed, ``path=value``.
        options: Of a command, by the setting that each gives.
    """
    given = parse_overrides(settings)
    for path, option in options.items():
        if path in given:
            raise UserError(f"the setting {path!r} must be given by {option}, not by --set.")
    return given


def experiment(
    *,
    method: str = DEFAULT,
    preset: str,
    reading: str | None,
    language: str,
    source: str,
    dataset: str | None,
    model: str | None,
    seed: int,
    settings: list[str],
    say: Callable[[str], object] = typer.echo,
) -> ExperimentConfig:
    """Build the configuration that command-line options describe; say what is fitted to them."""
    overrides: dict[str, Any] = {"target": language, "seed": seed, **sources(source, method)}
    if dataset is not None:
        overrides["data.dataset"] = dataset
    if model is not None:
        overrides["encoder.name"] = encoder_name(model)
    given = given_settings(settings, OWN_OPTIONS)
    config = build_config(preset, reading, overrides | given, method=method)
    config = with_suited_rates(config, preset, overrides | given, say)
    check_effect(config, given)
    return config


def encoder_name(given: str) -> str:
    """Return the absolute path of an encoder that is a folder, else the name as it was given."""
    folder = Path(given).expanduser()
    return str(folder.resolve()) if folder.is_dir() else given


def sources(given: str, method: str) -> dict[str, Any]:
    """Return the settings that name the source languages, one or several.

    Of several a method has a teacher for each, if it can; else their corpora are one.

    Raises:
        UserError: There is none.
    """
    first, *others = codes([given], "--source")
    if others and method_named(method).many_sources:
        return {"source": first, "more_sources": others}
    return {"source": JOINT.join([first, *others])}


def codes(languages: Sequence[str], option: str = "--lang", what: str = "a language") -> list[str]:
    """Return the languages that were given one by one or separated by commas, each once.

    >>> codes(["en,nl", "ar", "nl"])
    ['en', 'nl', 'ar']

    Raises:
        UserError: There is none.
    """
    parts = [part.strip() for text in languages for part in text.split(",")]
    found = list(dict.fromkeys(part for part in parts if part))
    if not found:
        raise UserError(f"{option} must name {what}, but got {','.join(languages)!r}.")
    return found


def writable_cache(given: Path | None) -> Path:
    """Return the folder of the cache, which can be written: the given one, or the default.

    Raises:
        UserError: It cannot be written.
    """
    folder = given or default_cache()
    check_writable(folder, "--cache-dir")
    return folder


def runtime_of(
    runs_dir: Path,
    cache_dir: Path | None,
    data_dirs: Sequence[Path],
    dictionaries: Sequence[Path],
    separator: str | None,
    tag_column: int | None,
    device: str = "auto",
) -> RuntimeConfig:
    """Return where a command runs, by its options of these names.

    Raises:
        UserError: An unknown separator, or a cache that cannot be written.
    """
    for path in dictionaries:
        if not path.exists():
            raise UserError(f"--dictionary must be a file or a folder, but {path} is not there.")
    return RuntimeConfig(
        runs_dir=runs_dir,
        cache_dir=writable_cache(cache_dir),
        data_dirs=tuple(data_dirs),
        dictionaries=tuple(dictionaries),
        separator=separator_of(separator),
        tag_column=tag_column,
        device=device,
    )


def check_names(names: Sequence[str], number: int) -> None:
    """Refuse names of models (`Names`) that are not as many as the models, or not distinct."""
    if names and (len(names) != number or len(set(names)) < number):
        raise UserError(
            f"--name must be given once for each of the {number} models, each another, but got "
            f"{', '.join(names)}."
        )


def separator_of(name: str | None) -> str | None:
    r"""Return the characters that a separator's name stands for; None stays None.

    >>> separator_of("tab"), separator_of(";")
    ('\t', ';')
    """
    if name == "":
        raise UserError("the separator must be tab, space or other characters, but got none.")
    return None if name is None else SEPARATORS.get(name, name)
