"""An ablation without one result ends with status 3, after its report is written."""

import pytest

from ablations.execute import check_results
from ablations.run import _write
from prokd.errors import CollapsedRun
from search.execution import Outcome

COLLAPSED = Outcome("collapsed", "all tokens are O")


def _rows(finished, plan, *outcomes):
    places = [(e.variant, e.config.target, e.config.seed) for e in finished.experiments(plan)]
    ends = [outcomes[min(place, len(outcomes) - 1)] for place in range(len(places))]
    return finished.rows(plan, {}, dict(zip(places, ends, strict=True)))


def test_not_one_result(finished, make_plan, tmp_path):
    plan = make_plan()
    rows = _rows(finished, plan, Outcome("error", "the worker was lost"), COLLAPSED)
    sentence = rf"none of {len(rows)} runs has a result, .*{len(rows) - 1} of .*: all tokens are O"
    written = _write(plan, rows, tmp_path, [], page=True)
    ends = (".md", ".csv", "-means.csv", ".tex")  # no page of nothing
    assert written.keys() == {f"tables{end}" for end in ends}
    assert all(path.is_file() for path in written.values())
    with pytest.raises(CollapsedRun, match=sentence):
        check_results(rows)


def test_time_that_is_up_is_no_failure(finished, make_plan, tmp_path):
    plan = make_plan()
    rows = _rows(finished, plan, Outcome("paused", "time is up"))
    _write(plan, rows, tmp_path, [], page=False)
    check_results(rows)
