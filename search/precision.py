"""What ``encoder.precision = auto`` stands for in a search, before it is connected to a Ray."""

from __future__ import annotations

import os

from prokd.config import ExperimentConfig, automatic_precision
from prokd.config.precision import CPU, GPU
from prokd.config.settings import AutocastType


def expected_precision(gpus_per_trial: float | None) -> AutocastType:
    """Return what trials would take on what can be known here: no cluster is asked.

    Args:
        gpus_per_trial: As it was asked for; None = one where PROKD_MAX_GPUS promises some, or
            this machine has one. A GPU that is elsewhere is taken to have bf16.
    """
    from prokd.encoder.precision import kind_of_this_machine

    here = kind_of_this_machine()
    promised = float(os.environ.get("PROKD_MAX_GPUS", 0)) > 0
    has_gpu = promised or here != CPU if gpus_per_trial is None else gpus_per_trial > 0
    if not has_gpu:
        return automatic_precision([CPU])
    return automatic_precision([GPU if here == CPU else here])


def dry_run_line(configs: list[ExperimentConfig]) -> str:
    """Write the first line of a dry run: that it starts nothing, and what it counts with."""
    counted = sorted({config.encoder.precision for config in configs})
    return f"dry run: nothing is started; counted with encoder.precision = {', '.join(counted)}"
