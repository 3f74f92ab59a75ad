from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prokd.data.readers import read_file
from prokd.errors import UserError

NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
Sentences = list[list[str]]


def write(folder: Path, text: str, name: str = "train.txt") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def read(folder: Path, text: str, **options: Any) -> tuple[Sentences, Sentences | None]:
    raw = read_file(write(folder, text), **{"labelled": True, **options})
    return raw.words, raw.tags


@pytest.mark.parametrize(
    "text",
    [
        "Ana\tB-PER\nin\tO\n\nRom\tB-LOC\n",
        "Ana B-PER\nin O\n\nRom B-LOC",
        "Ana  NNP I-NP B-PER\nin IN I-PP  O\n\nRom NNP I-NP B-LOC\n",
        "-DOCSTART- -X- O O\n\nAna NNP I-NP B-PER\nin IN I-PP O\n \t\nRom NNP I-NP B-LOC\n\n\n",
        "-DOCSTART-\tO\nAna\tB-PER\nin\tO\n-DOCSTART-\tO\nRom\tB-LOC\n",
        "en:Ana\tB-PER\nen:in\tO\n\nen:Rom\tB-LOC\n\n",
        "zh-yue:Ana\tB-PER\nzh-yue:in\tO\n\nzh-yue:Rom\tB-LOC\n\n",
        "Ana\tB-PER\r\nin\tO\r\n\r\nRom\tB-LOC\r\n",
        "\ufeffAna\tB-PER\nin\tO\n\nRom\tB-LOC\n",
        "# id 1\nAna\tB-PER\n# inside\nin\tO\n\n# id 2\nRom\tB-LOC\n",
        "# id 1\tx\n1\tAna\tB-PER\t-\t-\n2\tin\tO\t-\t-\n\n1\tRom\tB-LOC\t-\t-\n",
        "Ana\tB-PER\t_\nin\tO\t_\n\nRom\tB-LOC\t_\n",
    ],
)
def test_columns(tmp_path: Path, text: str) -> None:
    words, tags = read(tmp_path, text)
    assert words == [["Ana", "in"], ["Rom"]]
    assert tags == [["B-PER", "O"], ["B-LOC"]]
    assert read(tmp_path, text, labelled=False) == (words, None)


def test_line_numbers_skip_comments(tmp_path: Path) -> None:
    raw = read_file(write(tmp_path, "# c\na\tO\n# c\nb\tO\n\nc\tO\n"), labelled=True)
    assert raw.lines == [[2, 4], [6]]
    assert raw.place(1, 0) == f"{tmp_path / 'train.txt'}:6"


def test_explicit_separator_and_column(tmp_path: Path) -> None:
    text = "New York,B-LOC,O\nis,O,B-PER\n"
    assert read(tmp_path, text, separator=",", tag_column=1)[1] == [["B-LOC", "O"]]
    assert read(tmp_path, text, separator=",")[1] == [["O", "B-PER"]]
    with pytest.raises(UserError, match=r"`tag_column` must be from -3 to 2, but got 3\."):
        read(tmp_path, text, separator=",", tag_column=3)


STRANGE = [
    "a\u00a0b",
    "\u2028",
    "x\u2029y",
    "\u0085",
    "\x0b",
    "\x1c",
    "\u00a0",
    "\u200b",
    "#",
    "#a",
]


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize("prefix", ["", "en:"])
def test_words_are_exact(tmp_path: Path, separator: str, prefix: str) -> None:
    text = "".join(f"{prefix}{word}{separator}O\n" for word in STRANGE)
    assert read(tmp_path, text) == ([STRANGE], [["O"] * len(STRANGE)])
    assert read(tmp_path, text, labelled=False) == ([STRANGE], None)
    bare = "".join(f"{prefix}{word}\n" for word in STRANGE)
    assert read(tmp_path, bare, labelled=False) == ([STRANGE], None)


def test_tab_keeps_spaces_in_words(tmp_path: Path) -> None:
    assert read(tmp_path, "New York\tB-LOC\n a \tO\n")[0] == [["New York", " a "]]


def test_prefix_stays_unless_all_words_have_it(tmp_path: Path) -> None:
    assert read(tmp_path, "en:a\tO\nb\tO\n")[0] == [["en:a", "b"]]
    assert read(tmp_path, "en:a\tO\nde:b\tO\n")[0] == [["en:a", "de:b"]]


def test_scrambled_or_missing_tags_load_equally(tmp_path: Path) -> None:
    tokens = ["1", "#", "en:x", "B-PER", "#a", "O"]
    expected = ([tokens, tokens], None)
    for tags in (["B-PER", "O"], ["I-PER", "nonsense"], ["", "-PER"], ["x y", "O"]):
        lines = [f"{word}\t{tags[i % 2]}\n" for i, word in enumerate(tokens)]
        text = "".join(lines) + "\n" + "".join(lines)
        assert read(tmp_path, text, labelled=False) == expected
    bare = "".join(f"{word}\n" for word in tokens)
    assert read(tmp_path, bare + "\n" + bare, labelled=False) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\tO\nb\tO\nc\n",
            r"train\.txt:3: each line must have 2 columns .*tabs.* but got 'c'\.$",
        ),
        ("a O\n\nb X O\nc O", r"train\.txt:3: each line must have 2 columns .*'b X O'\.$"),
        ("a\nb\n", r"train\.txt:1: a line must hold a word and a tag, .* but got 'a'\.$"),
        ("a\tO\n\tO\n", r"train\.txt:2: a word must not be empty, but got '\\tO'\.$"),
    ],
)
def test_malformed_lines(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_wrong_encoding(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("Straße\tO\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"must be UTF-8, but byte 4 is 0xdf .*latin-1"):
        read_file(path, labelled=True)


@pytest.mark.parametrize("tag_key", ["ner_tags", "tags"])
def test_json_lines(tmp_path: Path, tag_key: str) -> None:
    records = [
        {"tokens": ["a\u2028b", "\u00a0"], tag_key: ["B-PER", "O"]},
        {"tokens": [], tag_key: []},
        {"tokens": ["c"], tag_key: ["O"]},
    ]
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n\n"
    raw = read_file(write(tmp_path, text, "dev.jsonl"), labelled=True)
    assert raw.words == [["a\u2028b", "\u00a0"], ["c"]]
    assert raw.tags == [["B-PER", "O"], ["O"]]
    assert raw.place(1, 0).endswith("dev.jsonl:3")


def test_json_lines_without_labels(tmp_path: Path) -> None:
    text = '{"tokens": ["a", "b"], "tags": [1, null, "?"]}\n{"tokens": ["c"]}\n'
    raw = read_file(write(tmp_path, text, "dev.jsonl"), labelled=False)
    assert (raw.words, raw.tags) == ([["a", "b"], ["c"]], None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", r"dev\.jsonl:2: each line must be a JSON object, but got '\{oops'"),
        ('{"text": "a"}', r"dev\.jsonl:2: 'tokens' must be a list of words .* got None\.$"),
        ("[1]", r"dev\.jsonl:2: 'tokens' must be a list of words .* got None\.$"),
        ('{"tokens": ["a", ""], "tags": ["O", "O"]}', r"not empty, but got \['a', ''\]\.$"),
        ('{"tokens": ["a"]}', r"'ner_tags' or 'tags' must be a list .* but got None\.$"),
        ('{"tokens": ["a"], "tags": [3]}', r"must be a list of tags .* but got \[3\]\.$"),
        ('{"tokens": ["a"], "tags": ["O", "O"]}', r"one tag, but got 1 words and 2 tags\.$"),
    ],
)
def test_malformed_json_lines(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, '{"tokens": ["a"], "tags": ["O"]}\n' + line, "dev.jsonl")
    with pytest.raises(UserError, match=message):
        read_file(path, labelled=True)


def class_label_metadata(kind: str) -> dict[str, str]:
    label = {"names": NAMES, "_type": "ClassLabel"}
    feature: object = {"feature": label, "_type": kind} if kind else [label]
    return {"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}})}


@pytest.mark.parametrize("kind", ["Sequence", "List", ""])
def test_parquet_class_numbers(tmp_path: Path, kind: str) -> None:
    table = pa.table({"tokens": [["Ana", "B"], ["c"]], "ner_tags": [[1, 2], [0]], "id": [0, 1]})
    path = tmp_path / "train.parquet"
    pq.write_table(table.replace_schema_metadata(class_label_metadata(kind)), path)
    raw = read_file(path, labelled=True)
    assert raw.words == [["Ana", "B"], ["c"]]
    assert raw.tags == [["B-PER", "I-PER"], ["O"]]
    assert raw.place(1, 0) == f"{path}:row 2"
    assert read_file(path, labelled=False).tags is None


def test_parquet_strings(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"tokens": [["a"]], "tags": [["B-LOC"]]}), path)
    assert read_file(path, labelled=True).tags == [["B-LOC"]]


def test_parquet_errors(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(UserError, match=r"train\.parquet: the file must be Parquet, but got"):
        read_file(path, labelled=True)
    pq.write_table(pa.table({"tokens": [["a"]]}), path)
    with pytest.raises(UserError, match=r"must have a column 'tokens' and .* got \['tokens'\]"):
        read_file(path, labelled=True)
    assert read_file(path, labelled=False).words == [["a"]]
    pq.write_table(pa.table({"tokens": [["a"]], "ner_tags": [[1]]}), path)
    with pytest.raises(UserError, match=r"row 1: 'ner_tags' or 'tags' must be .* got \[1\]"):
        read_file(path, labelled=True)
