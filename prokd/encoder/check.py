"""All that can be wrong with an encoder, found before anything is trained on it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prokd.config import EncoderConfig
from prokd.data.subwords import special_tokens
from prokd.encoder.files import encoder_folder, encoder_settings, load_tokenizer, weight_files
from prokd.encoder.layers import freeze, usable_positions
from prokd.encoder.plain_model import (
    check_family,
    check_takes,
    empty_encoder,
    plain_model,
)
from prokd.encoder.weights import check_weight_file, weight_shapes
from prokd.errors import UserError


def check_encoder(config: EncoderConfig, max_length: int) -> None:
    """Make sure that an encoder can be loaded, trained and exported; no weights are loaded.

    Args:
        config: The encoder and what of it is frozen.
        max_length: Longest sentence in subwords.

    Raises:
        UserError: A file that is missing or not whole, a tokenizer that knows no words or more
            than the encoder, a family that cannot work, more frozen layers or longer sentences
            than the encoder has room for.
    """
    encoder = _checked(config.name)
    freeze(encoder, layers=config.frozen_layers, embeddings=config.freeze_embeddings)
    check_length(encoder_settings(config.name), config.name, max_length)
    _check_tokenizer_length(config.name, max_length)


def check_length(settings: Any, name: str, max_length: int) -> None:
    """Make sure that sentences fit into the positions of an encoder; UserError if not."""
    positions = usable_positions(settings)
    if positions is not None and max_length > positions:
        raise UserError(
            f"data.max_length must be at most the {positions} positions of {name!r}, "
            f"but got {max_length}."
        )


def _check_tokenizer_length(name: str, max_length: int) -> None:
    tokenizer = load_tokenizer(name)
    shortest = sum(map(len, special_tokens(tokenizer))) + 1
    if not shortest <= max_length <= tokenizer.model_max_length:
        raise UserError(
            f"data.max_length must be from {shortest} to {tokenizer.model_max_length} for the "
            f"tokenizer of {name!r}, but got {max_length}."
        )


def check_weights(folder: Path) -> None:
    """Make sure that all weight files in a folder are there and whole; UserError if not."""
    for path in weight_files(folder):
        check_weight_file(path)


@lru_cache(maxsize=8)
def _checked(name: str) -> nn.Module:
    """Check all of an encoder that no other setting decides; return it without weights."""
    folder = encoder_folder(name)
    settings = encoder_settings(name)
    check_family(settings, name)
    check_weights(folder)
    tokenizer = load_tokenizer(name)
    try:
        encoder = empty_encoder(settings)
        with torch.device("meta"):
            plain = plain_model(settings)
    except UserError as error:
        raise UserError(f"{name!r} cannot be exported when it is trained: {error}") from None
    except Exception as error:  # a family may fail in any way on numbers that do not fit
        raise UserError(
            f"the config.json of {folder} must describe an encoder, but none can be made from "
            f"it: {str(error).splitlines()[0]}"
        ) from None
    check_takes(plain, encoder)
    check_vocabulary(encoder, tokenizer.get_vocab(), name)
    _check_shapes(encoder, folder)
    return encoder


def check_vocabulary(encoder: nn.Module, vocabulary: dict[str, int], name: str) -> None:
    """Make sure that an encoder has a row for each subword; UserError if not."""
    rows = int(encoder.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    largest = max(vocabulary.values())
    if largest >= rows:
        raise UserError(
            f"the tokenizer of {name!r} must know no more subwords than the encoder's {rows}, "
            f"but its largest index is {largest}."
        )


def _check_shapes(encoder: nn.Module, folder: Path) -> None:
    """Compare the shapes in weight files with those of the configuration, where names agree."""
    expected = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    prefix = f"{encoder.base_model_prefix}."
    for path in weight_files(folder):
        if path.suffix != ".safetensors":
            continue
        for stored, shape in weight_shapes(path).items():
            name = stored.removeprefix(prefix)
            if expected.get(name, shape) != shape:
                raise UserError(
                    f"the weights in {path} must fit its config.json, but {stored} is "
                    f"{shape} and not {expected[name]}."
                )
