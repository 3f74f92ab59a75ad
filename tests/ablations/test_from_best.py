"""An ablation that starts from what searches have found, read from the files that they wrote."""

import re

import pytest
from typer.testing import CliRunner

from ablations.plan import best_point
from ablations.run import app as ablate
from prokd.config import RuntimeConfig
from prokd.errors import UserError
from prokd.methods import build_config
from search.experiments import DataDescriptions
from search.leaderboard_file import LEADERBOARD, read_first
from search.run import app as search
from tests.search.conftest import TIMED_ELSEWHERE

pytestmark = pytest.mark.ray
QUICK = {
    "encoder.frozen_layers": 2,
    "data.source_train_limit": 64,
    "data.target_train_limit": 64,
    "data.evaluation_limit": 24,
    "teacher.epochs": 2,
    "student.epochs": 1,
    "student.collapse_agreement": 0,
    "teacher.collapse_fall": 0,
}
SPACE = """
student.fusion_weight: [0.7, 0.9]
student.learning_rate: {low: 1e-4, high: 1e-3, log: true}
student.class_prior: [true, false]
"""


def _invoke(app, *arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_best_point_of_searches_on_the_same_data(tmp_path, free_ray, new_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    output, space = tmp_path / "out", tmp_path / "space.yaml"
    space.write_text(SPACE)
    new_store(output)
    common = ["--preset", "mini", "--lang", "ar", "--output", output]
    flags = [f"--set={path}={value}" for path, value in QUICK.items()]
    other = [f"--set={p}={v}" for p, v in (QUICK | {"data.source_train_limit": 40}).items()]
    found = [*common, "--export-best", 0]
    _invoke(search, *found, "--space", space, "--trials", 2, *flags)
    _invoke(search, *found, "--space=paper", "--trials", 1, *flags)
    _invoke(search, *found, "--space", space, "--trials", 1, *other)  # on other data: never taken
    config = build_config("mini", overrides={"target": "ar", **QUICK})
    descriptions = DataDescriptions(RuntimeConfig(runs_dir=output / "runs"))
    boards = {path: read_first(path) for path in output.glob(f"exports/*/{LEADERBOARD}")}
    assert len(boards) == 3
    point, path = best_point(config, descriptions, output / "exports")
    data = descriptions.training(config)
    same = {
        board: first
        for board, first in boards.items()
        if (output / "runs" / f"student-{first.results[0]}").exists()
        and best_data(output, first) == data
    }
    assert len(same) == 2
    assert same[path].source_dev == max(first.source_dev for first in same.values())
    assert point == same[path].point
    words = ["--from-best", "--dry-run", "--spec", "table4", *common, *flags, *TIMED_ELSEWHERE]
    text = _invoke(ablate, *words)
    assert "table4-phrasebook-en-ar: 6 variants" in text
    counted = re.search(r"students: (\d+) \((\d+) done", text)
    assert counted is not None
    assert int(counted[2]) >= 1  # "full" is the student that the search has trained


def best_data(output, first):
    from prokd.runs.folder import RunFolder

    student = RunFolder(output / "runs", "student", first.results[0]).identity()
    (needed,) = student["needs"]
    teacher = RunFolder(output / "runs", "teacher", needed).identity()
    return teacher["fingerprints"] | student["fingerprints"]


def test_without_a_search_there_is_no_best_point(tmp_path):
    config = build_config("mini")
    descriptions = DataDescriptions(RuntimeConfig(runs_dir=tmp_path / "runs"))
    with pytest.raises(UserError, match=r"--from-best needs a leaderboard .* run search/run\.py"):
        best_point(config, descriptions, tmp_path / "exports")
