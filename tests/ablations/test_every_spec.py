"""Every YAML that comes with the project is valid, and none is overlooked."""

from pathlib import Path

import pytest
import yaml

from ablations.spec import load_spec
from prokd.methods import build_config
from prokd.methods.prokd.config import ProKDConfig
from search.space_files import load_space
from search.spaces import choices

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "ablations" / "specs").rglob("*.yaml"))
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_how_many_there_are():
    assert [path.name for path in SPECS] == [
        "advpicker.yaml",
        "colada.yaml",
        "components.yaml",
        "concner.yaml",
        "methods.yaml",
        "msd.yaml",
        "table4.yaml",
        "unitrans.yaml",
    ]
    assert [path.name for path in CONFIGS] == ["paper.yaml"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_a_spec_is_valid_and_says_how_to_run_it(path):
    spec = load_spec(str(path))
    assert spec.name == path.stem
    assert f"python ablations/run.py --spec {spec.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_is_valid_and_changes_nothing_of_its_preset(path):
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(tree) == {"settings", "grid"}
    literal = build_config("paper", "literal")
    assert build_config("paper", "literal", tree["settings"]) == literal
    assert literal == ProKDConfig()
    assert tree["grid"] == choices(load_space("paper", literal))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_setting_stands_under_a_comment(path):
    covered = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            covered = False
        elif line.strip().startswith("#"):
            covered = True
        elif line.startswith("  ") and ":" in line and "[" not in line:
            assert covered, line
