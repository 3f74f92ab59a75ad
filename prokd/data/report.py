"""Counts of corpora, beside those that the paper prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prokd.data.corpus import Corpus, load_corpus
from prokd.data.paper_table1 import PAPER_TABLE1, PaperCount
from prokd.data.subwords import UnknownPieces, split_into_subwords, unknown_pieces
from prokd.errors import MissingSplitError, UnlabelledError

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
        entities_by_type: Number of entities of each type, in the order of their first use.
        scheme: Tagging scheme of the source; "unlabelled" without tags, "absent" where there is no
            such split.
        words_cut: Words beyond the length limit of the encoder; None without a tokenizer.
        paper: What Table 1 of the paper prints, or None if it does not have this corpus.
        matches_paper: Whether sentences and entities are those of the paper; None without them.
        origin: Where the corpus comes from.
        unknown: What the tokenizer does not know; None without a tokenizer.
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
    unknown: UnknownPieces | None = None


ABSENT, UNLABELLED = "absent", "unlabelled"


def data_report(
    dataset: str,
    languages: Sequence[str],
    *,
    splits: Sequence[str] = SPLITS,
    data_dirs: Sequence[Path] = (),
    limit: int | None = None,
    tokenizer: PreTrainedTokenizerFast | None = None,
    max_length: int = 128,
    separator: str | None = None,
    tag_column: int | None = None,
) -> list[ReportRow]:
    """Count sentences, words and entities of every language and split, labels included.

    Args:
        dataset: "wikiann", "conll" or "phrasebook".
        languages: Codes of the languages.
        splits: Some of "train", "dev", "test".
        data_dirs: Folders of files, as in `load_corpus`.
        limit: Number of sentences to read of each; with a limit there is nothing to compare.
        tokenizer: If given, also count words beyond ``max_length`` and what it does not know.
        max_length: Largest number of subwords of a sentence, special ones included.
        separator: As in `load_corpus`, like ``tag_column``.
        tag_column: Column of the tags in text files.

    Raises:
        UserError: A corpus is missing or malformed.
    """
    options = {
        "data_dirs": data_dirs,
        "limit": limit,
        "separator": separator,
        "tag_column": tag_column,
    }
    rows = []
    for language in languages:
        for split in splits:
            try:
                corpus = _load(dataset, language, split, options)
            except MissingSplitError:
                if not data_dirs:  # a hub that is not in reach
                    raise
                rows.append(_absent(language, split))
                continue
            is_whole = limit is None and corpus.tags is not None
            row = _row(corpus, PAPER_TABLE1.get((dataset, language, split)) if is_whole else None)
            rows.append(
                row if tokenizer is None else _with_subwords(row, corpus, tokenizer, max_length)
            )
    return rows


def _load(dataset: str, language: str, split: str, options: dict[str, Any]) -> Corpus:
    try:
        return load_corpus(dataset, language, split, **options)
    except UnlabelledError:
        return load_corpus(dataset, language, split, labelled=False, **options)


def _absent(language: str, split: str) -> ReportRow:
    return ReportRow(language, split, 0, 0, 0, {}, ABSENT, None, None, None, "-")


def _row(corpus: Corpus, paper: PaperCount | None) -> ReportRow:
    counts = Counter(tag[2:] for tags in corpus.tags or () for tag in tags if tag[0] == "B")
    entities = counts.total()
    return ReportRow(
        language=corpus.language,
        split=corpus.split,
        sentences=len(corpus),
        words=sum(map(len, corpus.words)),
        entities=entities,
        entities_by_type=dict(counts),
        scheme=UNLABELLED if corpus.tags is None else corpus.scheme,
        words_cut=None,
        paper=paper,
        matches_paper=paper.matches(len(corpus), entities) if paper else None,
        origin=corpus.origin,
    )


def _with_subwords(
    row: ReportRow, corpus: Corpus, tokenizer: PreTrainedTokenizerFast, max_length: int
) -> ReportRow:
    """Count what a tokenizer makes of a corpus, beside the other counts."""
    kept = len(split_into_subwords(corpus.words, tokenizer, max_length).kept_words)
    unknown = unknown_pieces(corpus.words, tokenizer)
    return row._replace(words_cut=row.words - kept, unknown=unknown)


HEADER = (
    "language",
    "split",
    "sentences",
    "words",
    "cut",
    "unknown",
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
    "-" where the paper has no such corpus. The column "unknown", there where a tokenizer was
    asked, says how many words are unknown as a whole, and the share of unknown subwords.
    """
    table = [HEADER, *(_cells(row) for row in rows)]
    if all(row.unknown is None for row in rows):
        place = HEADER.index("unknown")
        table = [line[:place] + line[place + 1 :] for line in table]
    header = table[0]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    lines = []
    for line in table:
        cells = [
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cells(row: ReportRow) -> tuple[str, ...]:
    paper = "-"
    if row.paper is not None:
        printed = f"differs: {row.paper.without_marks:,} / "
        paper = "equal" if row.matches_paper else printed + f"{row.paper.entities:,}"
    unknown = "-"
    if row.unknown is not None:
        share = row.unknown.subwords / max(row.unknown.all_subwords, 1)
        unknown = f"{row.unknown.words:,} words, {share:.2%} of subwords"
    is_absent = row.scheme == ABSENT
    has_no_entities = row.scheme in (ABSENT, UNLABELLED)
    return (
        row.language,
        row.split,
        "-" if is_absent else f"{row.sentences:,}",
        "-" if is_absent else f"{row.words:,}",
        "-" if row.words_cut is None else f"{row.words_cut:,}",
        unknown,
        "-" if has_no_entities else f"{row.entities:,}",
        " ".join(f"{name} {count:,}" for name, count in row.entities_by_type.items()) or "-",
        row.scheme,
        paper,
        row.origin,
    )
