"""A search of which every trial failed ends with status 3 and the commonest reason."""

import sys

import pytest

from prokd.common.interruption import raise_on_signals
from prokd.errors import CollapsedRun
from search.launch import check_results, nothing_finished
from search.run import main


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
def test_a_search_of_which_all_trials_collapse(
    corpus, output, free_ray, tmp_path, monkeypatch, capfd
):
    options = ["--preset", "mini", "--data-dir", str(corpus), "--trials", "1"]
    for setting in ("teacher.epochs=2", "student.epochs=2", "student.collapse_agreement=1.0"):
        options += ["--set", setting]
    places = ["--output", str(output), "--cache-dir", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", ["search/run.py", *options, *places])
    with pytest.raises(SystemExit) as ended:
        main()
    raise_on_signals()
    out, err = capfd.readouterr()
    assert ended.value.code == 3, out + err
    assert err.count("failed: the only one of the trials of the study") == 1
    assert "Traceback" not in err
    assert list((tmp_path / "cache").iterdir())
