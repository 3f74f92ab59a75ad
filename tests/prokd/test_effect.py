"""Settings that do nothing together are told, and those that can be made to work do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from prokd.config import RuntimeConfig
from prokd.encoder.device import device_of
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.runs.effect import check_effect
from prokd.terms.sequences import Places, valid_tag_probabilities


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher.alignment.start_epoch": 0}, "least_entity_share must be 0"),
        ({"teacher.alignment.start_epoch": 10}, "must be below teacher.epochs, but got 10 of 10"),
        ({"teacher.epochs": 1}, "the alignment would never begin"),
    ],
)
def test_settings_that_take_the_effect_of_another_away(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build_config(reading="stable", overrides=settings)
    build_config(reading="stable", overrides={**settings, "teacher.alignment.weight": 0.0})


@pytest.mark.parametrize(
    ("reading", "settings"),
    [
        ("stable", {"student.schedule": "distillation", "student.fusion_weight": 0.7}),
        ("stable", {"student.first_epoch": 1, "student.schedule": "constant"}),
        ("stable", {"student.constant_distillation_weight": 0.3}),
        ("stable", {"teacher.alignment.weight": 0.0, "teacher.alignment.temperature": 0.6}),
        ("stable", {"teacher.alignment.positive_in_denominator": True}),
        ("stable", {"prototypes.weights": "hard", "prototypes.sharpness": 2.0}),
        ("stable", {"teacher.alignment.refresh": "epoch"}),
        ("literal", {"student.distance_scale": 3.0}),
        ("literal", {"teacher.alignment.class_weights": "share"}),
        ("literal", {"teacher.alignment.share_update_rate": 0.5}),
    ],
)
def test_a_setting_without_effect_is_told(reading: str, settings: dict[str, Any]) -> None:
    config = build_config(reading=reading, overrides=settings)
    with pytest.raises(UserError, match=r"x: the setting \S+ must have an effect"):
        check_effect(config, settings, "x: ")


def test_settings_with_effect_pass() -> None:
    settings = {"student.fusion_weight": 0.7, "encoder.name": "mini", "teacher.epochs": 3}
    check_effect(build_config(overrides=settings), settings)


def test_gradient_flows_through_probabilities_given_valid_tags() -> None:
    places = Places.of_lengths([3, 1, 4])
    torch.manual_seed(0)
    logits = torch.randn(8, 5, dtype=torch.float64, requires_grad=True)

    def weights(values: torch.Tensor) -> torch.Tensor:
        return valid_tag_probabilities(torch.softmax(values, dim=-1), places)

    assert torch.autograd.gradcheck(weights, (logits,))


@pytest.mark.parametrize("device", ["mps", "xpu", "meta", "cuda:x", "gpu", "CPU", ""])
def test_a_device_that_nothing_was_built_for_is_refused(device: str) -> None:
    with pytest.raises(UserError, match="the device must be auto, cpu, cuda or cuda:N"):
        device_of(RuntimeConfig(device=device))
