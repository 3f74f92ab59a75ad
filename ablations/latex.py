"""The score tables in LaTeX, with booktabs, as a paper prints them."""

from __future__ import annotations

from collections.abc import Mapping

from ablations.comparison import ENTITY, Scores
from ablations.tables import PublishedRows, best, is_best, mark, missing
from prokd.common.latex import bold, booktabs, escaped

STARS = (
    " Bold: the best mean of a column. $^{*}$: $p < 0.05$ against %s over sentences (permutation "
    "test, Holm); $^{**}$: over seeds as well (paired t-test)."
)


def latex_table(
    scores: Scores, measure: str, title: str, published: PublishedRows | None = None
) -> str:
    """Return a table of a measure in percent: variants down, languages and their average across.

    The best mean of each column is bold; entity-level F1 has the marks of `tables.mark`. Published
    figures stand above ours, and nothing of them is bold.

    Args:
        scores: What came out.
        measure: `comparison.ENTITY`, `VALID` or `TOKEN`.
        title: What the measure is called.
        published: Figures in percent, by name of the row and column.
    """
    columns = scores.columns
    ours = [
        [escaped(variant), *(_cell(scores, variant, column, measure) for column in columns)]
        for variant in scores.spec.variants
    ]
    theirs = [_figures(name, row, columns) for name, row in (published or {}).items()]
    caption = (
        f"{escaped(scores.spec.title)}: {escaped(title)}, in percent, mean and standard "
        f"deviation over {len(scores.seeds)} seed(s), less those that a cell names."
    )
    if measure == ENTITY:
        caption += STARS % escaped(scores.spec.reference)
    return booktabs(
        ["", *map(escaped, columns)],
        [theirs, ours] if theirs else [ours],
        caption=caption,
        label=f"{scores.spec.name}-{measure}".replace("_", "-"),
    )


def _figures(name: str, row: Mapping[str, float], columns: list[str]) -> list[str]:
    return [escaped(name), *(f"{row[c]:.2f}" if c in row else "--" for c in columns)]


def _cell(scores: Scores, variant: str, column: str, measure: str) -> str:
    result = scores.spread(variant, column, measure)
    if not result.num:
        return escaped(missing(scores, variant, column))
    shown = f"{100 * result.mean:.1f}"
    if is_best(result.mean, best(scores, column, measure), digits=3):
        shown = bold(shown)
    if result.num > 1:
        shown += f" {{\\scriptsize $\\pm$ {100 * result.std:.1f}}}"
    if lacks := missing(scores, variant, column):
        shown += f" {{\\scriptsize ({escaped(lacks)})}}"
    if variant != scores.spec.reference and measure == ENTITY:
        stars = mark(scores.comparisons[variant, column])
        shown += f"$^{{{stars}}}$" if stars else ""
    return shown
