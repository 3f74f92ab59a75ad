"""A trained stage on disk: what was trained, on which base, and as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from prokd.common.files import (
    STAGE_FILE,
    WEIGHTS_FILE,
    file_sha256,
    read_json,
    read_record,
    write_atomically,
    write_json,
)
from prokd.config import EncoderConfig, ExperimentConfig, RuntimeConfig
from prokd.data.labels import TagSet
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.encoder.device import device_of
from prokd.encoder.export_folder import check_destination, new_folder
from prokd.encoder.files import encoder_folder, load_tokenizer
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.encoder.plain_model import plain_model, put_into
from prokd.encoder.precision import loadable
from prokd.errors import UserError


def save(
    model: TokenClassifier,
    folder: Path,
    *,
    config: ExperimentConfig,
    signature: str,
    tag_set: TagSet,
    encoder_fingerprint: str,
) -> None:
    """Write the trained weights and what is needed to put them on their base again.

    Frozen weights are the base encoder's and are not stored.
    """
    write_weights(folder, model.trained_state())
    write_json(
        folder / STAGE_FILE,
        {
            "format": 1,
            "signature": signature,
            "source": config.source,
            "target": config.target,
            "entity_types": list(tag_set.entity_types),
            "max_length": config.data.max_length,
            "encoder": {**config.encoder.model_dump(), "fingerprint": encoder_fingerprint},
        },
    )


def write_weights(folder: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write weights by name into a run's folder."""
    compact = {name: value.cpu().contiguous() for name, value in state.items()}
    write_atomically(folder / WEIGHTS_FILE, lambda part: save_file(compact, part))


def describe(folder: Path) -> dict[str, Any]:
    """Return what a stage folder says of itself; UserError if it is none."""
    description = read_record(folder / STAGE_FILE)
    if description is None or not (folder / WEIGHTS_FILE).is_file():
        raise UserError(
            f"a trained stage must hold {STAGE_FILE} and {WEIGHTS_FILE}, but {folder} does not."
        )
    for name in ("encoder", "entity_types", "max_length"):
        if name not in description:
            raise UserError(f"{folder / STAGE_FILE} must be as a run wrote it, but has no {name}.")
    return description


def load(
    folder: Path,
    encoder: EncoderConfig | None = None,
    runtime: RuntimeConfig | None = None,
    *,
    prepare: Callable[[TokenClassifier], object] | None = None,
) -> TokenClassifier:
    """Restore a trained stage, bit for bit, on its base encoder.

    Args:
        folder: A stage folder.
        encoder: Where its base lies now; None = where it lay in training.
        runtime: The device; None = CPU.
        prepare: Puts modules beside the classifier, which get their weights too.

    Raises:
        UserError: No stage, or a base that is not the one it was trained on.
    """
    description = describe(folder)
    device = device_of(runtime) if runtime is not None else torch.device("cpu")
    config = loadable(_encoder_config(description, encoder), device)
    model = build_classifier(
        config,
        2 * len(description["entity_types"]) + 1,
        max_length=description["max_length"],
        seed=0,
    )
    if prepare is not None:
        prepare(model)
    load_into(model, folder, config)
    return model.to(device).eval()


def load_into(model: TokenClassifier, folder: Path, encoder: EncoderConfig) -> None:
    """Put a stage's trained weights into a model on the same base.

    Those of modules beside the classifier are left out where the model has no such modules.

    Raises:
        UserError: Another base, or weights that are not whole.
    """
    description = describe(folder)
    mark = read_json(folder / "DONE")
    if isinstance(mark, dict) and mark.get("weights_sha256") != file_sha256(folder / WEIGHTS_FILE):
        raise UserError(
            f"the weights in {folder} do not match their checksum: remove the file DONE there and "
            f"run the command that trained them again."
        )
    expected, got = description["encoder"]["fingerprint"], encoder_fingerprint(encoder.name)
    if expected != got:
        raise UserError(
            f"the stage in {folder} was trained on the encoder {description['encoder']['name']!r} "
            f"with fingerprint {expected}, but {encoder.name!r} has fingerprint {got}."
        )
    missing, unexpected = model.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=False)
    stored = set(missing) & set(model.trained_state())
    unexpected = [name for name in unexpected if not name.startswith("beside.")]
    if unexpected or stored:
        names = ", ".join(sorted([*unexpected, *stored])[:3])
        raise UserError(f"the weights in {folder} do not fit their encoder: {names}.")


def export(
    folder: Path,
    destination: Path,
    runtime: RuntimeConfig | None = None,
    *,
    beside: Callable[[Path], object] | None = None,
) -> Path:
    """Write a stage as a plain Hugging Face token-classification folder.

    ``transformers.pipeline("token-classification", model=destination,
    aggregation_strategy="first")`` loads it with no code of this project. The folder appears
    whole or not at all; see `prokd.encoder.export_folder`.

    Args:
        folder: A stage folder.
        destination: Where to.
        runtime: The device; None = CPU.
        beside: Writes further files into the folder, before it is put in place.

    Raises:
        UserError: No stage, a wrong base, an architecture without a token classifier, or a
            destination that holds something else than an export.
    """
    check_destination(destination)
    description = describe(folder)
    encoder = _encoder_config(description, None)
    model = load(folder, encoder, runtime).cpu()
    names = TagSet(tuple(description["entity_types"])).names
    settings = AutoConfig.from_pretrained(
        encoder_folder(encoder.name),
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        dtype="float32",
    )
    plain: Any = plain_model(settings).float()
    put_into(plain, model.encoder, model.classifier)
    with new_folder(destination, description) as part:
        plain.eval().save_pretrained(part)
        load_tokenizer(encoder.name).save_pretrained(part)
        if beside is not None:
            beside(part)
    return destination


def _encoder_config(description: dict[str, Any], encoder: EncoderConfig | None) -> EncoderConfig:
    stored = {name: description["encoder"][name] for name in EncoderConfig.model_fields}
    if encoder is not None:
        stored["name"] = encoder.name
    return EncoderConfig(**stored)
