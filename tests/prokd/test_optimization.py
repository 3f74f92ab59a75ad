"""Whatever is not finite, in any step, ends the epoch as a collapse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.encoder.classifier import build_classifier
from prokd.errors import CollapsedRun
from prokd.stages.optimization import MOST_SKIPPED, Optimization
from prokd.training.run import StageRun


def _optimization(config: ExperimentConfig) -> Optimization:
    model = build_classifier(config.encoder, 7, max_length=32, seed=0)
    return Optimization(model, config.teacher, num_steps=3)


def _losses(optimization: Optimization) -> dict[str, torch.Tensor]:
    weight = optimization.parameters[-2]
    assert weight.ndim == 2  # the classifier's
    nothing = (weight * 0).sum()
    return {
        "good": (weight**2).sum(),
        "infinite loss": nothing + torch.inf,
        "no number": nothing * torch.nan,
        # finite, with a derivative that is not
        "infinite gradient": torch.sqrt((weight[0, 0] - weight[0, 0].detach()).abs()),
    }


@pytest.mark.parametrize("kind", ["infinite loss", "no number", "infinite gradient"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_step_that_goes_wrong_is_a_collapse(
    kind: str, at: int, tiny_config: ExperimentConfig
) -> None:
    optimization = _optimization(tiny_config)
    for step in range(3):
        optimization.step(_losses(optimization)[kind if step == at else "good"])
    with pytest.raises(CollapsedRun, match=r"the student diverged in epoch 4: the \w+ is not"):
        optimization.check("student", 4)


def test_finite_steps_pass(tiny_config: ExperimentConfig) -> None:
    optimization = _optimization(tiny_config)
    for _ in range(3):
        optimization.step(_losses(optimization)["good"])
    optimization.check("teacher", 1)


def test_steps_that_are_skipped_in_a_row_are_counted_on_when_a_run_goes_on(
    tiny_config: ExperimentConfig,
) -> None:
    state = None
    for _ in range(3):  # killed twice
        optimization = _optimization(tiny_config)
        optimization.scaler = torch.amp.GradScaler("cpu", enabled=True)  # fp16 is for GPUs alone
        if state is not None:
            optimization.load_state_dict(state)
        for _ in range(MOST_SKIPPED // 2):
            optimization.step(_losses(optimization)["infinite gradient"])
        optimization.check("student", 1)
        state = optimization.state_dict()
        if int(state["skipped"]) == MOST_SKIPPED:
            break
    optimization.step(_losses(optimization)["infinite gradient"])
    with pytest.raises(CollapsedRun, match="the gradient is not finite"):
        optimization.check("student", 2)


def test_weights_that_left_the_range_in_the_last_step_are_a_collapse(
    tiny_config: ExperimentConfig,
) -> None:
    optimization = _optimization(tiny_config)
    optimization.step(_losses(optimization)["good"])
    with torch.no_grad():
        optimization.parameters[0].view(-1)[0] = torch.inf
    with pytest.raises(CollapsedRun, match="a weight at its end is not finite"):
        optimization.check("teacher", 1)


@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_a_stage_whose_last_step_goes_wrong_has_no_result(
    kind: str, tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    # One step an epoch, one epoch: the only update throws the weights out of the range of numbers.
    once = {f"{kind}.batch_sentences": 96, f"{kind}.batch_pool": 1, f"{kind}.epochs": 1}
    broken = {f"{kind}.learning_rate": 1e38, f"{kind}.head_learning_rate_factor": 100.0}
    plain = {"teacher.alignment.weight": 0.0, "data.source_train_limit": 20}
    config = with_overrides(tiny_config, {**plain, **once, **broken})
    if kind == "student":
        with StageRun("teacher", config, tiny_runtime) as run:
            run.run()
    with StageRun(kind, config, tiny_runtime) as run:  # type: ignore[arg-type]
        with pytest.raises(CollapsedRun, match=f"the {kind} diverged in epoch 1"):
            run.run()
        assert not run.done
        assert "diverged" in str(run.folder.failure())


def test_the_reason_is_kept(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    config = with_overrides(tiny_config, {"teacher.learning_rate": 1e38})
    for _ in range(2):
        with (
            pytest.raises(CollapsedRun, match="diverged"),
            StageRun("teacher", config, tiny_runtime) as run,
        ):
            run.run()
