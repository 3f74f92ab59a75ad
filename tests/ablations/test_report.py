import csv
import math
import re

import pytest

from ablations.comparison import Comparison, Scores
from ablations.latex import latex_table
from ablations.report import comparability, markdown, printed, report_stem, write_reports
from ablations.spec import load_spec
from ablations.tables import cell, cost_table, mark, score_table
from prokd.methods import build_config
from search.execution import Outcome
from search.results import row as row_of

SKILL = {"full": 0.5, "w/o CA": 0.3, "w/o ST": 0.4, "w/o PK": 0.49, "w/o CL": 0.5, "TSL": 0.2}
COLLAPSED = Outcome("collapsed", "all tokens are O")


def test_the_table_has_the_papers_form_and_its_figures(finished, make_plan):
    plan = make_plan(languages=("ar", "hi", "zh"))
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=50)
    table = score_table(scores, "token_f1")
    assert table[0] == [
        "variant",
        *("ar", "ar, paper", "hi", "hi, paper", "zh", "zh, paper"),
        *("average", "average, paper"),
    ]
    assert [line[0] for line in table[1:]] == list(plan.spec.variants)
    assert table[1][2::2] == ["0.5091", "0.7072", "0.5180", "0.5781"]  # printed in percent
    assert table[2][2::2] == ["0.4888", "0.6902", "0.4957", "0.5582"]
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", table[1][1])
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4} \(-0\.\d{4}\)", table[2][1])


def test_the_papers_figures_never_stand_beside_entity_level_f1(finished, make_plan):
    plan = make_plan()
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=50)
    table = score_table(scores, "entity_f1")
    assert table[0] == ["variant", "ar", "hi", "average"]
    text = markdown(scores, plan.bases[0])
    before, after = text.split("## Target test, token-level F1")
    assert "## Target test, entity-level F1" in before
    assert "paper" not in before.split("## Target test")[1]
    assert "ar, paper" in after


def test_printed_averages_and_entity_level_figures(finished, make_plan):
    plan = make_plan("msd", languages=("ar", "hi", "zh"))
    skill = dict.fromkeys(plan.spec.variants, 0.8)
    rows = finished.rows(plan, skill)
    scores = Scores(plan.spec, rows, number=50)
    table = score_table(scores, "entity_f1")
    of = {line[0]: dict(zip(table[0], line, strict=True)) for line in table[1:]}
    assert [of["full"][f"{name}, paper"] for name in ("ar", "hi", "zh", "average")] == [
        *("0.6288", "0.7343", "0.5706"),
        "0.6446",
    ]
    assert of["w/o DI"]["ar, paper"] == "–"
    assert of["w/o DI"]["average, paper"] == "0.5906"  # of the paper's own three languages
    assert "paper" not in " ".join(score_table(scores, "token_f1")[0])
    text = markdown(scores, plan.bases[0])
    assert "The paper's figures are entity-level F1, means over runs" in text.split("(Viterbi)")[0]
    two = [row for row in rows if row.experiment.config.target != "zh"]
    header, *lines = score_table(Scores(plan.spec, two, number=50), "entity_f1")
    found = {line[0]: line[header.index("average, paper")] for line in lines}
    assert found["w/o DI"] == "–"
    assert found["full"] == "0.6815"


def test_a_cell_by_hand(finished, make_plan):
    plan = make_plan(languages=("ar",), seeds=(0,))
    rows = finished.rows(plan, SKILL)
    scores = Scores(plan.spec, rows, number=200)
    full, without = (
        next(row.target_f1 for row in rows if row.experiment.variant == name)
        for name in ("full", "w/o CA")
    )
    assert cell(scores, "full", "ar", "entity_f1") == f"{full:.4f}"
    expected = f"{without:.4f} ({without - full:+.4f}*)"  # one seed tells nothing of others
    assert cell(scores, "w/o CA", "ar", "entity_f1") == expected
    assert cell(scores, "w/o CA", "ar", "token_f1") == (
        f"{without / 2:.4f} ({(without - full) / 2:+.4f})"
    )


def test_collapsed_and_unfinished_runs_are_named_with_their_reason(finished, make_plan):
    plan = make_plan()
    unfinished = {("TSL", "ar", seed): COLLAPSED for seed in range(3)}
    unfinished[("w/o CA", "ar", 1)] = COLLAPSED
    unfinished[("w/o PK", "hi", 0)] = Outcome("paused", "the time budget is spent")
    scores = Scores(plan.spec, finished.rows(plan, SKILL, unfinished), number=50)
    assert cell(scores, "TSL", "ar", "entity_f1") == "collapsed"
    assert cell(scores, "TSL", "average", "entity_f1") == "collapsed"
    assert cell(scores, "w/o CA", "ar", "entity_f1").endswith(", 1 of 3 collapsed")
    assert cell(scores, "w/o PK", "hi", "token_f1").endswith(", 1 of 3 paused")
    for text in (markdown(scores, plan.bases[0]), printed(scores, plan.bases[0])):
        assert "w/o CA, ar, seed 1: collapsed (all tokens are O)" in text
        assert "w/o PK, hi, seed 0: paused (the time budget is spent)" in text
        assert text.count("TSL, ar, seed") == 3


def test_a_collapsed_reference_leaves_scores_without_differences(finished, make_plan):
    plan = make_plan(languages=("ar",))
    unfinished = {("full", "ar", seed): COLLAPSED for seed in range(3)}
    scores = Scores(plan.spec, finished.rows(plan, SKILL, unfinished), number=50)
    assert cell(scores, "full", "ar", "entity_f1") == "collapsed"
    assert "(" not in cell(scores, "w/o CA", "ar", "entity_f1")
    assert "| w/o CA | ar | 0 | – |" in markdown(scores, plan.bases[0])


def test_the_report_says_what_it_rests_on(finished, make_plan):
    plan = make_plan()
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=50)
    text = markdown(scores, plan.bases[0], ["reading stable"])
    assert "seeds: 3 (0, 1, 2)" in text
    assert "encoder: bert-base-multilingual-cased" in text
    assert "- reading stable\n" in text
    assert "- F1 is in [0, 1], the paper's figures too" in text
    for one in (text, printed(scores, plan.bases[0])):  # no score in percent beside the others
        assert not re.search(r"\d\d\.\d\d", one)
    assert "None." in text.split("## Runs without a result")[1]
    assert "`teacher.alignment.weight=0.0`" in text
    assert "| w/o CA | ar | 3 | -" in text


TWO = """
name: two
title: Two methods
claim: They differ.
method: tsl
reference: tsl
variants: {tsl: {}, baseline: {method: baseline}}
"""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder.name": "/models/mini5-fp16"}, "the encoder is mini5-fp16"),
        ({"data.dataset": "phrasebook"}, "no figures for the data set phrasebook"),
        ({"source": "de"}, "the source language is de"),
        ({"data.evaluation_limit": 100}, r"data\.evaluation_limit cuts the data to 100"),
        ({"data.max_length": 64}, "at most 64 subwords"),
    ],
)
def test_when_numbers_cannot_be_compared_with_the_papers(settings, message):
    spec = load_spec("table4")
    (reason,) = comparability(spec, build_config("paper", "stable", settings))
    assert re.search(message, reason)


def test_when_they_can():
    spec = load_spec("table4")
    base = build_config(
        "paper", "stable", {"encoder.name": "/models/bert-base-multilingual-cased"}
    )
    assert comparability(spec, base) == []
    assert comparability(load_spec("components"), build_config("mini")) == []


def test_files(finished, make_plan, tmp_path):
    plan = make_plan()
    unfinished = {("TSL", "hi", 2): COLLAPSED}
    scores = Scores(plan.spec, finished.rows(plan, SKILL, unfinished), number=50)
    paths = write_reports(tmp_path / "reports", plan.stem, scores, plan.bases[0])
    text, table, means, latex = paths
    assert text.name == "table4-wikiann-en-ar-hi.md"
    assert table.name == "table4-wikiann-en-ar-hi.csv"
    assert means.name == "table4-wikiann-en-ar-hi-means.csv"
    assert latex.name == "table4-wikiann-en-ar-hi.tex"
    with table.open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert len(records) == 6 * 2 * 3
    first, last = records[0], records[-1]
    assert (first["variant"], first["target"], first["seed"]) == ("full", "ar", "0")
    assert float(first["target_test/token_f1"]) == float(first["target_test/entity_f1"]) / 2
    assert float(first["source_test/entity_f1"]) == 0.9
    assert (last["state"], last["reason"]) == ("collapsed", "all tokens are O")
    assert last["target_test/entity_f1"] == ""
    assert not any("/ar/" in name or "/hi/" in name for name in first)


def test_two_stars_are_for_what_seeds_show_too():
    known = {
        "variant": "x",
        "column": "ar",
        "seeds": (0, 1, 2),
        "difference": -0.1,
        "sentences": None,
    }
    found = [
        mark(Comparison(**known, t=t, wilcoxon=math.nan, p_holm=p))
        for p, t in (
            (0.01, 0.3),
            (0.01, 0.04),
            (0.2, 0.01),
            (math.nan, math.nan),
            (0.01, math.nan),
        )
    ]
    assert found == ["*", "**", "", "", "*"]


def test_a_latex_cell_says_which_seeds_it_lacks(finished, make_plan):
    plan = make_plan(languages=("ar",))
    unfinished = {("TSL", "ar", 2): COLLAPSED}
    scores = Scores(plan.spec, finished.rows(plan, SKILL, unfinished), number=50)
    lines = latex_table(scores, "entity_f1", "F1").split("\n")
    (cell,) = [line for line in lines if line.strip().startswith("TSL ")]
    assert "{\\scriptsize (1 of 3 collapsed)}" in cell
    assert sum("(1 of 3 " in line for line in lines) == 1
    assert "over 3 seed(s), less those that a cell names." in "\n".join(lines)


def test_a_run_that_languages_share_counts_once(finished, make_plan, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(TWO, encoding="utf-8")
    plan = make_plan(str(path), ("ar", "hi"), (0,))
    scores = Scores(plan.spec, finished.rows(plan, {"tsl": 0.5, "baseline": 0.4}), number=50)
    assert [scores.source_dev(name).num for name in ("tsl", "baseline")] == [2, 1]
    costs = {row[0]: row[2] for row in cost_table(scores)[1:]}
    assert "±" in costs["tsl"]
    assert "±" not in costs["baseline"]


def test_all_sources_are_named(finished, make_plan, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(TWO, encoding="utf-8")
    plan = make_plan(str(path), ("ar",), (0,), more_sources=("de",))
    assert "the source language is en, de, the paper's is en" in comparability(
        load_spec("table4"), plan.bases[0]
    )


def test_latex_is_bold_where_it_is_best_and_starred_where_it_differs(finished, make_plan):
    plan = make_plan(languages=("ar",))
    unfinished = {("TSL", "ar", seed): COLLAPSED for seed in plan.seeds}
    skill = SKILL | {"full": 0.9}
    scores = Scores(plan.spec, finished.rows(plan, skill, unfinished), number=200)
    table = latex_table(scores, "entity_f1", "entity-level F1 (100 %)")
    rows = [line.split(" & ", 1) for line in table.split("\n") if " & " in line]
    lines = {name.strip(): cells for name, cells in rows}
    mean = 100 * scores.spread("full", "ar", "entity_f1").mean
    assert lines["full"].startswith(f"\\textbf{{{mean:.1f}}}")
    assert "textbf" not in lines["w/o CA"]
    stars = mark(scores.comparisons["w/o CA", "ar"])
    assert stars
    assert lines["w/o CA"].endswith(f"$^{{{stars}}}$ \\\\")
    assert lines["TSL"] == "collapsed \\\\"
    assert "F1 (100 \\%)" in table
    assert "^{*" not in latex_table(scores, "token_f1", "token-level F1")
    assert table.count("{") == table.count("}")


def test_a_report_of_other_settings_is_not_overwritten(finished, make_plan, tmp_path):
    assert report_stem(tmp_path, "t", "aaaa") == "t"
    plan = make_plan(languages=("ar",), seeds=(0,))
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=50)
    write_reports(tmp_path, "t", scores, plan.bases[0], ["settings: aaaa"])
    assert report_stem(tmp_path, "t", "aaaa") == "t"
    assert report_stem(tmp_path, "t", "bbbb") == "t-bbbb"


def test_one_seed_has_no_spread(finished, make_plan):
    plan = make_plan(seeds=(4,))
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=50)
    text = markdown(scores, plan.bases[0])
    assert "seeds: 1 (4)" in text
    assert "one seed has no spread" in text
    assert "nan" not in text
    assert "±" not in text.split("## Target test")[1]


def test_targets_without_labels_are_named_and_source_dev_stands_in(finished, make_plan):
    plan = make_plan(languages=("ar",), seeds=(0,))
    rows = finished.rows(plan, SKILL)
    for row in rows:  # as where the target has no labelled test split
        metrics = {k: v for k, v in row.scores.items() if k.startswith("test/en/")}
        row.experiment.result.write_report("y", metrics, {"ar": "there is no file"}, target="ar")
    rows = [row_of(row.experiment, row.outcome) for row in rows]
    scores = Scores(plan.spec, rows, number=20)
    assert not scores.unfinished()
    assert cell(scores, "full", "ar", "entity_f1") == "not scored"
    text = printed(scores, plan.bases[0])
    assert text.startswith("source dev, entity-level F1:")
    assert "0.8000" in text
    assert "target test" not in text
    assert "| full | not scored |" in markdown(scores, plan.bases[0])
