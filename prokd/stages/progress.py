"""How far a stage is, and how good: what every stage keeps and tells in the same way."""

from __future__ import annotations

from typing import Any, Protocol

from prokd.encoder.classifier import TokenClassifier
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.optimization import Optimization


class Trained(Protocol):
    """What a stage with one model and one optimiser has."""

    epoch: int
    model: TokenClassifier
    optimization: Optimization
    source_dev: LabelledSplit
    pad_token_id: int


def progress_of(stage: Trained) -> dict[str, Any]:
    """Return epoch, trained weights and optimiser, for a stage's ``state_dict``."""
    return {
        "epoch": stage.epoch,
        "weights": stage.model.trained_state(),
        "optimization": stage.optimization.state_dict(),
    }


def restore(stage: Trained, state: dict[str, Any]) -> None:
    """Continue from what `progress_of` returned."""
    stage.epoch = state["epoch"]
    stage.model.load_state_dict(state["weights"], strict=False)
    stage.optimization.load_state_dict(state["optimization"])


def named_scores(stage: Trained, source: str) -> dict[str, float]:
    """Return the quick scores on labelled source dev as ``dev/<source>/<measure>``."""
    scores = stage.source_dev.quick_scores(stage.model, stage.pad_token_id)
    return {f"dev/{source}/{name}": value for name, value in scores.items()}
