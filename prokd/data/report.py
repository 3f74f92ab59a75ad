"""Counts of corpora, beside those that the paper prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prokd.data.corpus import Corpus, load_corpus
from prokd.data.paper_table1 import PAPER_TABLE1, PaperCount
from prokd.data.subwords import split_into_subwords

if TYPE_CHECKING:  # a slow import that nothing here needs at run time
    from transformers import PreTrainedTokenizerFast

SPLITS = ("train", "dev", "test")


class ReportRow(NamedTuple):
    """Counts of one language and split.

    Args:
        language: Code of the language.
        split: "train", "dev" or "test".
        sentences: Number of sentences.
        words: Number of words.
        entities: Number of entities.
        entities_by_type: Number of entities of each type, in alphabetical order.
        scheme: Tagging scheme of the source.
        words_cut: Words beyond the length limit of the encoder; None without a tokenizer.
        paper: What Table 1 of the paper prints, or None if it does not have this corpus.
        matches_paper: Whether sentences and entities are those of the paper; None without them.
        origin: Where the corpus comes from.
    """

    language: str
    split: str
    sentences: int
    words: int
    entities: int
    entities_by_type: dict[str, int]
    scheme: str
    words_cut: int | None
    paper: PaperCount | None
    matches_paper: bool | None
    origin: str


def data_report(
    dataset: str,
    languages: Sequence[str],
    *,
    splits: Sequence[str] = SPLITS,
    data_dirs: Sequence[Path] = (),
    limit: int | None = None,
    tokenizer: PreTrainedTokenizerFast | None = None,
    max_length: int = 128,
) -> list[ReportRow]:
    """Count sentences, words and entities of every language and split, labels included.

    Args:
        dataset: "wikiann", "conll" or "phrasebook".
        languages: Codes of the languages.
        splits: Some of "train", "dev", "test".
        data_dirs: Folders of files, as in `load_corpus`.
        limit: Number of sentences to read of each; with a limit there is nothing to compare.
        tokenizer: If given, also count the words beyond ``max_length`` subwords.
        max_length: Largest number of subwords of a sentence, special ones included.

    Raises:
        UserError: A corpus is missing or malformed.
    """
    rows = []
    for language in languages:
        for split in splits:
            corpus = load_corpus(dataset, language, split, data_dirs=data_dirs, limit=limit)
            paper = PAPER_TABLE1.get((dataset, language, split)) if limit is None else None
            words_cut = None
            if tokenizer is not None:
                kept = len(split_into_subwords(corpus.words, tokenizer, max_length).kept_words)
                words_cut = sum(map(len, corpus.words)) - kept
            rows.append(_row(corpus, paper, words_cut))
    return rows


def _row(corpus: Corpus, paper: PaperCount | None, words_cut: int | None) -> ReportRow:
    counts = Counter(tag[2:] for tags in corpus.tags or () for tag in tags if tag[0] == "B")
    entities = counts.total()
    return ReportRow(
        language=corpus.language,
        split=corpus.split,
        sentences=len(corpus),
        words=sum(map(len, corpus.words)),
        entities=entities,
        entities_by_type=dict(sorted(counts.items())),
        scheme=corpus.scheme,
        words_cut=words_cut,
        paper=paper,
        matches_paper=paper.matches(len(corpus), entities) if paper else None,
        origin=corpus.origin,
    )


HEADER = (
    "language",
    "split",
    "sentences",
    "words",
    "cut",
    "entities",
    "by type",
    "scheme",
    "paper",
    "origin",
)
_NUMBERS = {"sentences", "words", "cut", "entities"}


def format_report(rows: Sequence[ReportRow]) -> str:
    """Return the rows as a table in plain text, one line each below a header.

    The column "paper" says "equal", or gives the printed sentences/entities if they differ, or
    "-" where the paper has no such corpus.
    """
    table = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    lines = []
    for line in table:
        cells = [
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(HEADER, line, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cells(row: ReportRow) -> tuple[str, ...]:
    paper = "-"
    if row.paper is not None:
        printed = f"differs: {row.paper.sentences - row.paper.documents:,} / "
        paper = "equal" if row.matches_paper else printed + f"{row.paper.entities:,}"
    return (
        row.language,
        row.split,
        f"{row.sentences:,}",
        f"{row.words:,}",
        "-" if row.words_cut is None else f"{row.words_cut:,}",
        f"{row.entities:,}",
        " ".join(f"{name} {count:,}" for name, count in row.entities_by_type.items()) or "-",
        row.scheme,
        paper,
        row.origin,
    )
