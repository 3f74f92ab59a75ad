"""The numbers of a run are those of before, unless somebody meant to change them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipes.make_golden import FOLDER, STAGES, compute, differences, family, nearest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def test_losses_and_scores_are_the_stored_ones(folder: Path) -> None:
    stored, tolerance = nearest(family())
    computed = compute(folder)
    off = [place for most, place in differences(computed, stored["curves"]) if most > tolerance]
    assert not off, "changed on purpose? raise NUMERICS_VERSION and run `make golden`"
    # A processor of another family finds the nearest file, and is held to less.
    other, looser = nearest("x86_64-NEW")
    assert other["family"].startswith("x86_64-")
    assert looser > tolerance
    assert max(differences(computed, other["curves"]))[0] <= looser


@pytest.mark.parametrize(
    "change", [{"teacher.alignment.temperature": 0.505}, {"student.prototype_temperature": 0.909}]
)
def test_a_temperature_that_is_off_by_a_hundredth_is_found(
    change: dict[str, float], folder: Path
) -> None:
    stored, tolerance = nearest(family())
    (stage,) = {name.split(".")[0] for name in change}
    until_there = STAGES[: STAGES.index(stage) + 1]
    changed = compute(folder, change, ["soft"], until_there)  # in one reading is enough
    assert max(differences(changed, stored["curves"]))[0] > 10 * tolerance


def test_both_families_are_stored_and_agree() -> None:
    files = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    assert {"x86_64-AVX2", "x86_64-AVX512"} <= set(files)
    for stored in files.values():
        assert set(stored["curves"]) == {"soft", "stable", "literal"}
        most, place = max(differences(stored["curves"], files["x86_64-AVX2"]["curves"]))
        assert most <= stored["tolerance"], place
