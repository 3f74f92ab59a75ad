"""The score tables in LaTeX, with booktabs, as a paper prints them."""

from __future__ import annotations

import math

from ablations.comparison import ENTITY, Scores
from ablations.tables import mark, missing

PACKAGES = "% needs \\usepackage{booktabs}\n\n"
GREEK = {"α": "\\alpha", "β": "\\beta", "λ": "\\lambda", "τ": "\\tau"}
SPECIAL = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "–": "--",
    **{letter: f"${name}$" for letter, name in GREEK.items()},
}


def escaped(text: str) -> str:
    """Write text so that LaTeX prints it as it is."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def latex_table(scores: Scores, measure: str, title: str) -> str:
    """Return a table of a measure in percent: variants down, languages and their average across.

    The best mean of each column is bold; entity-level F1 has the marks of `tables.mark`.

    Args:
        scores: What came out.
        measure: `comparison.ENTITY`, `VALID` or `TOKEN`.
        title: What the measure is called.
    """
    columns = scores.columns
    lines = [
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{escaped(scores.spec.title)}: {escaped(title)}, in percent, mean and "
        f"standard deviation over {len(scores.seeds)} seed(s).}}",
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "    \\toprule",
        "    " + " & ".join(["", *map(escaped, columns)]) + " \\\\",
        "    \\midrule",
    ]
    best = {column: _best(scores, column, measure) for column in columns}
    for variant in scores.spec.variants:
        cells = [_cell(scores, variant, column, measure, best[column]) for column in columns]
        lines.append("    " + " & ".join([escaped(variant), *cells]) + " \\\\")
    lines += ["    \\bottomrule", "  \\end{tabular}", "\\end{table}"]
    return "\n".join(lines) + "\n"


def _best(scores: Scores, column: str, measure: str) -> float:
    means = [scores.spread(variant, column, measure).mean for variant in scores.spec.variants]
    return max((mean for mean in means if not math.isnan(mean)), default=math.nan)


def _cell(scores: Scores, variant: str, column: str, measure: str, best: float) -> str:
    result = scores.spread(variant, column, measure)
    if not result.num:
        return escaped(missing(scores, variant, column))
    shown = f"{100 * result.mean:.1f}"
    if shown == f"{100 * best:.1f}":  # what a reader cannot tell from the best is bold too
        shown = f"\\textbf{{{shown}}}"
    if result.num > 1:
        shown += f" {{\\scriptsize $\\pm$ {100 * result.std:.1f}}}"
    if variant != scores.spec.reference and measure == ENTITY:
        stars = mark(scores.comparisons[variant, column])
        shown += f"$^{{{stars}}}$" if stars else ""
    return shown
