"""The search and the ablations know no method: not one line names a stage or a setting of one."""

import re
from pathlib import Path

import pytest

from prokd.common.names import flatten
from prokd.config import EncoderConfig, ExperimentConfig, OptimizationConfig
from prokd.methods import build_config, graph_of, methods

ROOT = Path(__file__).resolve().parents[2]
COMMON = {
    *ExperimentConfig.model_fields,
    *EncoderConfig.model_fields,
    *OptimizationConfig.model_fields,
}


def own_words():
    """Return the names of stages, sections and settings that are a method's alone."""
    words = set()
    for name in methods():
        config = build_config("mini", method=name)
        words |= {spec.name for spec in graph_of(config).stages}
        parts = {part for path in flatten(config.model_dump()) for part in path.split(".")}
        words |= {part for part in parts - COMMON if "_" in part}
        words |= set(type(config).model_fields) - COMMON
    return words - set(flatten(build_config("mini").data.model_dump()))


def test_there_is_something_to_look_for():
    assert {
        "teacher",
        "student",
        "prototypes",
        "fusion_weight",
        "least_entity_share",
    } <= own_words()


@pytest.mark.parametrize("package", ["search", "ablations"])
def test_no_line_names_a_stage_or_a_setting_of_a_method(package):
    pattern = re.compile(rf"\b({'|'.join(sorted(own_words()))})s?\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_file_is_long():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in ("prokd", "search", "ablations")
        for path in (ROOT / package).rglob("*.py")
    }
    assert not {name: lines for name, lines in lengths.items() if lines > 250}
    assert len([p for p in (ROOT / "prokd").iterdir() if p.name != "__pycache__"]) <= 16
