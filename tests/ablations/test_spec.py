import itertools

import pytest

from ablations.spec import SPECS_DIR, AblationSpec, load_spec, spec_path
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.methods.prokd.method import PROKD
from prokd.methods.prokd.readings import READINGS
from prokd.runs.identity import stage_signature

GOOD = """
name: mine
title: My table
claim: It helps.
variants:
  full: {}
  other: {without: [PK], set: {student.epochs: 2}}
"""


def _written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_table4_holds_the_papers_variants_and_figures():
    spec = load_spec("table4")
    assert list(spec.variants) == ["full", "w/o CA", "w/o ST", "w/o PK", "w/o CL", "TSL"]
    assert (spec.reference, spec.baseline) == ("full", "TSL")
    average = {
        dataset: {
            name: round(sum(figures[name] for figures in languages.values()) / 3, 2)
            for name in spec.variants
        }
        for dataset, languages in spec.paper.items()
    }
    assert average["conll"] == {
        "full": 80.35,
        "w/o CA": 78.39,  # printed as 78.25
        "w/o ST": 78.80,
        "w/o PK": 79.97,
        "w/o CL": 80.08,
        "TSL": 77.05,
    }
    assert average["wikiann"] == {
        "full": 57.81,
        "w/o CA": 55.82,
        "w/o ST": 56.43,
        "w/o PK": 57.40,
        "w/o CL": 57.65,
        "TSL": 53.59,
    }


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        ("full", {}),
        ("w/o CA", {"teacher.alignment.weight": 0.0}),
        ("w/o ST", {"student.schedule": "distillation"}),
        ("w/o PK", {"student.fusion_weight": 1.0}),
        ("w/o CL", {"student.schedule": "constant"}),
        ("TSL", {"teacher.alignment.weight": 0.0, "student.schedule": "distillation"}),
    ],
)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("preset", ["paper", "fast", "mini"])
def test_a_variant_is_the_base_plus_its_changes(variant, changes, preset, reading):
    base = build_config(preset, reading)
    expected = build_config(preset, reading, changes)
    assert load_spec("table4").config(base, variant) == expected


def test_components_are_all_subsets():
    spec = load_spec("components")
    subsets = {frozenset(variant.without) for variant in spec.variants.values()}
    expected = {
        frozenset(chosen)
        for size in range(5)
        for chosen in itertools.combinations(PROKD.components, size)
    }
    assert len(spec.variants) == 16
    assert subsets == expected
    data = {"source_train": "a", "source_dev": "b", "target_train": "c", "encoder": "d"}
    base = build_config(overrides={"encoder.precision": "fp32"})
    configs = [spec.config(base, name) for name in spec.variants]
    assert len({stage_signature(config, "student", data) for config in configs}) == 10
    assert len({stage_signature(config, "teacher", data) for config in configs}) == 2


@pytest.mark.parametrize("size", range(5))
def test_every_subset_can_be_written(tmp_path, size):
    for chosen in itertools.combinations(PROKD.components, size):
        text = GOOD.replace("[PK]", f"[{', '.join(chosen)}]")
        spec = load_spec(_written(tmp_path, text))
        assert spec.variants["other"].without == list(chosen)


def test_a_spec_of_ones_own(tmp_path):
    spec = load_spec(_written(tmp_path, GOOD + "base: {teacher.learning_rate: 1e-3}\n"))
    assert isinstance(spec, AblationSpec)
    assert spec.seeds == [0, 1, 2]
    assert spec.compared() == ["other"]
    assert spec.base == {"teacher.learning_rate": 1e-3}
    config = spec.config(build_config(), "other")
    assert (config.student.fusion_weight, config.student.epochs) == (1.0, 2)


def test_a_variant_without_anything_behind_its_name(tmp_path):
    spec = load_spec(_written(tmp_path, GOOD.replace("full: {}", "full:")))
    assert spec.variants["full"].overrides(spec.method) == {}


def test_names_and_paths():
    assert spec_path("table4") == SPECS_DIR / "table4.yaml"
    assert spec_path(str(SPECS_DIR / "table4.yaml")) == SPECS_DIR / "table4.yaml"
    with pytest.raises(
        UserError,
        match=r"one of advpicker, colada, .* unitrans or the path .* got 'tabel4'",
    ):
        spec_path("tabel4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title: My table", ""), r"title: field required"),
        (("[PK]", "[XY]"), r"variants\.other: a component must be one of CA, .* got 'XY'"),
        (
            ("student.epochs: 2", "student.epoch: 2"),
            r"variants\.other: the setting 'student\.epoch'",
        ),
        (("student.epochs: 2", "student.epochs: -2"), r"variants\.other: student\.epochs: .*-2"),
        (("student.epochs: 2", "seed: 2"), r"variants\.other\.set must leave seed and target"),
        (("  full: {}\n", ""), r"variants: .*at least 2"),
        (
            ("  full: {}", '  full: {}\n  "": {}'),
            "a variant must have a name of one line .* but got ''",
        ),
        (("[PK]", "PK"), r"variants\.other\.without: .*list, but got 'PK'"),
        (("claim:", "seeds: 3\nclaim:"), r"seeds: .*list, but got 3"),
        (("full: {}", "whole: {}"), r"reference must name one of the variants .* got 'full'"),
        (("claim:", "seeds: [1, 1]\nclaim:"), r"seeds must differ .* got \[1, 1\]"),
        (("claim:", "seeds: []\nclaim:"), r"seeds: .*at least 1"),
        (("claim:", "seeds: [-1]\nclaim:"), r"seeds\.0: .*-1"),
        (("claim:", "baseline: TSL\nclaim:"), r"baseline must name one .* got 'TSL'"),
        (("claim:", "reading: best\nclaim:"), r"mine\.yaml: reading: .*'best'"),
        (("claim:", "method: best\nclaim:"), r"mine\.yaml: method: .*'best'"),
        (("claim:", "colour: red\nclaim:"), r"colour: extra inputs .*'red'"),
        (
            ("claim:", "paper: {conll: {es: {mine: 3}}}\nclaim:"),
            r"paper\.conll\.es\.mine must name",
        ),
        (
            ("claim:", "paper: {conll: {es: {full: 130}}}\nclaim:"),
            r"paper\.conll\.es\.full: .*130",
        ),
        (("claim:", "base: {student.epoch: 3}\nclaim:"), r"base: the setting 'student\.epoch'"),
        (("name: mine", "name: a/b"), r"name: .*'a/b'"),
        (("other:", "full:"), r"mine\.yaml:7 must be YAML, but the key 'full' stands twice"),
        (("{without:", "{without"), r"mine\.yaml:7 must be YAML"),
    ],
)
def test_mistakes_are_one_sentence_with_file_rule_and_value(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as caught:
        load_spec(_written(tmp_path, GOOD.replace(*change)))
    assert str(tmp_path / "mine.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\n"])
def test_a_file_that_is_no_mapping(tmp_path, text):
    with pytest.raises(UserError, match="must hold a mapping"):
        load_spec(_written(tmp_path, text))


def test_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(GOOD.replace("helps", "hélps").encode("latin-1"))
    with pytest.raises(UserError, match="must be UTF-8, but byte"):
        load_spec(str(path))
