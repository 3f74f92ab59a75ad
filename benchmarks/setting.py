"""What is measured on: a mini encoder on WikiANN (with PROKD_DATA) or on the phrasebook."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.methods import build_config

MAX_LENGTH = 128
"""Subwords of the longest sentence: what the rival pads to."""


@dataclass(frozen=True)
class Setting:
    """One place to work in, with data and encoder.

    Args:
        folder: Runs and caches lie here, until the benchmark ends.
        output: Plots go here.
        threads: CPU threads of a stage.
    """

    folder: Path
    output: Path
    threads: int = 1

    @property
    def real(self) -> Path | None:
        """The folder that PROKD_DATA names; None = the embedded default."""
        given = os.environ.get("PROKD_DATA")
        return Path(given) if given else None

    @property
    def title(self) -> str:
        """Data and encoder in words."""
        if self.real:
            return "WikiANN en-nl, mini encoder (3 layers, 192 wide)"
        return "phrasebook en-ar, embedded mini encoder (3 layers, 192 wide)"

    def config(self, sentences: int, evaluated: int, **overrides: Any) -> ExperimentConfig:
        """Return the mini preset in the stable reading on so many sentences."""
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
        return build_config("mini", "stable", values | overrides)

    def runtime(self, name: str) -> RuntimeConfig:
        """Return where a part of the benchmark keeps its runs."""
        return RuntimeConfig(
            data_dirs=(self.real / "data" / "wikiann",) if self.real else (),
            runs_dir=self.folder / name / "runs",
            cache_dir=self.folder / "cache",
            device="cpu",
            threads=self.threads,
        )
