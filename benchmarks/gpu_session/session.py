"""What the parts of a session share: where they are, what they train on, how much they measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the first process starts where some packages may still be missing
    import torch

    from prokd.config import ExperimentConfig, RuntimeConfig


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    Args:
        product: Rows and columns of the matrices of the reference product.
        batches: Sentences of a batch, a small and a large one.
        steps: Steps of a timed epoch with the small batches; with large ones, a quarter of it.
        repeats: Turns of A and B.
        sentences: Of source and of target, where a real encoder is trained.
        checked: The same, where results are compared.
        evaluated: Of dev and of test.
        epochs: Of a stage, where F1 is compared.
        seeds: The same.
        at_once: Trials on one GPU at the same time.
        seconds: Of each such round.
        stacked: Students in one process.
        students: Of the grid that are trained.
        tagged: Sentences that are tagged.
    """

    product: int = 8192
    batches: tuple[int, int] = (32, 512)
    steps: int = 40
    repeats: int = 5
    sentences: int = 4000
    checked: int = 256
    evaluated: int = 1000
    epochs: int = 3
    seeds: int = 2
    at_once: tuple[int, ...] = (1, 2, 4)
    seconds: float = 3.0
    stacked: tuple[int, ...] = (2, 4, 8)
    students: int = 3
    tagged: int = 10_000


TINY = Amounts(
    product=128,
    batches=(4, 16),
    steps=2,
    repeats=1,
    sentences=16,
    checked=8,
    evaluated=8,
    epochs=2,
    seeds=1,
    at_once=(1, 2),
    seconds=0.1,
    stacked=(2,),
    students=1,
    tagged=16,
)
"""Seconds instead of minutes: whether everything runs; the numbers mean nothing."""


@dataclass(frozen=True)
class Session:
    """One run of all parts.

    Args:
        out: Folder of the results.
        work: Folder of runs and caches.
        encoder: ``mini``, or the folder of the encoder that is trained where F1 counts.
        data: Folder with ``<language>/{train,dev,test}`` of WikiANN; None = the phrasebook.
        kind: ``cuda`` or ``cpu``.
        tiny: Whether this is a dry run.
    """

    out: Path
    work: Path
    encoder: str = "mini"
    data: Path | None = None
    kind: str = "cuda"
    tiny: bool = False

    @cached_property
    def amounts(self) -> Amounts:
        """How much is measured."""
        return TINY if self.tiny else Amounts()

    @cached_property
    def device(self) -> torch.device:
        """Where everything is computed."""
        import torch

        return torch.device(self.kind)

    @property
    def on_gpu(self) -> bool:
        """Whether that is a GPU."""
        return self.kind == "cuda"

    @property
    def target(self) -> str:
        """The language without labels."""
        return "nl" if self.data else "ar"

    def config(self, **overrides: Any) -> ExperimentConfig:
        """Return ProKD in the stable reading on the carried encoder and text.

        Args:
            overrides: Values by path, with two underscores for a dot.
        """
        from prokd.methods import build_config

        most = self.amounts.sentences
        values: dict[str, Any] = {
            "target": self.target,
            "data.source_train_limit": most,
            "data.target_train_limit": most,
            "data.evaluation_limit": self.amounts.evaluated,
            "teacher.epochs": self.amounts.epochs,
            "student.epochs": self.amounts.epochs,
            "teacher.collapse_fall": 0.0,  # a short run, or random weights, shall not end early
            "student.collapse_agreement": 0.0,
        }
        if self.encoder != "mini":
            rate = {f"{stage}.learning_rate": 3e-4 for stage in ("teacher", "student")}
            values |= {"encoder.name": self.encoder, "encoder.frozen_layers": 2, **rate}
        if self.data:
            values["data.dataset"] = "wikiann"
        values |= {name.replace("__", "."): value for name, value in overrides.items()}
        return build_config("mini", "stable", values)

    def runtime(self, name: str, **changes: Any) -> RuntimeConfig:
        """Return where a part keeps its runs; what the frozen layers give is shared by all."""
        from prokd.config import RuntimeConfig

        values: dict[str, Any] = {
            "data_dirs": (self.data,) if self.data else (),
            "runs_dir": self.work / name,
            "cache_dir": self.work / "cache",
            "device": self.kind,
        }
        return RuntimeConfig(**values | changes)
