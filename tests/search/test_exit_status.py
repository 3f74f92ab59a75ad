"""A search of which every trial failed ends with status 3 and the commonest reason."""

from pathlib import Path

import pytest

from prokd.errors import CollapsedRun
from search.launch import check_results, nothing_finished
from tests import preloaded

ROOT = Path(__file__).parents[2]


def test_the_commonest_reason_is_named_once():
    error = nothing_finished("trials", ["lost", "NaN", "NaN"], "mini-en-ar")
    assert str(error) == (
        "none of 3 trials of the study mini-en-ar has a result, the commonest reason (2 of 3): NaN"
    )
    assert str(nothing_finished("runs", ["lost"])) == (
        "the only one of the runs has no result: lost"
    )
    assert check_results([]) is None
    assert isinstance(error, CollapsedRun)


@pytest.mark.ray
def test_a_search_of_which_all_trials_collapse(corpus, tmp_path):
    options = [
        "--preset",
        "mini",
        "--data-dir",
        str(corpus),
        "--trials",
        "1",
        "--address",
        "local",
    ]
    for setting in ("teacher.epochs=2", "student.epochs=2", "student.collapse_agreement=1.0"):
        options += ["--set", setting]
    places = ["--output", str(tmp_path / "out"), "--cache-dir", str(tmp_path / "cache")]
    command = [str(ROOT / "search" / "run.py"), *options, *places]
    ended = preloaded.run(command, cwd=tmp_path)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert ended.stderr.count("failed: the only one of the trials of the study") == 1
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "cache").iterdir())
