"""Counts of corpora as the paper prints them in Table 1: Markdown, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prokd.common import latex
from prokd.common.files import write_text
from prokd.common.tables import Table, as_csv, as_markdown
from prokd.data.report import ABSENT, UNLABELLED, ReportRow
from prokd.errors import UserError

FORMS = (".md", ".csv", ".tex")
NONE = "-"


def check_form(path: Path) -> None:
    """Refuse a file whose ending names no form of table."""
    if path.suffix not in FORMS:
        raise UserError(f"--to must name a file that ends in {', '.join(FORMS)}, but got {path}.")


def write_statistics(rows: Sequence[ReportRow], dataset: str, path: Path) -> None:
    """Write counts as a table; the file's ending says in which form, see `FORMS`.

    Args:
        rows: Counts of each language and split.
        dataset: What the captions call the data.
        path: The file.
    """
    title = f"Statistics of {dataset}: sentences and entities"
    if path.suffix == ".csv":
        text = as_csv(_records(rows))
    elif path.suffix == ".md":
        text = "\n".join([f"# {title}", "", *as_markdown(statistics_table(rows))]) + "\n"
    else:
        text = latex.PACKAGES + _latex(statistics_table(rows), title, dataset)
    write_text(path, text)


def statistics_table(rows: Sequence[ReportRow]) -> Table:
    """Return the table of the paper's form: two lines a language, a column for each split.

    Behind counts that are not those of the paper stand the paper's.
    """
    splits = list(dict.fromkeys(row.split for row in rows))
    counts = {(row.language, row.split): row for row in rows}
    table = [["language", "", *splits]]
    for language in dict.fromkeys(row.language for row in rows):
        own = [counts[language, split] for split in splits]
        table.append([language, "sentences", *map(_sentences, own)])
        table.append(["", "entities", *map(_entities, own)])
    return table


def _sentences(row: ReportRow) -> str:
    if row.scheme == ABSENT:
        return NONE
    return _count(row.sentences, None if row.paper is None else row.paper.without_marks)


def _entities(row: ReportRow) -> str:
    if row.scheme in (ABSENT, UNLABELLED):
        return NONE
    return _count(row.entities, None if row.paper is None else row.paper.entities)


def _count(number: int, printed: int | None) -> str:
    differs = printed is not None and printed != number
    return f"{number:,}" + (f" (paper: {printed:,})" if differs else "")


def _records(rows: Sequence[ReportRow]) -> list[list[object]]:
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.entities_by_type))
    header = ["language", "split", "sentences", "words", "entities", *kinds]
    table: list[list[object]] = [[*header, "paper_sentences", "paper_entities", "origin"]]
    for row in rows:
        if row.scheme == ABSENT:
            continue
        is_labelled = row.scheme != UNLABELLED
        entities = [row.entities, *(row.entities_by_type.get(kind, 0) for kind in kinds)]
        paper = row.paper
        printed = [None, None] if paper is None else [paper.without_marks, paper.entities]
        counts = entities if is_labelled else [None] * len(entities)
        own = [row.language, row.split, row.sentences, row.words]
        table.append([*own, *counts, *printed, row.origin])
    return table


def _latex(table: Table, title: str, dataset: str) -> str:
    header, *lines = [[latex.escaped(cell) for cell in line] for line in table]
    blocks = [lines[place : place + 2] for place in range(0, len(lines), 2)]
    return latex.booktabs(
        header,
        blocks,
        caption=f"{latex.escaped(title)}.",
        label=f"statistics-{dataset}",
        columns="ll" + "r" * (len(header) - 2),
    )
