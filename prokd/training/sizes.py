"""How much disk a run takes, known before it is started: from the encoder's shape alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import AutoModel

from prokd.config import EncoderConfig
from prokd.encoder.files import encoder_settings
from prokd.encoder.layers import freeze
from prokd.runs.checkpoints import KEPT

FLOAT_BYTES = 4


@dataclass(frozen=True)
class RunSizes:
    """Bytes on disk.

    Args:
        artifact: Of a finished run: the weights that training may change.
        checkpoints: At most, of a run that trains: weights and two moments of Adam for each of
            the checkpoints that are kept and the one that is being written.
        export: Of a student as a plain Hugging Face folder: all weights.
    """

    artifact: int
    checkpoints: int
    export: int


def run_sizes(encoder: EncoderConfig) -> RunSizes:
    """Return the disk use of runs on an encoder; no weights are loaded.

    Raises:
        UserError: The encoder has fewer layers than are to be frozen.
    """
    settings = encoder_settings(encoder.name)
    with torch.device("meta"):
        model = AutoModel.from_config(settings)  # type: ignore[no-untyped-call]
    freeze(model, layers=encoder.frozen_layers, embeddings=encoder.freeze_embeddings)
    weights = list(model.parameters())
    trained = FLOAT_BYTES * sum(w.numel() for w in weights if w.requires_grad)
    every = FLOAT_BYTES * sum(w.numel() for w in weights)
    return RunSizes(trained, (KEPT + 1) * 3 * trained, every)
