"""What is measured on: a mini encoder on WikiANN (with PROKD_DATA) or on the phrasebook."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder.files import encoder_settings
from prokd.methods import build_config
from prokd.methods.rates import with_suited_rates

MAX_LENGTH = 128
"""Subwords of the longest sentence: what the rival pads to."""
FROZEN_LAYERS = 2
"""Of an encoder that is not the mini one."""


@dataclass(frozen=True)
class Setting:
    """One place to work in, with data and encoder.

    Args:
        folder: Runs and caches lie here, until the benchmark ends.
        output: Plots go here.
        threads: CPU threads of a stage.
        encoder: Folder of another encoder, in the soft reading, two layers frozen; None = the mini
            one, in the stable reading.
    """

    folder: Path
    output: Path
    threads: int = 1
    encoder: Path | None = None

    @property
    def real(self) -> Path | None:
        """The folder that PROKD_DATA names; None = the embedded default."""
        given = os.environ.get("PROKD_DATA")
        return Path(given) if given else None

    @property
    def title(self) -> str:
        """Data and encoder in words."""
        data = "WikiANN en-nl" if self.real else "phrasebook en-ar"
        if self.encoder is not None:
            shape = encoder_settings(str(self.encoder))
            size = f"{shape.num_hidden_layers} layers, {FROZEN_LAYERS} of them frozen"
            return f"{data}, encoder of {size}, {shape.hidden_size} wide"
        kind = "mini encoder" if self.real else "embedded mini encoder"
        return f"{data}, {kind} (3 layers, 192 wide)"

    def config(self, sentences: int, evaluated: int, **overrides: Any) -> ExperimentConfig:
        """Return the mini preset in the reading of the encoder on so many sentences."""
        values: dict[str, Any] = {"target": "ar", "data.max_length": MAX_LENGTH}
        if self.real:
            values |= {
                "target": "nl",
                "data.dataset": "wikiann",
                "encoder.name": str(self.real / "encoders" / "mini5-fp16"),
            }
        values |= {
            "data.source_train_limit": sentences,
            "data.target_train_limit": sentences,
            "data.evaluation_limit": evaluated,
            "student.collapse_agreement": 0.0,  # small corpora: a short run shall not end early
            "teacher.collapse_fall": 0.0,
        }
        if self.encoder is None:
            return build_config("mini", "stable", values | overrides)
        values |= {"encoder.name": str(self.encoder), "encoder.frozen_layers": FROZEN_LAYERS}
        config = build_config("mini", "soft", values | overrides)
        return with_suited_rates(config, "mini", values | overrides, lambda told: None)

    def runtime(self, name: str) -> RuntimeConfig:
        """Return where a part of the benchmark keeps its runs."""
        return RuntimeConfig(
            data_dirs=(self.real / "data" / "wikiann",) if self.real else (),
            runs_dir=self.folder / name / "runs",
            cache_dir=self.folder / "cache",
            device="cpu",
            threads=self.threads,
        )
