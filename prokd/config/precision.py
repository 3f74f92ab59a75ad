"""What ``encoder.precision = auto`` stands for, settled by the device before a run is named."""

from __future__ import annotations

from collections.abc import Iterable

from prokd.config.overrides import Config
from prokd.config.settings import AutocastType

CPU, GPU, OLD_GPU = "cpu", "gpu", "gpu without bf16"
"""Kinds of devices; `automatic_precision` takes a GPU's type, as Ray names it, as well."""
TYPES_WITHOUT_BF16 = ("K80", "P4", "P100", "T4", "V100")
"""Ray's names of GPUs that have no instructions for bf16."""


def automatic_precision(devices: Iterable[str]) -> AutocastType:
    """Return the precision that all of some devices have: bf16 on GPUs, fp32 elsewhere.

    >>> automatic_precision(["A100"]), automatic_precision(["A100", "T4"])
    ('bf16', 'fp32')
    >>> automatic_precision(["gpu"]), automatic_precision(["cpu"])
    ('bf16', 'fp32')
    """
    without = {CPU, OLD_GPU, *TYPES_WITHOUT_BF16}
    return "fp32" if without.intersection(devices) else "bf16"


def with_precision(config: Config, automatic: AutocastType) -> Config:
    """Return a configuration whose precision is known.

    Args:
        config: An experiment.
        automatic: What ``auto`` stands for where it trains, see `automatic_precision`.
    """
    if config.encoder.precision != "auto":
        return config
    encoder = config.encoder.model_copy(update={"precision": automatic})
    return config.model_copy(update={"encoder": encoder})
