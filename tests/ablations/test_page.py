"""The page of an ablation, from the reports and the run folders that the code writes."""

import re

from ablations.comparison import Scores
from ablations.report import write_reports
from search.execution import Outcome
from search.report.ablation_data import TARGET_F1, AblationData
from search.report.write import find, write_report


def test_a_page_has_tables_charts_and_failures(finished, make_plan, tmp_path):
    plan = make_plan("table4")
    names = list(plan.spec.variants)
    gone = {(names[-1], "hi", 1): Outcome("collapsed", "finds nothing")}
    rows = finished.rows(plan, dict.fromkeys(names, 0.7), gone)
    scores = Scores(plan.spec, rows, number=100)
    write_reports(tmp_path / "reports", "table4-x", scores, plan.bases[0], ["a *note*"])
    data = AblationData(tmp_path, "table4-x")
    assert data.variants == names
    for row in rows:
        if row.target_f1 is not None:
            own = data.scores(TARGET_F1)[row.experiment.config.target][row.experiment.variant]
            assert row.target_f1 in own
    assert data.failures().rows == ((names[-1], "hi", "1", "collapsed", "finds nothing"),)
    path = write_report(find("table4-x", tmp_path))
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "Not drawn" not in page
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles[:2] == ["About", "Variants beside each other"]
    assert sum("report only" in title for title in titles) == 3
    for title in ("What the runs took", "Runs without a result", "Versions", "Repeat it"):
        assert title in titles
    assert (path.with_name("table4-x-figures") / "variants-target.png").exists()
    assert "finds nothing" in page
