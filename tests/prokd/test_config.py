from itertools import chain, combinations
from typing import Any

import pytest
from pydantic import ValidationError

from prokd.config import (
    PRESETS,
    ExperimentConfig,
    RuntimeConfig,
    parse_override,
    with_overrides,
)
from prokd.errors import UserError
from prokd.methods import build_config, default_reading, without_components
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.method import PROKD
from prokd.methods.prokd.readings import READINGS

SUBSETS = list(chain.from_iterable(combinations(PROKD.components, size) for size in range(5)))


def value_at(config: ExperimentConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("reading", READINGS)
def test_every_preset_and_reading_is_valid_and_takes_effect(preset: str, reading: str) -> None:
    config = build_config(preset, reading)
    for path, value in (PRESETS[preset] | READINGS[reading]).items():
        assert value_at(config, path) == value


def test_the_literal_paper_is_the_defaults() -> None:
    config = build_config("paper", "literal")
    assert config == ProKDConfig()
    assert config.teacher.learning_rate == 5e-5
    assert config.student.learning_rate == 1e-5
    assert config.encoder.frozen_layers == 3
    assert config.encoder.dropout == 0.5
    assert config.teacher.batch_sentences == config.student.batch_sentences == 128
    assert config.data.max_length == 128
    alignment = config.teacher.alignment
    assert (alignment.summation, alignment.negatives) == ("inside_log", "within")
    assert not alignment.positive_in_denominator
    assert config.prototypes.update_rate_weighs == "new"


def test_overrides_win_over_preset_and_reading() -> None:
    config = build_config("mini", "stable", {"student.distance": "raw", "teacher.epochs": 7})
    assert config.student.distance == "raw"
    assert config.teacher.epochs == 7
    assert config.data.dataset == "phrasebook"


def test_with_overrides_leaves_the_original_alone() -> None:
    config = ProKDConfig()
    other = with_overrides(config, {"student.fusion_weight": 0.9, "seed": 4})
    assert (other.student.fusion_weight, other.seed) == (0.9, 4)
    assert config == ProKDConfig()
    assert with_overrides(config, {}) == config


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (None, "seed"),
        ("data", "max_length"),
        ("student", "fusion_weight"),
        ("prototypes", "update_rate"),
    ],
)
def test_frozen(group: str | None, name: str) -> None:
    config = ProKDConfig()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config if group is None else getattr(config, group), name, 1)
    with pytest.raises(ValidationError, match="frozen"):
        RuntimeConfig().device = "cpu"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "student.beta",
            r"the setting 'student.beta' does not exist: student has .*fusion_weight",
        ),
        (
            "beta",
            r"the setting 'beta' does not exist: an experiment has method, source, target, seed",
        ),
        ("teacher.alignment.tau", r"teacher.alignment has weight, temperature"),
        (
            "pupil.epochs",
            r"the setting 'pupil.epochs' does not exist: an experiment has method, source",
        ),
        ("student.epochs.last", r"'student.epochs.last' does not exist: student has epochs"),
        ("student", r"the setting 'student' does not exist"),
        ("", r"the setting '' does not exist: an experiment has"),
    ],
)
def test_unknown_path(path: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_config(overrides={path: 1})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", -1),
        ("seed", 1.5),
        ("target", "e"),
        ("data.dataset", "ontonotes"),
        ("data.max_length", 513),
        ("data.source_train_limit", 0),
        ("encoder.dropout", 1.0),
        ("prototypes.update_rate", 0.0),
        ("prototypes.update_rate", 1.01),
        ("prototypes.confidence", 1.0),
        ("teacher.alignment.temperature", 0.0),
        ("teacher.alignment.temperature", float("nan")),
        ("teacher.alignment.weight", -0.1),
        ("teacher.epochs", 0),
        ("teacher.learning_rate", "fast"),
        ("student.fusion_weight", 1.1),
        ("student.fusion_weight", None),
        ("student.first_epoch", 2),
        ("student.prototype_temperature", -0.5),
        ("student.schedule", "linear"),
    ],
)
def test_bad_value(path: str, value: Any) -> None:
    with pytest.raises(UserError) as caught:
        build_config(overrides={path: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert sentence.endswith(f"but got {value!r}.")
    assert "\n" not in sentence


def test_three_mistakes_in_one_sentence() -> None:
    with pytest.raises(UserError) as caught:
        build_config(
            overrides={
                "student.fusion_weight": 1.5,
                "prototypes.update_rate": 0,
                "teacher.alignment.summation": "outside",
            }
        )
    sentence = str(caught.value)
    parts = sentence.split("; ")
    assert len(parts) == 3
    assert sentence.count("but got") == 3
    for path, value in (
        ("student.fusion_weight", "1.5"),
        ("prototypes.update_rate", "0"),
        ("teacher.alignment.summation", "'outside'"),
    ):
        assert any(part.startswith(f"{path}: ") and f"got {value}" in part for part in parts)


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        ProKDConfig.model_validate({"student": {"beta": 0.8}})


@pytest.mark.parametrize(("kind", "name"), [("preset", "huge"), ("reading", "creative")])
def test_unknown_preset_or_reading(kind: str, name: str) -> None:
    with pytest.raises(UserError, match=f"the {kind} must be one of .*, but got '{name}'"):
        build_config(**{kind: name})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("student.fusion_weight=0.9", ("student.fusion_weight", 0.9)),
        ("seed=3", ("seed", 3)),
        ("teacher.learning_rate=1e-3", ("teacher.learning_rate", 1e-3)),
        ("teacher.alignment.outside_class=false", ("teacher.alignment.outside_class", False)),
        ("data.target_train_limit=null", ("data.target_train_limit", None)),
        ("target=es", ("target", "es")),
        ("encoder.name=folder/with=sign", ("encoder.name", "folder/with=sign")),
    ],
)
def test_parse_override(text: str, expected: tuple[str, Any]) -> None:
    assert parse_override(text) == expected
    path, value = parse_override(text)
    assert value_at(build_config(overrides={path: value}), path) == value


@pytest.mark.parametrize("text", ["student.fusion_weight", "=3", ""])
def test_an_override_has_a_path_and_a_value(text: str) -> None:
    with pytest.raises(UserError, match="a setting must have the form path=value, but got"):
        parse_override(text)


def test_an_override_is_yaml() -> None:
    with pytest.raises(UserError, match=r"the value of seed must be YAML, but got '\[1'"):
        parse_override("seed=[1")


class TestComponents:
    def test_the_four_of_table_4(self) -> None:
        assert set(PROKD.components) == {"CA", "ST", "PK", "CL"}
        assert build_config(overrides=PROKD.components["CA"]).teacher.alignment.weight == 0
        assert build_config(overrides=PROKD.components["ST"]).student.schedule == "distillation"
        assert build_config(overrides=PROKD.components["PK"]).student.fusion_weight == 1
        without_cl = build_config(overrides=PROKD.components["CL"]).student
        assert without_cl.schedule == "constant"
        assert without_cl.constant_distillation_weight == 0.5

    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize("removed", SUBSETS, ids=lambda names: "-".join(names) or "none")
    def test_every_subset_can_be_removed(self, removed: tuple[str, ...], reading: str) -> None:
        config = build_config("mini", reading, without_components(removed))
        assert (config.teacher.alignment.weight == 0) == ("CA" in removed)
        assert (config.student.fusion_weight == 1) == ("PK" in removed)
        schedule = (
            "distillation" if "ST" in removed else "constant" if "CL" in removed else "cumulative"
        )
        assert config.student.schedule == schedule

    def test_order_plays_no_part(self) -> None:
        assert without_components(["ST", "CL"]) == without_components(["CL", "ST"])

    def test_unknown_component(self) -> None:
        with pytest.raises(
            UserError, match="a component must be one of CA, ST, PK, CL, but got 'KD'"
        ):
            without_components(["KD"])


def test_the_prior_has_a_say_by_default_but_with_the_embedded_encoder() -> None:
    soft, stable = (build_config("mini", name) for name in ("soft", "stable"))
    assert build_config("mini") == stable != soft
    assert build_config() == build_config("paper", "soft")
    assert build_config("fast") == build_config("fast", "soft")
    given = {"encoder.name": "/models/other"}
    assert build_config("mini", overrides=given) == build_config("mini", "soft", given)
    assert default_reading("prokd", "mini", given) == "soft"
    assert build_config("mini", method="tsl") == build_config("mini", "stable", method="tsl")
