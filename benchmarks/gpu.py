"""On one GPU: how close training comes to the chip's matrix products.

A short way to two parts of `benchmarks.gpu_session`, which measures all the others too. Without a
CUDA device nothing is measured, and the line says so.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.gpu_session.parts import rate, steps
from benchmarks.gpu_session.session import Session
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the rates of matrix products and of training steps."""
    if not torch.cuda.is_available():
        text = "no CUDA device here: nothing measured"
        return [Line("gpu", "mBERT-sized bf16 training", "", "", text, "", 0, 0.0)]
    session = Session(out=setting.output, work=setting.folder / "gpu")
    lines = [*rate.measure(session), *steps.measure(session)]
    return [replace(line, part="gpu") for line in lines]
