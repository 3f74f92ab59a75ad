"""How a run is repeated: the shortest command that trains it, and what it was made of."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prokd.common.names import flatten
from prokd.config import ExperimentConfig
from prokd.config.presets import PRESETS
from prokd.errors import UserError
from prokd.method import PAIRED_TRAIN, TRANSLATED_TRAIN
from prokd.methods import build_config, graph_of, method_of, needed_corpora
from prokd.methods.rates import with_suited_rates
from prokd.runs.effect import check_effect
from prokd.runs.folder import RunFolder
from prokd.runs.known import run_in

OPTIONS = {"data.dataset": "--dataset", "encoder.name": "--model"}
"""Settings with an option of their own."""
NAMED = ("method", "source", "more_sources", "target", "seed")
"""Settings that a command always names."""


class Start(NamedTuple):
    """What a command starts from, and what it says beside that.

    Args:
        preset: Its name.
        reading: Of the method's paper.
        given: Settings with an option of their own that differ from the preset's.
        changes: Other settings that differ, and act.
    """

    preset: str
    reading: str
    given: dict[str, Any]
    changes: dict[str, Any]


def train_command(config: ExperimentConfig, kind: str, *, local: bool | None) -> str:
    """Return the ``prokd`` command that trains a run, or the result that the run is a stage of.

    Args:
        config: The experiment.
        kind: Of the run, e.g. "student".
        local: Whether its data were files of one's own, which have to be named; None = unknown.
    """
    graph = graph_of(config)
    result = graph.stage(graph.result)
    is_teacher = kind == "teacher" != result.kind
    start = min(_starts(config), key=lambda one: len(one.given) + len(one.changes))
    words = ["prokd", "train-teacher" if is_teacher else "train-student"]
    words += ["--method", config.method, "--preset", start.preset, "--reading", start.reading]
    words += ["--source", ",".join(config.sources), "--lang", config.target]
    words += ["--seed", str(config.seed)]
    for path, value in start.given.items():
        words += [OPTIONS[path], public_name(str(value))]
    if local:
        words += ["--data-dir", "DIR"]
    is_embedded = config.data.dataset == "phrasebook" and not local
    if {TRANSLATED_TRAIN, PAIRED_TRAIN} & set(needed_corpora(config)) and not is_embedded:
        words += ["--dictionary", "FILE"]
    for path, value in start.changes.items():
        words += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def public_name(encoder: str) -> str:
    """Return the name of an encoder as others may read it: of a folder its last part alone.

    >>> public_name("xlm-roberta-base"), public_name("/home/anna/my encoder")
    ('xlm-roberta-base', 'path/to/my encoder')
    """
    folder = Path(encoder).expanduser()
    is_folder = encoder.startswith((".", "/", "~")) or folder.is_dir()
    return f"path/to/{folder.resolve().name}" if is_folder else encoder


def settings_of(config: ExperimentConfig) -> dict[str, Any]:
    """Return all settings as others may read them."""
    tree = config.model_dump(mode="json")
    tree["encoder"]["name"] = public_name(config.encoder.name)
    return tree


def stage_runs(folder: RunFolder) -> Iterator[RunFolder]:
    """Yield a run and all that it was trained with, as far as their folders are there."""
    yield folder
    for signature in (folder.identity() or {}).get("needs", ()):
        for path in sorted(folder.path.parent.glob(f"*-{signature}")):
            yield from stage_runs(run_in(path))


def _starts(config: ExperimentConfig) -> Iterator[Start]:
    """Yield what leads to an experiment from each preset and reading."""
    wanted = flatten(config.model_dump(mode="json"))
    named = {path: wanted[path] for path in NAMED if path in wanted and path != "method"}
    for preset in PRESETS:
        for reading in method_of(config).readings:
            base = build_config(preset, reading, named, method=config.method)
            usual = flatten(base.model_dump(mode="json"))
            given = {path: wanted[path] for path in OPTIONS if wanted[path] != usual[path]}
            base = build_config(preset, reading, named | given, method=config.method)
            base = with_suited_rates(base, preset, named | given, say=bool)
            usual = flatten(base.model_dump(mode="json"))
            changes = {path: value for path, value in wanted.items() if value != usual[path]}
            yield Start(preset, reading, given, dict(_acting(config, changes)))


def _acting(config: ExperimentConfig, changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that act: a command refuses the others."""
    for path, value in changes.items():
        try:
            check_effect(config, [path])
        except UserError:
            continue
        yield path, value
