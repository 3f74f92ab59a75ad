"""Tables in LaTeX, with booktabs, as a paper prints them."""

from __future__ import annotations

from collections.abc import Sequence

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
    r"""Write text so that LaTeX prints it as it is.

    >>> escaped("50 % of a_b")
    '50 \\% of a\\_b'
    """
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def bold(cell: str) -> str:
    r"""Set a cell that is LaTeX already in bold.

    >>> bold("7")
    '\\textbf{7}'
    """
    return f"\\textbf{{{cell}}}"


def booktabs(
    header: Sequence[str],
    blocks: Sequence[Sequence[Sequence[str]]],
    *,
    caption: str,
    label: str,
    columns: str = "",
    environment: str = "table",
) -> str:
    """Return a table.

    Args:
        header: Names of the columns; all texts are LaTeX already.
        blocks: Rows, in groups that a line parts.
        caption: Stands above it.
        label: What a paper refers to it by, less the ``tab:``.
        columns: How they are set; else the first to the left, the others to the right.
        environment: ``table``, or ``table*`` over two columns of text.
    """
    lines = [
        f"\\begin{{{environment}}}",
        "  \\centering",
        f"  \\caption{{{caption}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{{columns or 'l' + 'r' * (len(header) - 1)}}}",
        "    \\toprule",
        f"    {' & '.join(header)} \\\\",
    ]
    for rows in blocks:
        lines += ["    \\midrule", *(f"    {' & '.join(row)} \\\\" for row in rows)]
    lines += ["    \\bottomrule", "  \\end{tabular}", f"\\end{{{environment}}}"]
    return "\n".join(lines) + "\n"
