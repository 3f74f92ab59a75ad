"""The device of a run."""

from __future__ import annotations

import re

import torch

from prokd.config import RuntimeConfig
from prokd.errors import UserError


def device_of(runtime: RuntimeConfig) -> torch.device:
    """Return the device of a run; UserError if it is not there."""
    cuda = torch.cuda.is_available()
    if runtime.device == "auto":
        return torch.device("cuda" if cuda else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", runtime.device)
    if match is None:
        raise UserError(
            f"the device must be auto, cpu, cuda or cuda:N, but got {runtime.device!r}."
        )
    if runtime.device != "cpu" and not cuda:
        raise UserError(f"the device {runtime.device!r} was asked for, but torch sees no GPU.")
    if match[1] is not None and int(match[1]) >= torch.cuda.device_count():
        raise UserError(
            f"the device must be below cuda:{torch.cuda.device_count()} on this machine, but got "
            f"{runtime.device!r}."
        )
    return torch.device(runtime.device)
