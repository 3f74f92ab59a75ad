"""Whole methods beside each other, from the reports and run folders that the code writes."""

import csv
import shutil

import pytest
from typer.testing import CliRunner

from ablations.compare import _notes, write_comparison
from ablations.comparison import AVERAGE, ENTITY, TOKEN, Scores
from ablations.gathered import Gathered
from ablations.published import published_results
from ablations.report import write_reports
from ablations.spec import load_spec
from prokd.cli.app import app
from prokd.errors import UserError
from search.execution import Outcome

SPEC = """
name: few
title: A few methods
claim: They differ.
reference: tsl
variants: {msd: {method: msd}, tsl: {method: tsl}, prokd: {}}
"""
SKILL = {"msd": 0.3, "tsl": 0.5, "prokd": 0.8}
LANGUAGES = ("ar", "hi", "zh")


def test_rows_of_other_settings_are_told(make_plan, reported):
    configs = [
        make_plan("table4", ("ar",), **changes).bases[0]
        for changes in ({}, {"data.source_train_limit": 40, "student.epochs": 3}, {"seed": 2})
    ]
    names = ("tsl", "prokd", "again")
    rows = {n: [Gathered(n, "x", c, None)] for n, c in zip(names, configs, strict=True)}
    told = _notes(reported[1], rows)
    assert [line for line in told if line.startswith("not the same")] == [
        "not the same for all methods: data.source_train_limit: tsl None, prokd 40, again None",
        "not the same for all methods: student.epochs: tsl 10, prokd 3, again 10",
    ]


@pytest.fixture(scope="module")
def reported(finished_in, make_plan, tmp_path_factory):
    """An output folder with a report of three methods on three languages, and its scores."""
    output = tmp_path_factory.mktemp("reported")
    path = output / "few.yaml"
    path.write_text(SPEC, encoding="utf-8")
    plan = make_plan(str(path), LANGUAGES, (0, 1))
    gone = {("msd", "hi", 1): Outcome("collapsed", "finds nothing")}
    rows = finished_in(output / "runs").rows(plan, SKILL, gone)
    scores = Scores(plan.spec, rows, number=50)
    write_reports(output / "reports", plan.stem, scores, plan.bases[0])
    return output, scores


@pytest.fixture
def few(reported, tmp_path):
    """The same in a folder of the test's own; returns the scores."""
    output, scores = reported
    shutil.copytree(output, tmp_path, dirs_exist_ok=True)
    return scores


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {(r["measure"], r["variant"], r["column"]): r for r in csv.DictReader(file)}


def test_methods_stand_beside_each_other_and_beside_published_figures(few, tmp_path):
    lines, (text, table, latex) = write_comparison(tmp_path, tmp_path / "tables")
    known = table_of(table)
    for name in SKILL:
        for column in (*LANGUAGES, AVERAGE):
            row, result = known[ENTITY, name, column], few.spread(name, column, ENTITY)
            assert float(row["mean"]) == pytest.approx(result.mean)
            assert int(row["seeds"]) == result.num
    change = float(known[ENTITY, "prokd", "ar"]["difference"])
    assert change == pytest.approx(few.difference("prokd", "ar", ENTITY))
    assert known[ENTITY, "prokd", "ar"]["is_best"] == "true"
    ours = known[TOKEN, "ProKD (Ge et al. 2023)", "ar"]
    assert (float(ours["mean"]), ours["origin"]) == (0.5091, "published")
    assert (ENTITY, "ProKD (Ge et al. 2023)", "ar") not in known  # it is another measure
    markdown = text.read_text("utf-8")
    entity, _, token = markdown.split("\n## ")[1:]
    assert "| msd | " in entity
    assert ", 1 of 2 without a result |" in entity
    assert "| prokd | **0." in entity
    assert "| RIKD (Liang et al. 2021), published | 0.4596 | 0.7028 | 0.5040 | 0.5555 |" in token
    assert "RIKD" not in entity
    tex = latex.read_text("utf-8")
    assert tex.count("\\begin{table}") == 3
    assert "RIKD (Liang et al. 2021) & 45.96 & 70.28 & 50.40 & 55.55 \\\\" in tex
    assert "\\textbf{" in tex
    assert any("prokd: few-wikiann-en-ar-hi-zh" in line for line in lines)


def test_runs_of_other_settings_stand_in_rows_of_their_own(few, finished, make_plan, tmp_path):
    plan = make_plan("table4", ("ar",), (0,), **{"encoder.dropout": 0.3})
    rows = finished.rows(plan, dict.fromkeys(plan.spec.variants, 0.6))
    scores = Scores(plan.spec, rows, number=50)
    write_reports(tmp_path / "reports", plan.stem, scores, plan.bases[0])
    lines, (_, table, _) = write_comparison(tmp_path, tmp_path / "tables", reference="tsl")
    names = {variant for measure, variant, _ in table_of(table) if measure == ENTITY}
    published = set(published_results("wikiann", ENTITY, LANGUAGES))
    own = {f"prokd ({one})" for one in ("few-wikiann-en-ar-hi-zh", "table4-wikiann-en-ar")}
    assert names - published == {"msd", "tsl"} | own  # no variant that lacks a part
    assert any("1 of 2 without a result" in line for line in lines)


def test_the_same_run_in_two_reports_is_one(few, finished, make_plan, tmp_path):
    plan = make_plan("table4", ("ar",), (0,))
    scores = Scores(plan.spec, finished.rows(plan, dict.fromkeys(plan.spec.variants, 0.6)))
    write_reports(tmp_path / "reports", plan.stem, scores, plan.bases[0])
    lines, (_, table, _) = write_comparison(tmp_path, tmp_path / "tables")
    assert "prokd: few-wikiann-en-ar-hi-zh, table4-wikiann-en-ar" in lines
    row = table_of(table)[ENTITY, "prokd", "ar"]
    assert float(row["mean"]) == pytest.approx(few.spread("prokd", "ar", ENTITY).mean)


def test_published_figures_are_those_of_the_specs():
    token = published_results("wikiann", TOKEN, LANGUAGES)
    table4 = load_spec("table4").paper
    for dataset, languages in (("wikiann", LANGUAGES), ("conll", ("es", "nl", "de"))):
        rows = published_results(dataset, TOKEN, languages)
        for variant, name in (("full", "ProKD ("), ("TSL", "Wu et al. (2020a)")):
            (row,) = [row for label, row in rows.items() if label.startswith(name)]
            for language in languages:
                assert row[language] == table4[dataset][language][variant]
        for row in rows.values():
            if AVERAGE in row:
                mean = sum(row[language] for language in languages) / len(languages)
                assert row[AVERAGE] == pytest.approx(mean, abs=0.031)
    two = published_results("wikiann", TOKEN, ("ar", "hi"))
    assert AVERAGE not in two["RIKD (Liang et al. 2021)"]
    assert published_results("wikiann", TOKEN, ("nl",)) == {}
    entity = published_results("conll", ENTITY, ("es", "nl", "de"))
    assert {name.split()[0] for name in entity} == {"advpicker", "msd", "unitrans"}
    assert not set(entity) & set(token)


def test_mistakes_are_one_sentence(few, tmp_path):
    given = ["compare", "--output", str(tmp_path)]
    for more, sentence in [
        (["--dataset", "wikian"], "--dataset must be one of wikiann, but got 'wikian'; did you"),
        (
            ["--reference", "colada"],
            "--reference must be one of msd, prokd, tsl, but got",
        ),
        (["--output", str(tmp_path / "none")], "needs finished runs of whole methods"),
    ]:
        said = CliRunner().invoke(app, [*given, *more])
        assert isinstance(said.exception, UserError), said.output
        assert sentence in str(said.exception)
    assert not (tmp_path / "tables").exists()
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 0, said.output
    assert f"written: {tmp_path / 'tables' / 'comparison-wikiann.tex'}" in said.stdout
