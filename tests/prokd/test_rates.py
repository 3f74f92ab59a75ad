"""Learning rates of the presets, and those for an encoder of another width."""

import pytest

from prokd.methods import build_config
from prokd.methods.rates import suited_rate, with_suited_rates


@pytest.mark.parametrize(("width", "low", "high"), [(384, 2e-4, 5e-4), (768, 2e-5, 5e-5)])
def test_the_rate_of_the_embedded_encoder_leads_to_those_that_wider_ones_want(width, low, high):
    assert low <= suited_rate(1e-3, width, 192) <= high
    assert suited_rate(1e-3, 192, 192) == 1e-3


def test_what_nobody_chose_is_fitted(tiny_encoder):
    values = {"target": "xx", "encoder.name": str(tiny_encoder), "student.learning_rate": 2e-3}
    config = build_config("mini", overrides=values)
    said: list[str] = []
    fitted = with_suited_rates(config, "mini", values, said.append)
    assert fitted.teacher.learning_rate == suited_rate(1e-3, 32, 192)
    assert fitted.student.learning_rate == 2e-3
    assert said == [
        "the encoder is 32 wide, the preset mini is for 192: teacher.learning_rate="
        f"{fitted.teacher.learning_rate:g} (--set changes them)"
    ]


@pytest.mark.parametrize("preset", ["paper", "mini"])
def test_the_papers_rates_and_those_of_the_presets_own_encoder_stay(preset, tiny_encoder):
    values = {"target": "xx"}
    if preset == "paper":
        values["encoder.name"] = str(tiny_encoder)
    config = build_config(preset, overrides=values)
    said: list[str] = []
    assert with_suited_rates(config, preset, values, said.append) == config
    assert not said


def test_every_rate_may_be_chosen(tiny_encoder):
    rates = {"teacher.learning_rate": 1e-4, "student.learning_rate": 1e-4}
    values = {"target": "xx", "encoder.name": str(tiny_encoder), **rates}
    config = build_config("fast", overrides=values)
    said: list[str] = []
    assert with_suited_rates(config, "fast", values, said.append) == config
    assert not said
