"""Measured in turns, told as ratios."""

import csv
import os
from pathlib import Path

import pytest

from benchmarks.sweep import points_of, space
from benchmarks.table import interleaved, mean_and_deviation, ratio_line, show, write
from tests import preloaded

ROOT = Path(__file__).parents[2]


def test_turns_alternate_and_a_cost_can_be_given():
    called = []
    ours, other = interleaved(lambda n: called.append(("A", n)), lambda n: called.append("B"), 2)
    assert called == [("A", 0), "B", ("A", 1), "B"]
    assert all(seconds >= 0 for seconds in ours + other)
    assert interleaved(lambda n: n + 1.0, lambda n: 5.0, 2) == ([1.0, 2.0], [5.0, 5.0])


def test_a_ratio_is_a_median_with_its_range(tmp_path, capsys):
    line = ratio_line("steps", "a step", [1.0, 2.0, 1.0], [5.0, 12.0, 9.0], target="≥ 5x")
    assert line.result == "6.00x (5.00-9.00)"
    assert (line.value, line.repeats, line.ours, line.other) == (6.0, 3, "1 s", "9 s")
    show([line], "title")
    assert "6.00x (5.00-9.00)" in capsys.readouterr().out
    write([line], tmp_path, "title")
    assert "| steps | a step | 1 s | 9 s | 6.00x (5.00-9.00) | ≥ 5x | 3 |" in (
        (tmp_path / "table.md").read_text(encoding="utf-8")
    )
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["value"] == "6.0"


def test_scores_are_told_between_0_and_1():
    assert mean_and_deviation([0.2, 0.4]) == "0.3000 ± 0.1414"
    assert mean_and_deviation([0.25]) == "0.2500 ± 0.0000"


@pytest.mark.parametrize("number", [4, 24])
def test_a_sweep_has_as_many_distinct_points(number):
    found = list(points_of(space(number)))
    assert len({tuple(point.items()) for point in found}) == len(found) == number


def test_the_command_runs_its_parts(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PROKD_DATA", None)

    def measured(*arguments):
        return preloaded.run(["-m", "benchmarks", *arguments], cwd=ROOT, env=environment)

    parts = ["steps", "quality", "gpu", "scaling", "predict"]
    done = measured(*parts, "--quick", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [part for part in parts if any(row["part"] == part for row in rows)] == parts
    assert "teacher step" in done.stdout
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
    wrong = measured("speed")
    assert wrong.returncode == 2
    assert "a part is one of steps, quality" in wrong.stderr
