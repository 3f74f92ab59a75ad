"""Parallel sentences: their files, their words, and each mistake in one sentence."""

import gzip
import lzma
from pathlib import Path

import pytest

from prokd.data.translation.parallel import MOST_WORDS, ParallelText, read_parallel
from prokd.errors import UserError


def parallel(folder: Path, pairs: list[tuple[str, str]]) -> ParallelText:
    path = folder / "en-de.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    return read_parallel([path], source="en", target="de")


def test_parallel_files_give_the_same_text_in_every_form(tmp_path):
    pairs = [("The house.", "Das Haus."), ("", "leer"), ("Ｔhe house", "wohl ein Haus")]
    text = parallel(tmp_path, pairs)
    assert text.sources == [["the", "house", "."], ["the", "house"]]
    assert text.targets == [["das", "haus", "."], ["wohl", "ein", "haus"]]
    assert text.spelling["haus"] == "Haus"
    lines = (tmp_path / "en-de.tsv").read_bytes()
    forms: dict[str, list[bytes]] = {
        "gz": [gzip.compress(lines)],
        "xz": [lzma.compress(lines)],
        "crlf": [lines.replace(b"\n", b"\r\n")],
        "two": ["\n".join(side).encode() + b"\n" for side in zip(*pairs, strict=True)],
    }
    for name, contents in forms.items():
        paths = [tmp_path / f"{name}{number}" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        again = read_parallel(paths, source="en", target="de")
        assert (again.sources, again.targets) == (text.sources, text.targets), name


def test_targets_are_counted_cleaned(tmp_path):
    path = tmp_path / "en-ar.tsv"
    path.write_text("a book\tكِتَاب\n", encoding="utf-8")
    assert read_parallel([path], source="en", target="ar").targets == [["كتاب"]]


def test_very_long_sentences_are_left_out(tmp_path):
    text = parallel(tmp_path, [("a " * (MOST_WORDS + 1), "ein"), ("a", "ein")])
    assert len(text) == 1


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ([b"a\tein\nb\n"], r"x0:2: a line must be source<TAB>target, but got 'b'"),
        ([b"a\tein\tmehr\n"], r"x0:1: a line must be source<TAB>target"),
        ([b"a\nb\n", b"ein\n"], r"equally many lines, but got 2 and 1"),
        ([b"a\t\n"], r"there must be a pair of sentences, but got none"),
        ([b"\xff\tein\n"], r"must be UTF-8"),
        ([b""], r"must have content"),
        ([b"a", b"b", b"c"], r"in one file or two, but got 3"),
        ([], r"in one file or two, but got 0"),
    ],
)
def test_malformed_parallel_files_are_one_sentence(tmp_path, contents, sentence):
    paths = [tmp_path / f"x{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_parallel(paths, source="en", target="de")
