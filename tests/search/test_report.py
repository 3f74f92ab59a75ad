"""Reports of real journals and real run folders: what they say, and that they are one file."""

import io
import re
import warnings
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from rich.console import Console
from rich.table import Column, Table
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.errors import UserError
from prokd.methods import build_config
from search.choice import joined
from search.experiments import Experiment
from search.feed import places
from search.leaderboard import print_table
from search.report.effects import groups, heat_map
from search.report.origin import note_search
from search.report.study_data import StudyData
from search.report.study_tables import (
    choices_table,
    leaderboard_table,
    methods_table,
    without_value_table,
)
from search.report.write import ABLATION, STUDY, find, report_at_end, subjects, write_report
from search.spec import SearchSpec
from search.study import SearchStudy

LISTS = {
    "student.fusion_weight": CategoricalDistribution((0.5, 0.7, 0.9)),
    "encoder.dropout": CategoricalDistribution((0.1, 0.3)),
}
RANGES = {
    "student.fusion_weight": FloatDistribution(0.5, 1.0),
    "student.learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
}
SECTIONS = (
    "Summary",
    "Leaderboard",
    "Optimisation history",
    "Importance of each setting",
    "Effect of each setting",
    "Parallel coordinates",
    "Pairs of settings",
    "Training curves",
    "Cost against F1",
    "Which criterion chooses what",
    "Failed and pruned trials",
    "What was searched",
    "Settings that were fixed",
    "Data",
    "Versions",
    "Repeat it",
)


def study(output, space, number, name="phrasebook-en-ar-tpe-00000000"):
    """Write a real journal whose values are the fusion weights; the last trials have none."""
    path = output / "studies" / f"{name}.journal"
    with SearchStudy(path, name, space, grid=False, startup=3) as made:
        for _ in range(number):
            (trial,) = made.ask(1)
            value = next((v for k, v in trial.params.items() if k.endswith("fusion_weight")), 0.3)
            made.tell(trial.number, value)
    return name


def sections_of(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def check_one_file(path):
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert not re.search(r"url\((?!#)", page)
    assert "<script" not in page
    assert "<link" not in page
    assert "Not drawn" not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert all(name in ids for name in re.findall(r"url\(#([^)]+)\)", page))
    return page


@pytest.mark.parametrize("space", [LISTS, RANGES], ids=["lists", "ranges"])
def test_a_page_is_one_file_with_all_sections_and_its_figures_beside_it(space, tmp_path):
    name = study(tmp_path, space, 5)
    path = write_report(find(None, tmp_path))
    page = check_one_file(path)
    assert sections_of(page) == list(SECTIONS)
    folder = path.with_name(f"{name}-figures")
    drawn = {p.stem for p in folder.iterdir()}
    assert drawn == {"history", "importance", "parallel", "slice-1", "pair-1"}
    for stem in drawn:
        assert (folder / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / f"{stem}.svg").read_text(encoding="utf-8")
    assert page.count("<svg") == len(drawn)
    assert "currentColor" in page


def test_ranks_and_importances_follow_from_the_journal(tmp_path):
    data = StudyData(tmp_path, study(tmp_path, LISTS, 6))
    table = leaderboard_table(data)
    values = [float(row[1]) for row in table.rows]
    assert values == sorted(values, reverse=True) == [0.9, 0.9, 0.7, 0.7, 0.5, 0.5]
    assert [row[0] for row in table.rows] == list("123456")
    assert any("report only" in name for name in table.header)
    (group,) = data.groups
    assert sum(group.importances.values()) == pytest.approx(1.0)
    assert group.settings[0].endswith("(student.fusion_weight)")
    found = heat_map(group.trials, *group.pairs[0])
    assert found.rows == ("0.5", "0.7", "0.9")
    assert found.means == ((0.5, 0.5), (0.7, 0.7), (0.9, 0.9))
    assert found.counts == ((1, 1),) * 3


def test_several_methods_are_shown_method_by_method(tmp_path):
    spaces = {"prokd": LISTS, "tsl": {"encoder.dropout": CategoricalDistribution((0.1, 0.3))}}
    name = study(tmp_path, joined(spaces), 8)
    data = StudyData(tmp_path, name)
    assert [group.method for group in data.groups] == ["prokd", "tsl"]
    for group in data.groups:
        wanted = [len(s) for m, s in spaces.items() if m == group.method]
        assert {len(trial.params) for trial in group.trials} == set(wanted)
    assert {row[0] for row in methods_table(data).rows} == {"prokd", "tsl"}
    page = check_one_file(write_report(find(name, tmp_path)))
    assert "Best of each method" in sections_of(page)
    assert "prokd: " in page
    assert "tsl: " in page


def test_failed_pruned_and_unfinished_trials_are_listed_with_their_reasons(tmp_path):
    name = study(tmp_path, LISTS, 2)
    path = tmp_path / "studies" / f"{name}.journal"
    with SearchStudy(path, name, LISTS, grid=False) as made:
        failed, collapsed, pruned, running = (made.ask(1)[0].number for _ in range(4))
        made.fail(failed, "the worker <was> lost", retry=True)
        made.fail(collapsed, "finds nothing", retry=False)
        made.study._storage.set_trial_intermediate_value(made._id(pruned), 3, 0.1)
        made.prune(pruned, "fell behind")
    rows = {int(row[0]): row[1:3] for row in without_value_table(StudyData(tmp_path, name)).rows}
    assert rows == {
        failed: ("failed", "the worker <was> lost"),
        collapsed: ("collapsed", "finds nothing"),
        pruned: ("pruned after epoch 3", "fell behind"),
        running: ("not finished", "–"),
    }
    page = check_one_file(write_report(find(name, tmp_path)))
    assert "the worker &lt;was&gt; lost" in page
    assert "too few trials for importances" in page


def test_a_run_that_targets_share_is_scored_on_the_studys_own(tmp_path):
    configs = [
        build_config(
            "mini", overrides={"target": code, "encoder.precision": "fp32"}, method="baseline"
        )
        for code in ("nl", "ar")
    ]
    first, own = (SearchSpec(config, LISTS, (0,), False, 1) for config in configs)
    data = {"source_train": "a", "source_dev": "b", "encoder": "c"}
    shared = Experiment("x", own.base, data, tmp_path / "runs")
    folder = shared.result
    folder.write_identity({}, first.base.model_dump(mode="json"))  # who trained it had nl
    for target, f1 in (("nl", 0.7), ("ar", 0.2)):
        folder.write_report("x", {f"test/{target}/entity_f1": f1}, {}, target=target)
    name = "baseline-phrasebook-en-ar-tpe-00000000"
    with SearchStudy(tmp_path / "studies" / f"{name}.journal", name, LISTS, grid=False) as made:
        (trial,) = made.ask(1)
        made.annotate(trial.number, places([shared]))
        made.tell(trial.number, 0.5)
    note_search(tmp_path / "studies" / f"{name}.json", own, data)
    found = StudyData(tmp_path, name)
    assert found.target == "ar"
    (place,) = found.places
    assert [result.target_f1(found.target) for result in place.results] == [0.2]
    table = leaderboard_table(found)
    assert "0.2" in str(table.rows[0])
    assert any(heading.startswith("ar-test F1") for heading in table.header)


def test_what_is_no_report_lies_beside_reports(tmp_path):
    (tmp_path / "reports").mkdir()
    for name, text in (("notes.md", "mine"), ("notes.csv", "a,b\n1,2\n")):
        (tmp_path / "reports" / name).write_text(text)
    name = study(tmp_path, LISTS, 1)
    assert [item.name for item in subjects(tmp_path)] == [name]


def test_no_heading_of_a_table_is_cut_where_there_is_no_terminal():
    table = Table(*(Column(f"a heading of column {number}", no_wrap=True) for number in range(9)))
    text = io.StringIO()
    print_table(Console(file=text, width=80), table)
    assert "a heading of column 8" in text.getvalue().splitlines()[1]
    assert "…" not in text.getvalue()


def test_an_oracle_is_shouted(tmp_path):
    name = study(tmp_path, LISTS, 2, "oracle-phrasebook-en-ar-tpe-00000000")
    page = write_report(find(name, tmp_path)).read_text(encoding="utf-8")
    assert '<p class="loud" role="alert">ORACLE' in page
    assert "ORACLE target-dev F1" in page


def test_a_study_without_complete_trials_has_a_page(tmp_path):
    name = study(tmp_path, LISTS, 0)
    page = check_one_file(write_report(find(name, tmp_path)))
    assert sections_of(page) == list(SECTIONS)
    assert choices_table(StudyData(tmp_path, name)).rows == ()
    assert groups([]) == []


def test_mistakes_are_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="has neither studies"):
        find(None, tmp_path)
    first = study(tmp_path, LISTS, 1)
    study(tmp_path, LISTS, 1, "phrasebook-en-de-tpe-00000000")
    with pytest.raises(UserError, match=f"no such study or ablation: 'x' in .*{first}"):
        find("x", tmp_path)
    with pytest.raises(UserError, match="several studies begin so"):
        find("phrasebook", tmp_path)
    assert find("phrasebook-en-ar", tmp_path).name == first
    assert find(str(tmp_path / "studies" / f"{first}.journal"), Path()).name == first
    said = CliRunner().invoke(app, ["report", first, "--to", "x.pdf"])
    assert isinstance(said.exception, UserError)
    assert "must name a file that ends in .html" in str(said.exception)
    path = tmp_path / "studies" / f"{first}.journal"
    path.write_bytes(b"{}\n" + path.read_bytes()[:50])
    with pytest.raises(UserError, match="it cannot be read"):
        StudyData(tmp_path, first)


def test_the_command_takes_the_newest_and_a_place(tmp_path):
    study(tmp_path, LISTS, 1)
    to = tmp_path / "elsewhere" / "page.html"
    said = CliRunner().invoke(app, ["report", "--output", str(tmp_path), "--to", str(to)])
    assert said.exit_code == 0, said.output
    assert said.output == f"report: {to}\n"
    assert (tmp_path / "elsewhere" / "page-figures" / "history.png").exists()


def test_a_report_at_the_end_never_raises(tmp_path):
    said = []
    assert report_at_end(ABLATION, "nothing", tmp_path, said.append) is None
    (line,) = said
    assert line.startswith("warning: the report of nothing is not written: UserError: ")
    name = study(tmp_path, LISTS, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report_at_end(STUDY, name, tmp_path, said.append) is not None
    assert said[-1] == f"report: {tmp_path / 'reports' / name}.html"
