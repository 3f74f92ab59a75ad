"""Files as the world has them: blanks, line ends, gaps; what is no corpus is refused by line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from prokd.data import Corpus, load_corpus
from prokd.data.readers import read_file
from prokd.errors import MissingSplitError, UnlabelledError, UserError


def corpus(folder: Path, content: str | bytes, name: str = "train", **options: object) -> Corpus:
    place = folder / "en"
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_corpus("wikiann", "en", "train", data_dirs=[folder], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u200b", "\ufeff", "\u3000"])
def test_blanks_around_a_tag_make_no_new_type(tmp_path: Path, blank: str) -> None:
    text = f"Ada\tB-PER\nlives\tO\nin\tO\nBath\tB-LOC{blank}\n\nUlm\t{blank}B-LOC\nis\tO{blank}\n"
    found = corpus(tmp_path, text)
    assert found.entity_types == ("PER", "LOC")
    assert found.tags == [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O"]]
    lines = json.dumps({"tokens": ["Bath"], "ner_tags": [f"B-LOC{blank}"]})
    (tmp_path / "en" / "train").unlink()
    assert corpus(tmp_path, lines, "train.jsonl").entity_types == ("LOC",)


@pytest.mark.parametrize("tag", ["B- LOC", "B-L\u200bOC", "B-LOC\u00a0X", "B-L\x07OC"])
def test_invisible_characters_within_a_tag_are_refused(tmp_path: Path, tag: str) -> None:
    with pytest.raises(UserError, match=r"train:2: a tag must be .* without invisible"):
        corpus(tmp_path, f"Ada\tB-PER\nBath\t{tag}\nin\tO\nis\tO\n")


def test_a_type_of_several_words_stays(tmp_path: Path) -> None:
    assert corpus(tmp_path, "Faust\tB-work of art\n").entity_types == ("work of art",)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
@pytest.mark.parametrize("labelled", [True, False])
def test_line_ends_of_every_system(tmp_path: Path, end: str, labelled: bool) -> None:
    text = end.join(["Ada\tB-PER", "Min\tO", "", "Bath\tB-LOC", ""])
    raw = corpus(tmp_path, text, labelled=labelled)
    assert raw.words == [["Ada", "Min"], ["Bath"]]
    assert raw.tags == ([["B-PER", "O"], ["B-LOC"]] if labelled else None)


def test_json_lines_of_every_system(tmp_path: Path) -> None:
    row = '{"tokens": ["a"], "tags": ["O"]}'
    assert corpus(tmp_path, f"\ufeff{row}\r{row}\r\n{row}", "train.jsonl").words == [["a"]] * 3


def test_byte_order_marks_and_page_breaks_are_no_words(tmp_path: Path) -> None:
    text = "\ufeffa\tO\n\f\n\ufeffb\tO\n\fc\tO\n \t\f \nd\tO\n"
    assert corpus(tmp_path, text).words == [["a"], ["b", "c"], ["d"]]


@pytest.mark.parametrize("labelled", [True, False])
def test_an_empty_word_behind_the_prefix_is_refused(tmp_path: Path, labelled: bool) -> None:
    text = "en:Ada\tB-PER\nen:\tO\nen:Bath\tB-LOC\n\n"
    with pytest.raises(UserError, match=r"train:2: a word must not be empty behind .*'en:'"):
        corpus(tmp_path, text, labelled=labelled)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Anna woont in Leiden .\nHet weer in Gent is mooi vandaag .\nPiet werkt bij Ajax .\n", 2),
        ("Anna woont hier .\nPiet werkt daar .\n", 1),
        ("Anna woont hier .\n\nPiet werkt daar .\n", 1),
        ("我在北京。他在上海。\n你好\n", 1),
        ("Anna\tB-PER\nwoont\tO\nhier\n", 3),
        ("hier\nAnna woont hier .\n", 2),
    ],
)
def test_plain_text_is_no_corpus_of_words(tmp_path: Path, text: str, line: int) -> None:
    rule = rf"train:{line}: each line must hold one word.*blank line.*plain text must be split"
    with pytest.raises(UserError, match=rule):
        corpus(tmp_path, text, labelled=False)


def test_words_alone_and_words_with_tags_are_read_without_labels(tmp_path: Path) -> None:
    for text in ("a\nb\n\nc\n", "a O\nb B-X\n\nc O\n", "a\tx\nb\ty\n\nc\tz\n", "a b O\n"):
        assert corpus(tmp_path, text, labelled=False).words[-1] in (["c"], ["a"])


def test_a_file_without_any_tag_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    for name, text in (("train", "a\nb\n"), ("train.jsonl", '{"tokens": ["a"]}\n')):
        with pytest.raises(UnlabelledError):
            corpus(tmp_path, text, name)
        (tmp_path / "en" / name).unlink()
    with pytest.raises(MissingSplitError):
        load_corpus("wikiann", "en", "dev", data_dirs=[tmp_path])


def test_the_user_says_which_column_and_separator(tmp_path: Path) -> None:
    text = "a O B-PER\nb B-LOC O\n"
    assert corpus(tmp_path, text).entity_types == ("PER",)
    assert corpus(tmp_path, text, tag_column=1).entity_types == ("LOC",)
    assert corpus(tmp_path, "New York,B-LOC\n", separator=",").words == [["New York"]]


@pytest.mark.parametrize(
    "line",
    [
        '{"tokens": ["Ada", "\\ud83d"], "ner_tags": ["B-PER", "O"]}',
        '{"tokens": ["Ada", "\\uDC00\\uD800"], "ner_tags": ["B-PER", "O"]}',
        '{"tokens": ["Ada", "a"], "ner_tags": ["B-\\ud800", "O"]}',
    ],
)
def test_half_a_surrogate_pair_is_refused(tmp_path: Path, line: str) -> None:
    good = '{"tokens": ["\\ud83d\\ude00"], "ner_tags": ["O"]}\n'
    with pytest.raises(UserError, match=r"train\.jsonl:2: a word must be Unicode text.*lone surr"):
        corpus(tmp_path, good + line, "train.jsonl")
    assert read_file(_written(tmp_path / "x.jsonl", good), labelled=True).words == [["😀"]]


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_other_encodings_are_named(tmp_path: Path) -> None:
    for encoding, rule in (("utf-16", "iconv -f utf-16"), ("utf-16-le", "NUL")):
        with pytest.raises(UserError, match=rule):
            corpus(tmp_path, "Ada\tO\n".encode(encoding))


def test_gzip(tmp_path: Path) -> None:
    packed = gzip.compress(b"a\tO\n")
    assert corpus(tmp_path, packed).words == [["a"]]
    with pytest.raises(UserError, match="gzip file must be whole"):
        corpus(tmp_path, packed[:-6])
