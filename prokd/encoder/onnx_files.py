"""An exported folder's model as ONNX files: as it is, and with weights of eight bits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForTokenClassification

from prokd.errors import UserError

ONNX, QUANTISED = "model.onnx", "model_quantized.onnx"
INPUTS = ("input_ids", "attention_mask")
OPSET = 17
PACKAGES = ("onnx", "onnxruntime")
"""Of the extra ``onnx``."""
MOST_BYTES = 1_800_000_000
"""Of all weights: an ONNX file holds 2 GB."""


def check_installed() -> None:
    """Make sure that what writes and runs ONNX is installed.

    Raises:
        UserError: It is not; says how to install it.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            f"not installed: pip install 'prokd[onnx]'."
        )


def load_exported(folder: Path) -> nn.Module:
    """Load the token classifier of an exported folder, on the CPU, in eval mode."""
    with _quiet():
        model: nn.Module = AutoModelForTokenClassification.from_pretrained(
            folder, dtype=torch.float32
        )
    return model.eval()


def write_onnx(folder: Path, *, quantised: bool) -> list[Path]:
    """Write ONNX files beside the weights of an exported folder.

    Batches and lengths are free; inputs are `INPUTS`, the output is ``logits``.

    Args:
        folder: What `artifact.export` writes.
        quantised: Whether a file with weights of eight bits is written too; activations are
            quantised as they come.

    Returns:
        The models: `ONNX` first.

    Raises:
        UserError: The model is too large, or the exporter cannot follow it.
    """
    model = load_exported(folder)
    size = sum(weights.numel() * weights.element_size() for weights in model.parameters())
    if size > MOST_BYTES:
        raise UserError(
            f"a model that is written as ONNX must be of at most {MOST_BYTES / 1e9:.1f} GB, but "
            f"this one is of {size / 1e9:.1f} GB."
        )
    paths = [folder / ONNX]
    try:
        _trace(model, paths[0])
    except Exception as error:  # whatever a family does that cannot be traced
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"a {type(model).__name__} cannot be written as ONNX: {reason}") from None
    if quantised:
        paths.append(folder / QUANTISED)
        _quantise(paths[0], paths[1])
    return paths


class _Logits(nn.Module):
    """A token classifier that takes tensors and gives one."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def _trace(model: nn.Module, path: Path) -> None:
    """Write what a model does.

    By the older of torch's two exporters: it takes a twentieth of the time, and needs no further
    package. What it might bake in, lengths above all, is found by `prokd.scoring.onnx_check`.
    """
    input_ids = torch.ones(2, 9, dtype=torch.int64)
    mask = torch.ones_like(input_ids)
    mask[1, 6:] = 0  # else the model may take a way without any mask
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            _Logits(model).eval(),
            (input_ids, mask),
            path,
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in (*INPUTS, "logits")},
            opset_version=OPSET,
            dynamo=False,
        )


def _quantise(path: Path, destination: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(path, destination, weight_type=QuantType.QInt8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what tracing and quantising tell of their own insides."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
