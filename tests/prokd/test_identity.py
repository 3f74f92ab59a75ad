import json
from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from prokd.config import (
    ExperimentConfig,
    automatic_precision,
    with_overrides,
    with_precision,
)
from prokd.methods import build_config, in_method, without_components
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.method import PROKD
from prokd.runs.identity import canonical_json, signature, stage_identity, stage_signature

DATA = {"source_train": "s1", "source_dev": "d1", "target_train": "t1", "encoder": "e1"}
SETTLED = {"encoder.precision": "fp32"}
BASE = build_config("mini", "stable", SETTLED)
LITERAL = build_config("mini", "literal", SETTLED)

# Settings that name a place: what lies there enters by fingerprint.
PLACES = {"encoder.name", "data.dataset"}
# What must hold for a setting to act at all.
AVERAGES = {"teacher.alignment.source": "corpus"}
NEEDS: dict[str, dict[str, Any]] = {
    "prototypes.update_rate": AVERAGES,
    "prototypes.update_rate_weighs": AVERAGES,
    "prototypes.update_rate_acts_on": AVERAGES,
    "teacher.alignment.start": AVERAGES,
    "teacher.alignment.refresh": AVERAGES,
    "teacher.alignment.positive_in_denominator": {"teacher.alignment.negatives": "across"},
    "teacher.alignment.share_update_rate": {"teacher.alignment.least_entity_share": 0.8},
    "student.constant_distillation_weight": {"student.schedule": "constant"},
    "student.first_epoch": {"student.schedule": "cumulative"},
    "student.distance_scale": {"student.distance": "unit"},
}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting: its dotted path and its type."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


LEAVES = dict(leaves(ProKDConfig))
assert "student.fusion_weight" in LEAVES  # all settings of the method, not the shared ones alone


def value_at(config: ExperimentConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def altered(path: str, value: Any) -> Any:
    """Another valid value."""
    kind = LEAVES[path]
    if get_origin(kind) is Literal:
        return next(choice for choice in get_args(kind) if choice not in (value, "auto"))
    if isinstance(value, bool):
        return not value
    if value is None:
        return 17
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.9 if value else 0.25
    return value + "x"


def signatures(config: ExperimentConfig, data: dict[str, str] | None = None) -> tuple[str, str]:
    data = DATA if data is None else data
    return stage_signature(config, "teacher", data), stage_signature(config, "student", data)


def changed(config: ExperimentConfig, overrides: dict[str, Any]) -> tuple[bool, bool]:
    """Whether overrides change the signature of the teacher, and that of the student."""
    before, after = signatures(config), signatures(with_overrides(config, overrides))
    return before[0] != after[0], before[1] != after[1]


@pytest.mark.parametrize("path", sorted(set(LEAVES) - PLACES - {"method"}))
def test_every_setting_that_acts_changes_a_signature(path: str) -> None:
    config = with_overrides(BASE, NEEDS.get(path, {}))
    teacher, student = changed(config, {path: altered(path, value_at(config, path))})
    assert student  # what changes the teacher changes its student
    assert teacher == (not path.startswith("student."))


def test_the_name_of_the_method_changes_nothing() -> None:
    config = with_overrides(BASE, without_components(["CA", "ST"]))
    for other in (in_method(config, "baseline"), in_method(config, "tsl")):
        assert other.method != config.method
        assert stage_signature(other, "teacher", DATA) == stage_signature(config, "teacher", DATA)


@pytest.mark.parametrize("path", sorted(PLACES))
def test_a_place_changes_nothing(path: str) -> None:
    assert changed(BASE, {path: altered(path, value_at(BASE, path))}) == (False, False)


@pytest.mark.parametrize("name", DATA)
def test_every_fingerprint_changes_both(name: str) -> None:
    before, after = signatures(BASE), signatures(BASE, DATA | {name: "other"})
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_stable_and_literal_differ() -> None:
    assert signatures(BASE) != signatures(LITERAL)


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_an_identity_never_holds_what_the_device_decides(stage: str) -> None:
    asked = build_config("mini", "stable")
    with pytest.raises(AssertionError, match="settled by the device"):
        stage_identity(asked, stage, DATA)
    names = set()
    for devices, expected in ((["cpu"], "fp32"), (["A100"], "bf16"), (["A100", "V100"], "fp32")):
        known = with_precision(asked, automatic_precision(devices))
        assert stage_identity(known, stage, DATA)["encoder"]["precision"] == expected
        names.add(signature(stage_identity(known, stage, DATA)))
    assert len(names) == 2
    fixed = with_overrides(asked, {"encoder.precision": "fp16"})
    assert with_precision(fixed, "bf16") == fixed


class TestSettingsThatCannotAct:
    @pytest.mark.parametrize(
        "overrides",
        [
            {"teacher.alignment.temperature": 0.9},
            {"teacher.alignment.gradient": "none"},
            {"teacher.collapse_fall": 0.0},
            {"prototypes.update_rate": 0.005},
            {"prototypes.sharpness": 2.0},
            {"data.target_train_limit": 5},
            {"target": "de"},
        ],
        ids=lambda overrides: next(iter(overrides)),
    )
    def test_teacher_without_alignment(self, overrides: dict[str, Any]) -> None:
        off = {"teacher.alignment.weight": 0.0}
        assert not changed(with_overrides(BASE, off), overrides)[0]

    @pytest.mark.parametrize(
        ("given", "path"),
        [
            ({"refresh": "epoch"}, "teacher.alignment.start"),
            ({"source": "batch", "gradient": "literal"}, "prototypes.update_rate_acts_on"),
        ],
    )
    def test_averages_that_nothing_is_compared_with(
        self, given: dict[str, Any], path: str
    ) -> None:
        config = with_overrides(
            LITERAL, {f"teacher.alignment.{name}": value for name, value in given.items()}
        )
        assert not changed(config, {path: altered(path, value_at(config, path))})[0]

    def test_a_constant_weight_of_one_is_distillation_alone(self) -> None:
        alone = with_overrides(BASE, PROKD.components["ST"])
        one = {"student.schedule": "constant", "student.constant_distillation_weight": 1.0}
        assert signatures(with_overrides(BASE, one)) == signatures(alone)

    def test_teacher_without_alignment_sees_no_target_text(self) -> None:
        config = with_overrides(BASE, PROKD.components["CA"])
        other = DATA | {"target_train": "other"}
        assert stage_signature(config, "teacher", DATA) == stage_signature(
            config, "teacher", other
        )
        assert stage_signature(config, "student", DATA) != stage_signature(
            config, "student", other
        )
        without = {name: value for name, value in DATA.items() if name != "target_train"}
        assert stage_signature(config, "teacher", without) == stage_signature(
            config, "teacher", DATA
        )

    @pytest.mark.parametrize("path", [path for path in LEAVES if path.startswith("student.")])
    def test_teacher_ignores_all_of_the_student(self, path: str) -> None:
        assert not changed(BASE, {path: altered(path, value_at(BASE, path))})[0]

    @pytest.mark.parametrize(
        "overrides",
        [
            {"student.prototype_temperature": 0.9},
            {"student.fusion_weight": 0.7},
            {"student.fusion_weight": 1.0},
            {"student.distance": "raw"},
            {"student.confidence": 0.5},
            {"student.first_epoch": 1},
            {"student.constant_distillation_weight": 0.3},
            {"student.collapse_agreement": 0.0},
        ],
        ids=lambda overrides: "-".join(f"{key}={value}" for key, value in overrides.items()),
    )
    def test_distillation_alone(self, overrides: dict[str, Any]) -> None:
        config = with_overrides(BASE, PROKD.components["ST"])
        assert changed(config, overrides) == (False, False)

    def test_lambda_reaches_distillation_through_the_teacher_alone(self) -> None:
        overrides = {"prototypes.update_rate": 0.005}
        config = with_overrides(LITERAL, PROKD.components["ST"])
        assert changed(config, overrides) == (True, True)
        config = with_overrides(LITERAL, without_components(["CA", "ST"]))
        assert changed(config, overrides) == (False, False)

    @pytest.mark.parametrize("schedule", ["cumulative", "constant"])
    def test_each_schedule_ignores_the_other_one(self, schedule: str) -> None:
        config = with_overrides(BASE, {"student.schedule": schedule})
        constant = {"student.constant_distillation_weight": 0.3}
        first = {"student.first_epoch": 1}
        assert changed(config, constant)[1] == (schedule == "constant")
        assert changed(config, first)[1] == (schedule == "cumulative")

    @pytest.mark.parametrize("distance", ["raw", "scaled"])
    def test_scale_of_unit_vectors(self, distance: str) -> None:
        config = with_overrides(BASE, {"student.distance": distance})
        assert changed(config, {"student.distance_scale": 7.0}) == (False, False)


GRID = [
    {
        "prototypes.update_rate": rate,
        "teacher.alignment.temperature": tau1,
        "student.prototype_temperature": tau2,
        "student.fusion_weight": beta,
    }
    for rate, tau1, tau2, beta in product(
        (0.001, 0.005, 0.0001, 0.0005),
        (0.5, 0.6, 0.7, 0.8, 0.9),
        (0.5, 0.6, 0.7, 0.8, 0.9),
        (0.7, 0.8, 0.9),
    )
]


class TestGridOfThePaper:
    def distinct(self, base: ExperimentConfig, removed: list[str]) -> tuple[int, int]:
        config = with_overrides(base, without_components(removed))
        pairs = []
        for point in GRID:
            acting = dict(point)
            if "PK" in removed:
                del acting["student.fusion_weight"]
            pairs.append(signatures(with_overrides(config, acting)))
        return len({pair[0] for pair in pairs}), len({pair[1] for pair in pairs})

    @pytest.mark.parametrize(
        ("removed", "expected"),
        [
            ([], (20, 300)),
            (["CA"], (1, 60)),  # lambda x tau2 x beta
            (["ST"], (20, 20)),
            (["PK"], (20, 100)),
            (["CL"], (20, 300)),
            (["CA", "ST"], (1, 1)),
        ],
        ids=["full", "CA", "ST", "PK", "CL", "CA-ST"],
    )
    def test_distinct_teachers_and_students(
        self, removed: list[str], expected: tuple[int, int]
    ) -> None:
        assert len(GRID) == 300
        assert self.distinct(LITERAL, removed) == expected

    def test_without_averages_lambda_acts_on_the_student_alone(self) -> None:
        assert self.distinct(BASE, []) == (5, 300)


class TestSignature:
    def test_settings_and_fingerprints_stand_side_by_side(self) -> None:
        # What the teacher has read enters the student's by the teacher's name.
        own = {name: value for name, value in DATA.items() if name != "source_train"}
        for stage, read in (
            ("teacher", DATA),
            ("student", own),
        ):
            identity = stage_identity(BASE, stage, DATA)
            assert identity["fingerprints"] == read
            assert identity["data"]["max_length"] == BASE.data.max_length

    def test_twelve_hex_digits(self) -> None:
        for name in signatures(BASE):
            assert len(name) == 12
            assert set(name) <= set("0123456789abcdef")

    def test_teacher_and_student_never_share_a_name(self) -> None:
        teacher, student = signatures(BASE)
        assert teacher != student
        assert stage_identity(BASE, "student", DATA)["needs"] == [teacher]

    def test_order_of_keys_plays_no_part(self) -> None:
        assert signatures(BASE, dict(reversed(DATA.items()))) == signatures(BASE)
        assert signature({"a": [1, 2], "b": None}) == signature({"b": None, "a": [1, 2]})
        assert signature({"a": [1, 2]}) != signature({"a": [2, 1]})

    def test_the_same_number_written_otherwise(self) -> None:
        whole = with_overrides(BASE, {"student.fusion_weight": 1})
        assert signatures(whole) == signatures(
            with_overrides(BASE, {"student.fusion_weight": 1.0})
        )

    def test_canonical_json(self) -> None:
        assert canonical_json({"b": [1.5, None], "a": "é"}) == '{"a":"é","b":[1.5,null]}'

    @pytest.mark.parametrize("stage", ["teacher", "student"])
    def test_survives_a_round_trip_through_json(self, stage: str) -> None:
        value = stage_identity(BASE, stage, DATA)
        assert signature(json.loads(json.dumps(value))) == signature(value)

    def test_a_configuration_read_back_keeps_its_name(self) -> None:
        again = ProKDConfig.model_validate_json(BASE.model_dump_json())
        assert signatures(again) == signatures(BASE)

    def test_identity_leaves_the_fingerprints_of_the_caller_alone(self) -> None:
        data = dict(DATA)
        signatures(with_overrides(BASE, PROKD.components["CA"]), data)
        assert data == DATA
