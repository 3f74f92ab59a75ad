from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from prokd.data import data_report, format_report
from prokd.data.paper_table1 import PAPER_TABLE1
from prokd.data.statistics_table import FORMS, check_form, statistics_table, write_statistics
from prokd.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for language in ("ar", "nl"):
        (tmp_path / language).mkdir()
        (tmp_path / language / "train").write_text("a\tB-PER\nb\tI-PER\n\nabc\tB-LOC\na\tB-PER\n")
    return tmp_path


def test_counts(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    options = {"splits": ["train"], "data_dirs": [folder]}
    ar, nl = data_report(
        "wikiann",
        ["ar", "nl"],
        splits=["train"],
        data_dirs=[folder],
        tokenizer=tokenizer,
        max_length=5,
    )
    assert (ar.language, ar.split, ar.sentences, ar.words, ar.entities) == ("ar", "train", 2, 4, 3)
    assert ar.entities_by_type == {"LOC": 1, "PER": 2}
    assert (ar.scheme, ar.words_cut, ar.origin) == ("IOB2", 1, str(folder / "ar" / "train"))
    assert (ar.paper, ar.matches_paper) == ((20_000, 22_500, 0), False)
    assert (nl.paper, nl.matches_paper) == (None, None)
    (cut,) = data_report("wikiann", ["ar"], limit=1, **options)  # type: ignore[arg-type]
    assert (cut.sentences, cut.paper, cut.words_cut) == (1, None, None)


def test_table(folder: Path) -> None:
    rows = data_report("wikiann", ["ar", "nl"], splits=["train"], data_dirs=[folder])
    rows.append(rows[0]._replace(matches_paper=True, words_cut=1234))
    lines = format_report(rows).split("\n")
    header = "language split sentences words cut entities by type scheme paper origin"
    assert " ".join(lines[0].split()) == header
    assert lines[1].split()[:6] == ["ar", "train", "2", "4", "-", "3"]
    assert "PER 2 LOC 1  IOB2    differs: 20,000 / 22,500" in lines[1]
    assert "IOB2    -  " in lines[2]
    assert "1,234" in lines[3]
    assert "IOB2    equal  " in lines[3]


def test_a_table_like_the_papers(folder: Path) -> None:
    rows = data_report("wikiann", ["ar", "nl"], splits=["train", "dev"], data_dirs=[folder])
    assert statistics_table(rows) == [
        ["language", "", "train", "dev"],
        ["ar", "sentences", "2 (paper: 20,000)", "-"],
        ["", "entities", "3 (paper: 22,500)", "-"],
        ["nl", "sentences", "2", "-"],
        ["", "entities", "3", "-"],
    ]
    for form in FORMS:
        write_statistics(rows, "wikiann", folder / f"table{form}")
    assert "| nl | sentences | 2 | - |" in (folder / "table.md").read_text()
    records = list(csv.DictReader((folder / "table.csv").open()))
    assert [record["language"] for record in records] == ["ar", "nl"]
    assert (records[0]["PER"], records[0]["paper_entities"]) == ("2", "22500")
    latex = (folder / "table.tex").read_text()
    assert "ar & sentences & 2 (paper: 20,000) & - \\\\" in latex
    assert latex.count("\\midrule") == 2
    with pytest.raises(UserError, match=r"ends in \.md, \.csv, \.tex"):
        check_form(folder / "table.pdf")


def test_document_marks_are_no_sentences() -> None:
    paper = PAPER_TABLE1["conll", "en", "train"]
    assert paper.matches(14_041, 23_499)
    assert not paper.matches(14_987, 23_499)
    assert not paper.matches(14_041, 23_498)
    assert len(PAPER_TABLE1) == 24


@pytest.mark.slow
@pytest.mark.skipif("PROKD_DATA" not in os.environ, reason="PROKD_DATA names no real data")
def test_wikiann_english_is_the_papers() -> None:
    folder = Path(os.environ["PROKD_DATA"]) / "data" / "wikiann"
    rows = data_report("wikiann", ["en"], data_dirs=[folder])
    assert [row.matches_paper for row in rows] == [True, True, True]
