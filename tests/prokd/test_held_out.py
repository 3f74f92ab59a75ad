"""A student of raw text is judged on sentences that were held out of what it learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.data.text.corpus import write_text_corpus
from prokd.data.text.rules import TextRules
from prokd.data.text.sources import Source
from prokd.encoder import artifact
from prokd.methods import build_config
from prokd.scoring.evaluation import probabilities
from prokd.stages.criteria import unlabelled_criteria
from prokd.training.held_out import on_held_out
from prokd.training.run import StageRun

LINES = [
    f"{who} woont in {where} met {number} {what}."
    for number, what in enumerate(["fietsen", "boten", "honden", "kaarten", "tuinen"], start=2)
    for who in ("anna", "omar", "lena karim")
    for where in ("paris", "cairo", "berlin")
]


@pytest.fixture
def with_text(tmp_path: Path, tiny_runtime: RuntimeConfig) -> RuntimeConfig:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(LINES), encoding="utf-8")
    write_text_corpus(tmp_path / "out", [Source("text", text)], "nl", TextRules(similarity=1))
    return tiny_runtime.model_copy(update={"texts": {"nl": tmp_path / "out"}})


def finished(config: ExperimentConfig, runtime: RuntimeConfig) -> tuple[StageRun, Path]:
    for stage in ("teacher", "student"):
        with StageRun(stage, config, runtime) as run:
            run.run()
    return run, run.needed["teacher"].path


@pytest.mark.parametrize("method", ["tsl", "prokd", "msd"])
def test_criteria_are_those_of_held_out_text(
    method: str, with_text: RuntimeConfig, tiny_encoder: Path
) -> None:
    few = {"data.source_train_limit": tiny.FEWER["data.source_train_limit"], **tiny.FAST}
    settings = tiny.settings(tiny_encoder) | few | {"target": "nl"}
    if method != "prokd":
        settings = {key: value for key, value in settings.items() if "collapse" not in key}
    config = build_config("paper", overrides=settings, method=method)
    run, teacher_folder = finished(config, with_text)
    held_out = on_held_out(run.corpora)
    assert held_out is not None
    assert len(held_out.target_text) == len(LINES) // 20
    encoded, pad = held_out.target_train, held_out.pad_token_id
    teacher = artifact.load(teacher_folder, config.encoder, with_text)
    student = artifact.load(run.folder.path, config.encoder, with_text)
    teacher_NC = probabilities(teacher, encoded, pad)
    result = run.folder.result()
    assert result is not None
    found = {name: value for name, value in result["criteria"].items() if name != "source_dev"}
    expected = unlabelled_criteria(student, encoded, pad, torch.as_tensor(teacher_NC))
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert np.isclose(found[name], value, atol=2e-3), name  # stored as float16


def test_a_target_with_splits_is_judged_on_its_training_text(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    with StageRun("teacher", tiny_config, tiny_runtime) as run:
        assert on_held_out(run.corpora) is None
