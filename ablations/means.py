"""What the score tables show, as rows for a program: one for each measure, variant and column."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ablations.comparison import ENTITY, Scores
from ablations.tables import best, is_best, mark
from prokd.common.tables import Table


def means_table(scores: Scores, measures: Iterable[str]) -> Table:
    """Return means, spreads, differences and marks, scores in [0, 1]; the header is the first.

    Args:
        scores: What came out.
        measures: Names of the measures.
    """
    header = ["measure", "variant", "column", "seeds", "mean", "std", "difference"]
    table = [[*header, "p_sentences_holm", "p_seeds_t", "mark", "is_best"]]
    for measure in measures:
        for variant in scores.spec.variants:
            for column in scores.columns:
                table.append([measure, variant, column, *_means(scores, variant, column, measure)])
    return table


def _means(scores: Scores, variant: str, column: str, measure: str) -> list[str]:
    result = scores.spread(variant, column, measure)
    change = scores.difference(variant, column, measure)
    values = [result.mean, result.std, change if variant != scores.spec.reference else math.nan]
    tested: list[str] = ["", "", ""]
    if measure == ENTITY and variant != scores.spec.reference:
        item = scores.comparisons[variant, column]
        tested = [_plain(item.p_holm), _plain(item.t), mark(item)]
    is_first = bool(result.num) and is_best(result.mean, best(scores, column, measure), digits=4)
    return [str(result.num), *map(_plain, values), *tested, str(is_first).lower()]


def _plain(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
