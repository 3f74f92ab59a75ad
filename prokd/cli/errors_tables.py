"""The numbers of an error analysis as tables: in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prokd.cli.aligned import escaped, shown, table_lines
from prokd.scoring.differences import NEITHER, SIDES, Agreement
from prokd.scoring.entity_groups import GroupScore
from prokd.scoring.errors import (
    INVENTED,
    KINDS,
    MEANINGS,
    SPLIT,
    cell_order,
    confusion,
    totals,
)
from prokd.training.analysis import Analysis

ROWS = ("first", "second")
"""What two models are called in tables; their folders stand above."""
NONE = "-"


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Args:
        title: What it shows.
        header: Names of the columns.
        rows: As many texts each.
        words: Columns from the left that hold words, not numbers.
        meaning: Whether the last column holds words, too.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    words: int = 1
    meaning: bool = False

    def lines(self) -> list[str]:
        """Return the lines of a terminal."""
        table = [self.header, *([shown(cell) for cell in row] for row in self.rows)]
        return [self.title, *(f"  {line}" for line in table_lines(table, self._is_number))]

    def markdown(self) -> list[str]:
        """Return the lines of a section in Markdown."""
        places = range(len(self.header))
        marks = ["---:" if self._is_number(place) else "---" for place in places]
        rows = [self.header, marks, *([escaped(cell) for cell in row] for row in self.rows)]
        return [f"## {self.title}", "", *(f"| {' | '.join(row)} |" for row in rows)]

    def _is_number(self, place: int) -> bool:
        return self.words <= place < len(self.header) - self.meaning


def tables(analysis: Analysis) -> list[Table]:
    """Return all tables of an analysis."""
    first, *others = (_group(analysis, title) for title in analysis.models[0].groups)
    found = [first, _totals(analysis), _confusion(analysis), *others]
    if analysis.agreement is not None:
        found.append(_sentences(analysis.agreement, len(analysis.corpus)))
    return found


def _columns(analysis: Analysis, name: str) -> list[str]:
    """Return the headings of a number: of one model, or of two with their difference."""
    return [name] if len(analysis.models) == 1 else [*(f"{name} {row}" for row in ROWS), "diff"]


def _counts(values: Sequence[int]) -> list[str]:
    difference = values[-1] - values[0]
    return [*map(str, values), *([f"{difference:+d}" if difference else "0"] * (len(values) - 1))]


def _rates(values: Sequence[float | None]) -> list[str]:
    """Write rates; None = there is nothing to measure."""
    cells = [NONE if value is None else f"{value:.4f}" for value in values]
    if len(values) == 1:
        return cells
    first, second = values
    missing = first is None or second is None
    return [*cells, NONE if missing else f"{(second or 0) - (first or 0):+.4f}"]


def _totals(analysis: Analysis) -> Table:
    """Count the outcomes by their kind alone; of one model also as a share of all entities."""
    models = analysis.models
    counts = [totals(model.outcomes) for model in models]
    rows = []
    for kind in KINDS:
        row = [kind, *_counts([count[kind] for count in counts])]
        if len(models) == 1:
            of_predicted = kind in (INVENTED, SPLIT)
            whole = len(models[0].predicted if of_predicted else analysis.gold)
            share = f"{counts[0][kind] / whole:.1%}" if whole else NONE
            row.append(f"{share} of {'predicted' if of_predicted else 'gold'}")
        rows.append([*row, MEANINGS[kind]])
    header = ["outcome", *_columns(analysis, "entities")]
    header += ["share"] if len(models) == 1 else []
    return Table("What became of the entities", [*header, "meaning"], rows, meaning=True)


def _confusion(analysis: Analysis) -> Table:
    counts = [confusion(model.outcomes) for model in analysis.models]
    cells = sorted({cell for count in counts for cell in count}, key=cell_order)
    rows = []
    for cell in cells:
        row = [cell.kind, cell.gold or NONE, cell.predicted or NONE]
        rows.append([*row, *_counts([count.get(cell, 0) for count in counts])])
    header = ["outcome", "gold", "predicted", *_columns(analysis, "entities")]
    return Table("By gold and predicted type", header, rows, words=3)


def _group(analysis: Analysis, title: str) -> Table:
    """Show the scores of each group: all of one model, recall and F1 of two."""
    rows = []
    for scores in zip(*(model.groups[title] for model in analysis.models), strict=True):
        row = [scores[0].name, str(scores[0].gold)]
        if len(scores) == 1:
            row += [str(scores[0].predicted), str(scores[0].correct)]
            row += _rates([_precision(scores[0])])
        rows.append([*row, *_rates(list(map(_recall, scores))), *_rates(list(map(_f1, scores)))])
    header = ["group", "gold"]
    if len(analysis.models) == 1:
        header += ["predicted", "correct", "precision"]
    header += [*_columns(analysis, "recall"), *_columns(analysis, "F1")]
    heading = "All entities" if title == "all entities" else f"By {title}"
    return Table(heading, header, rows)


def _precision(score: GroupScore) -> float | None:
    return score.precision if score.predicted else None


def _recall(score: GroupScore) -> float | None:
    return score.recall if score.gold else None


def _f1(score: GroupScore) -> float | None:
    return score.f1 if score.gold or score.predicted else None


def _sentences(found: Agreement, total: int) -> Table:
    """Count the sentences by who has them right."""
    counts = {"both right": found.both_right}
    counts |= {side: len(found.of_side(side)) for side in SIDES}
    counts["both wrong, by the same entities"] = found.both_wrong_alike
    names = counts | {f"{NEITHER}, and they differ": counts.pop(NEITHER)}
    rows = [[name, str(count), f"{count / total:.1%}"] for name, count in names.items()]
    return Table("Whole sentences", ["sentences", "number", "share"], rows)
