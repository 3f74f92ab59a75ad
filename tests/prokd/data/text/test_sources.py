"""Files of raw text, read line by line."""

import gzip
import io
import lzma
import os
import threading

import pytest

from prokd.data.text import sources
from prokd.data.text.sources import STANDARD_INPUT, Source, open_sources, read_lines
from prokd.errors import UserError


def lines_of(*paths):
    with open_sources(paths) as found:
        return [line for source in found for line in read_lines(source)]


def test_lines_end_as_on_any_system_and_marks_of_byte_order_are_dropped(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffeins\r\nzwei\rdrei\n\nvier".encode())
    assert lines_of(tmp_path / "a.txt") == ["eins", "zwei", "drei", "", "vier"]


def test_packed_files_and_folders_are_read_in_the_order_of_their_names(tmp_path):
    folder = tmp_path / "texts"
    (folder / "more").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "a.gz").write_bytes(gzip.compress(b"one\n"))
    (folder / "b.xz").write_bytes(lzma.compress(b"two\n"))
    (folder / "more" / "c").write_text("three")
    (folder / ".git" / "config").write_bytes(b"\xff")
    assert lines_of(folder) == ["one", "two", "three"]


def test_standard_input_and_pipes_can_be_read_more_than_once(tmp_path, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(gzip.compress(b"from outside\n"))

    monkeypatch.setattr("sys.stdin", Stdin)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"through a pipe\n"))
    writer.start()
    with open_sources([STANDARD_INPUT, pipe]) as found:
        for _ in range(2):
            assert [list(read_lines(source)) for source in found] == [
                ["from outside"],
                ["through a pipe"],
            ]
    writer.join()
    assert not any(source.path.exists() for source in found if source.path != pipe)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", b"good\nb\xe4d\n", "a.txt:2: the text must be UTF-8, but byte 1 is 0xe4"),
        ("a.txt", b"a\n\0\n", "a.txt:2: the text must be UTF-8, but character 0 is NUL"),
        ("a.txt", b"\xff\xfea\0", "iconv -f utf-16"),
        ("a.gz", gzip.compress(b"a" * 99, mtime=0)[:-9], "a.gz: the packed file must be whole"),
        ("a.xz", lzma.compress(b"a" * 99)[:-9], "a.xz: the packed file must be whole"),
        ("a.txt", b"Anna\tB-PER\nlives\tO\n", "must be raw text, but this looks like conll"),
        ("a.txt", b'{"tokens": ["a"]}\n', "must be raw text, but this looks like jsonl"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        lines_of(tmp_path / name)
    assert sentence in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LONGEST_LINE", 10)
    (tmp_path / "a.txt").write_text("0123456789\n0123456789\nshort\n")
    with pytest.raises(UserError, match=r"a\.txt:1: a line must be a paragraph, at most 10 bytes"):
        list(read_lines(Source("a.txt", tmp_path / "a.txt")))


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="absent: a text must be a file or a folder"):
        lines_of(tmp_path / "absent")
    with pytest.raises(UserError, match="a folder of texts must hold a file"):
        lines_of(tmp_path)
