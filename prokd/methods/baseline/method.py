"""The source-trained tagger as it is, scored on the target: direct transfer."""

from __future__ import annotations

from prokd.config.presets import stage_presets
from prokd.method import Graph, Method, StageSpec
from prokd.methods.baseline.config import BaselineConfig
from prokd.stages.effective import effective_tagger

TEACHER = StageSpec(
    name="teacher", build="prokd.stages.tagger:build_tagger", effective=effective_tagger
)
"""Called as other methods call it, whose first stage it is: they share its runs."""
_GRAPH = Graph((TEACHER,))

BASELINE = Method(
    name="baseline",
    title="Baseline",
    citation="direct transfer of a fine-tuned encoder (Wu and Dredze, EMNLP 2019)",
    config=BaselineConfig,
    graph=lambda config: _GRAPH,
    spaces={
        "default": {
            "teacher.learning_rate": {"times": [0.25, 4], "log": True},
            "teacher.head_learning_rate_factor": {"low": 1, "high": 10, "log": True},
            "encoder.dropout": {"low": 0.0, "high": 0.5},
        }
    },
    presets=stage_presets("teacher"),
)
