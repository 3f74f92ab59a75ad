"""From raw text to a corpus that is read like any other."""

import json

import pytest

from prokd.data import load_corpus
from prokd.data.text.cache import text_folder
from prokd.data.text.corpus import write_text_corpus
from prokd.data.text.rules import TextRules
from prokd.data.text.sources import Source
from prokd.errors import UserError
from prokd.runs.cleaning import cached

TEXT = """\ufeffHabari | Michezo | Siasa
Asha anaishi Nairobi. Juma anaishi Mombasa.

Asha anaishi Nairobi. Juma anaishi Mombasa!
Habari zaidi: www.example.org
Leo
Asha anaishi Nairobi. Lakini Juma alikwenda Dodoma jana.
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "news.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def corpus_of(folder):
    return load_corpus("wikiann", "sw", "train", data_dirs=[folder], labelled=False)


def test_what_is_kept_is_read_and_the_rest_is_counted(text, tmp_path):
    out = tmp_path / "out"
    sources = [Source("news.txt", text)]
    counts = write_text_corpus(out, sources, "sw", TextRules(), examples=1)
    assert corpus_of(out).words == [
        ["Asha", "anaishi", "Nairobi", "."],
        ["Juma", "anaishi", "Mombasa", "."],
        ["Lakini", "Juma", "alikwenda", "Dodoma", "jana", "."],
    ]
    # Of so few sentences none is held out: there is no such split.
    assert sorted(path.name for path in (out / "sw").iterdir()) == ["text.json", "train.jsonl"]
    known = json.loads((out / "sw" / "text.json").read_text(encoding="utf-8"))
    assert known["counts"] == counts.as_json()
    assert (counts.lines, counts.paragraphs, counts.sentences, counts.words) == (7, 6, 3, 14)
    assert {reason: n for reason, n in counts.dropped.items() if n} == {
        "menu": 1,
        "repeated line": 1,
        "web address": 1,
        "too short": 1,
        "duplicate": 1,
    }
    assert counts.shown["web address"] == ["Habari zaidi: www.example.org"]


def test_the_same_text_gives_the_same_file(text, tmp_path):
    for name in ("a", "b"):
        write_text_corpus(tmp_path / name, [Source("x", text)], "sw", TextRules())
    a, b = ((tmp_path / name / "sw" / "train.jsonl").read_bytes() for name in "ab")
    assert a == b


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1 2 3\nLeo\n", "of 2 paragraphs nothing is left (few letters 1, too short 1)"),
        (" \n\n", "x: a text must have a sentence that is kept, but holds no text."),
        ("Asha anaishi Nairobi.\n\udcff\n", "x:2: the text must be UTF-8"),
    ],
)
def test_of_a_bad_text_nothing_is_written(tmp_path, content, sentence):
    path = tmp_path / "x"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError) as caught:
        write_text_corpus(tmp_path / "out", [Source("x", path)], "sw", TextRules())
    assert sentence in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_one_sentence_in_twenty_is_held_out(tmp_path):
    lines = [f"Asha {number} anaishi Nairobi {chr(97 + number) * 9}." for number in range(26)]
    path = tmp_path / "long.txt"
    path.write_text("\n".join([*lines, *(line.upper()[::-1] for line in lines)]), encoding="utf-8")
    out = tmp_path / "out"
    counts = write_text_corpus(out, [Source("long.txt", path)], "sw", TextRules(similarity=1))
    held_out = load_corpus("wikiann", "sw", "dev", data_dirs=[out], labelled=False).words
    learned = corpus_of(out).words
    assert len(held_out) == counts.held_out == counts.sentences // 20 == 2
    assert len(learned) == counts.sentences - 2
    assert not [words for words in held_out if words in learned]


def test_somebody_elses_training_split_is_left_alone(text, tmp_path):
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "train.txt").write_text("Asha B-PER\n")
    with pytest.raises(
        UserError, match=r"must hold no other training or dev split, but holds train\.txt"
    ):
        write_text_corpus(tmp_path, [Source("x", text)], "sw", TextRules())


def test_a_corpus_is_made_once_and_again_where_it_is_damaged(text, tmp_path):
    said = []
    made = text_folder([text], "sw", tmp_path / "cache", said.append)
    moved = text.rename(tmp_path / "moved.txt")
    assert text_folder([moved], "sw", tmp_path / "cache", said.append) == made
    assert sum(line.startswith("making ") for line in said) == 1
    assert said[1].startswith(
        "sw: 3 sentences (0 held out), 14 words of 6 paragraphs; dropped: menu 1, "
    )
    fingerprint = corpus_of(made).fingerprint
    (made / "sw" / "train.jsonl").write_text("{}\n")
    assert text_folder([moved], "sw", tmp_path / "cache", said.append) == made
    assert corpus_of(made).fingerprint == fingerprint
    moved.write_text(f"{TEXT}Asha amerudi nyumbani leo.\n", encoding="utf-8")
    assert text_folder([moved], "sw", tmp_path / "cache", said.append) != made
    places = sorted((tmp_path / "cache").iterdir())
    assert [waste.path for waste in cached(tmp_path / "cache")] == places
    # What `prokd text` made is taken as it is.
    assert text_folder([made], "sw", tmp_path / "other", said.append) == made
    assert not (tmp_path / "other").exists()
