"""Runs that did not fit into memory: under which name, with which configuration, they go on.

Dropout draws otherwise where a batch goes through the encoder in parts: the numbers are those of
another configuration, so a run that has run out of memory has another name from then on. Its
folder keeps ``out_of_memory.json`` (the ``micro_batch_tokens`` to go on with), and whoever asks
for it is led to the run that goes on. That one keeps ``asked.json``: the names it was asked for
by, which `prokd.runs.cleaning` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from prokd.common.files import read_json, write_json
from prokd.config import ExperimentConfig
from prokd.methods import graph_of
from prokd.runs.folder import RunFolder
from prokd.runs.identity import NONE, Parts, stage_signature

NOTE, ASKED = "out_of_memory.json", "asked.json"


def run_folder(
    runs_dir: Path, config: ExperimentConfig, stage: str, data: Mapping[str, str], parts: Parts
) -> RunFolder:
    """Return the folder of a stage of an experiment, some of whose stages go on in parts."""
    kind = graph_of(config).stage(stage).kind
    return RunFolder(runs_dir, kind, stage_signature(config, stage, data, parts))


def within_memory(config: ExperimentConfig, data: Mapping[str, str], runs_dir: Path) -> Parts:
    """Return which of an experiment's stages go on in parts of what size, as far as it is known.

    Args:
        config: The experiment as it was asked for.
        data: Fingerprints of what it reads.
        runs_dir: Folder of all runs.
    """
    *_, last = on_the_way(config, data, runs_dir)
    return last


def on_the_way(
    config: ExperimentConfig, data: Mapping[str, str], runs_dir: Path
) -> Iterator[Parts]:
    """Yield no parts, and those that notes lead to from it, stage by stage.

    Earlier stages come first, for their names are part of those of later ones. A finished run is
    followed no further: it did fit.
    """
    parts: Parts = NONE
    yield parts
    for spec in graph_of(config).stages:
        while True:
            folder = run_folder(runs_dir, config, spec.name, data, parts)
            tokens = None if folder.done else noted(folder)
            before = parts.get(spec.name, spec.settings(config).micro_batch_tokens)
            if tokens is None or (before is not None and tokens >= before):
                break
            parts = {**parts, spec.name: tokens}
            yield parts


def noted(folder: RunFolder) -> int | None:
    """Return the ``micro_batch_tokens`` that a run goes on with elsewhere; None if it fitted."""
    value = read_json(folder.path / NOTE)
    return None if value is None else int(value["micro_batch_tokens"])


def note(folder: RunFolder, tokens: int) -> None:
    """Write that a run did not fit; what it had trained is not gone on from."""
    write_json(folder.path / NOTE, {"micro_batch_tokens": tokens})
    folder.drop_checkpoints()


def asked_names(folder: RunFolder) -> list[str]:
    """Return the signatures of runs that did not fit and are this one now."""
    value = read_json(folder.path / ASKED)
    return [] if value is None else [str(name) for name in value["signatures"]]


def remember_asked(
    folder: RunFolder,
    stage: str,
    config: ExperimentConfig,
    data: Mapping[str, str],
    runs_dir: Path,
) -> None:
    """Write into a stage's folder by which other names it was asked for; older ones are kept."""
    path = on_the_way(config, data, runs_dir)
    names = {stage_signature(config, stage, data, each) for each in path} - {folder.signature}
    known = set(asked_names(folder))
    if not names <= known:
        write_json(folder.path / ASKED, {"signatures": sorted(names | known)})
