"""Finished runs as plain Hugging Face folders, each with its model card."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from prokd.common.files import read_json, write_text
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.encoder.check import check_weights
from prokd.encoder.export_folder import (
    CARD,
    MANIFEST,
    check_destination,
    is_export,
    new_folder,
)
from prokd.encoder.onnx_files import ONNX, QUANTISED
from prokd.errors import UserError
from prokd.methods import read_config
from prokd.runs.folder import RunFolder
from prokd.training.chosen import Chosen
from prokd.training.model_card import model_card
from prokd.training.onnx_export import without_onnx


def export(
    folder: RunFolder,
    destination: Path,
    runtime: RuntimeConfig | None = None,
    *,
    config: ExperimentConfig | None = None,
    chosen: Chosen | None = None,
    beside: Callable[[Path], object] | None = None,
) -> Path:
    """Write a finished run as a plain Hugging Face token-classification folder with a model card.

    Args:
        folder: Of the run.
        destination: Where to.
        runtime: Where its data lay, and the device; None = that is not known, and the CPU.
        config: The experiment that it belongs to; None = the one that it was first trained for.
        chosen: What it was chosen by; None = by nothing that is known.
        beside: Writes further files into the folder, before it is put in place.

    Returns:
        The destination, which ``transformers.pipeline("token-classification")`` loads; see
        `pipeline.load_pipeline` for how.

    Raises:
        UserError: See `artifact.export`.
    """

    def write(part: Path) -> None:
        text = model_card(folder, config or config_of(folder), runtime, chosen)
        (part / CARD).write_text(text, encoding="utf-8")
        if beside is not None:
            beside(part)

    return artifact.export(folder.path, destination, runtime, beside=write)


def copy_export(
    place: Path, destination: Path, beside: Callable[[Path], object] | None = None
) -> Path:
    """Copy an export with its model card; ONNX files, which can be written anew, stay behind.

    Args:
        place: An export with a card.
        destination: Where to.
        beside: Writes further files into the copy, before it is put in place.

    Raises:
        UserError: The export has no card, or the destination holds something else than an export.
    """
    if not has_card(place):
        raise UserError(f"an export must have {CARD}, but {place} is older: export its run again.")
    check_destination(destination)
    check_weights(place)
    description = read_json(place / MANIFEST) or {}
    with new_folder(destination, description) as part:
        for name in description["files"]:
            if name != MANIFEST and not name.startswith((ONNX, QUANTISED)):
                shutil.copyfile(place / name, part / name)
        card = (part / CARD).read_text(encoding="utf-8")
        (part / CARD).write_text(without_onnx(card), encoding="utf-8")
        if beside is not None:
            beside(part)
    return destination


def has_card(place: Path) -> bool:
    """Tell whether a folder is an export, whole, that has a model card."""
    return is_export(place) and (place / CARD).is_file()


def renew_card(
    place: Path,
    folder: RunFolder,
    runtime: RuntimeConfig,
    config: ExperimentConfig,
    chosen: Chosen,
) -> None:
    """Write the card of an export again if it says what is no longer so.

    Args:
        place: An export with a card.
        folder: Of its run.
        runtime: As `export` takes it, like the others.
        config: The experiment.
        chosen: What it was chosen by.
    """
    text = model_card(folder, config, runtime, chosen)
    if (place / CARD).read_text(encoding="utf-8") != text:
        write_text(place / CARD, text)


def config_of(folder: RunFolder) -> ExperimentConfig:
    """Return the settings of whoever opened a run first.

    Raises:
        UserError: There are none, or none that can be read.
    """
    tree = read_json(folder.path / "config.json")
    if tree is None:
        raise UserError(f"a run must hold config.json, its settings, but {folder.path} does not.")
    return read_config(tree)
