import math

import numpy as np
import pytest

from ablations.comparison import AVERAGE, ENTITY, TOKEN, Scores
from search.execution import Outcome

SKILL = {"full": 0.5, "w/o CA": 0.3, "w/o ST": 0.4, "w/o PK": 0.49, "w/o CL": 0.5, "TSL": 0.2}
COLLAPSED = Outcome("collapsed", "all tokens are O")


def test_values_spreads_and_differences(finished, make_plan):
    plan = make_plan()
    rows = finished.rows(plan, SKILL)
    scores = Scores(plan.spec, rows, number=100)
    assert scores.columns == ["ar", "hi", AVERAGE]
    by_hand = {
        (row.experiment.variant, row.experiment.config.target, row.experiment.config.seed): row
        for row in rows
    }
    own = [by_hand["w/o CA", "ar", seed].target_f1 for seed in range(3)]
    full = [by_hand["full", "ar", seed].target_f1 for seed in range(3)]
    assert list(scores.values("w/o CA", "ar", ENTITY).values()) == own
    result = scores.spread("w/o CA", "ar", ENTITY)
    assert result.mean == pytest.approx(np.mean(own))
    assert result.std == pytest.approx(np.std(own, ddof=1))
    difference = scores.difference("w/o CA", "ar", ENTITY)
    assert difference == pytest.approx(np.mean(own) - np.mean(full))
    assert scores.difference("w/o CA", "ar", TOKEN) == pytest.approx(difference / 2)
    other = scores.difference("w/o CA", "hi", ENTITY)
    average = scores.difference("w/o CA", AVERAGE, ENTITY)
    assert average == pytest.approx((difference + other) / 2)
    assert scores.source_dev("full").num == 6


def test_tests_agree_with_the_printed_difference(finished, make_plan):
    plan = make_plan(seeds=range(6))
    scores = Scores(plan.spec, finished.rows(plan, SKILL), number=200)
    for (variant, column), item in scores.comparisons.items():
        assert item.sentences.difference == pytest.approx(item.difference)
        assert item.sentences.low <= item.difference <= item.sentences.high
        assert item.difference == pytest.approx(scores.difference(variant, column, ENTITY))
    worst = scores.comparisons["TSL", AVERAGE]
    assert worst.seeds == (0, 1, 2, 3, 4, 5)
    assert worst.sentences.p < worst.p_holm < 0.05
    assert worst.t < 0.01
    assert worst.wilcoxon == pytest.approx(2 / 64)
    same = scores.comparisons["w/o CL", "ar"]
    assert (same.difference, same.sentences.p, same.t) == (0.0, 1.0, 1.0)


def test_collapsed_seeds_leave_pairs_and_averages(finished, make_plan):
    plan = make_plan()
    unfinished = {("w/o CA", "ar", 1): COLLAPSED, ("full", "ar", 2): COLLAPSED}
    unfinished |= {("TSL", "ar", seed): COLLAPSED for seed in range(3)}
    scores = Scores(plan.spec, finished.rows(plan, SKILL, unfinished), number=50)
    assert list(scores.values("w/o CA", "ar", ENTITY)) == [0, 2]
    assert list(scores.values("w/o CA", AVERAGE, ENTITY)) == [0, 2]
    assert scores.comparisons["w/o CA", "ar"].seeds == (0,)
    assert scores.comparisons["w/o CA", "hi"].seeds == (0, 1, 2)
    lost = scores.comparisons["TSL", AVERAGE]
    assert lost.seeds == ()
    assert math.isnan(lost.difference)
    assert lost.sentences is None
    assert scores.spread("TSL", "ar", ENTITY).num == 0
    assert len(scores.unfinished()) == 5


def test_variants_that_are_one_run_are_found(finished, make_plan):
    plan = make_plan("components", seeds=(0,))
    skill = dict.fromkeys(plan.spec.variants, 0.4)
    scores = Scores(plan.spec, finished.rows(plan, skill), number=20)
    assert [set(names) for names in scores.twins()] == [
        {"w/o ST", "w/o ST+PK", "w/o ST+CL", "w/o ST+PK+CL"},
        {"w/o CA+ST", "w/o CA+ST+PK", "w/o CA+ST+CL", "w/o CA+ST+PK+CL"},
    ]


def test_a_variant_that_is_the_reference_is_left_out_of_the_correction(
    finished, make_plan, tmp_path
):
    path = tmp_path / "own.yaml"
    path.write_text(
        "name: own\ntitle: t\nclaim: c\nvariants:\n  full: {without: [ST]}\n"
        "  again: {without: [ST, PK]}\n  less: {without: [CA, ST]}\n"
    )
    plan = make_plan(str(path))
    scores = Scores(
        plan.spec, finished.rows(plan, {"full": 0.5, "again": 0.5, "less": 0.2}), number=50
    )
    again, less = scores.comparisons["again", "ar"], scores.comparisons["less", "ar"]
    assert again.same_runs
    assert math.isnan(again.p_holm)
    assert less.p_holm == less.sentences.p


def test_missing_counts_leave_the_rest(finished, make_plan):
    plan = make_plan()
    rows = finished.rows(plan, SKILL)
    first = rows[0].experiment
    first.result.counts(first.config.target).unlink()
    scores = Scores(plan.spec, rows, number=20)
    assert scores.comparisons["TSL", "ar"].sentences is None
    assert scores.comparisons["TSL", "hi"].sentences is not None
    assert not math.isnan(scores.comparisons["TSL", "ar"].difference)
