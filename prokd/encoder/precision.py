"""Which precision a device can do: the training of a run never takes another one in silence."""

from __future__ import annotations

from functools import lru_cache

import torch

from prokd.config import ExperimentConfig
from prokd.config.precision import CPU, GPU, OLD_GPU, automatic_precision, with_precision
from prokd.config.settings import AutocastType, EncoderConfig, Precision
from prokd.errors import UserError


def device_kind(device: torch.device) -> str:
    """Return what `config.precision.automatic_precision` is to know of a device."""
    if device.type != "cuda":
        return CPU
    return GPU if _has_bf16(device) else OLD_GPU


def kind_of_this_machine() -> str:
    """Return the kind of the device that a run on this machine would take by itself."""
    return device_kind(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def settled(config: ExperimentConfig, device: torch.device) -> ExperimentConfig:
    """Return a configuration as it is trained on a device: its precision is known.

    Raises:
        UserError: The device cannot do the precision that was asked for.
    """
    known = with_precision(config, automatic_precision([device_kind(device)]))
    autocast_type(known.encoder.precision, device)
    return known


def loadable(encoder: EncoderConfig, device: torch.device) -> EncoderConfig:
    """Return the settings of a trained encoder for a device that only looks at text with it.

    Its precision is that of its training, or fp32, which rounds less, where the device cannot.
    """
    try:
        autocast_type(encoder.precision, device)
    except UserError:
        return encoder.model_copy(update={"precision": "fp32"})
    return encoder


def autocast_type(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the type of mixed precision on a device; None for plain float32.

    On a CPU ``bf16`` is taken where it was asked for: it pays where the CPU has instructions for
    it.

    Raises:
        UserError: The device cannot do it.
    """
    chosen: AutocastType = (
        automatic_precision([device_kind(device)]) if precision == "auto" else precision
    )
    if chosen == "fp32":
        return None
    if chosen == "fp16":
        if device.type != "cuda":
            raise UserError("encoder.precision must be fp32 or bf16 on a CPU, but got fp16.")
        return torch.float16
    if device_kind(device) == OLD_GPU:
        name = torch.cuda.get_device_name(device)
        raise UserError(
            f"encoder.precision must be fp32 or fp16 on a GPU without bf16 ({name}), but got bf16."
        )
    return torch.bfloat16


@lru_cache(maxsize=16)
def _has_bf16(device: torch.device) -> bool:
    """Return whether a GPU has instructions for bf16; PyTorch's emulation does not count."""
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
