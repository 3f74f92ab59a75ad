"""``prokd predict`` on files in parts: the same for any number of workers, in the file's order."""

import gzip
import json

import pytest
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.data import input_chunks
from prokd.data.input_chunks import read_chunks
from prokd.errors import UserError
from prokd.scoring.tag_stream import AHEAD, TaggingJob, tag_chunks


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(input_chunks, "MOST_LINES", 4)


@pytest.fixture
def text(tmp_path):
    lines = [f"anna woont in paris {'. ' * (number % 5)}" for number in range(30)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_same_for_any_number_of_workers(trained, text, small_chunks):
    _, exported, _ = trained
    job = TaggingJob(str(exported), device="cpu", output="json")
    one, two = (
        [part.text for part in tag_chunks(job, read_chunks(text), workers=workers)]
        for workers in (1, 2)
    )
    assert one == two
    assert len(one) == 8
    rows = [json.loads(line) for part in one for line in part.splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 31))
    assert all(row["text"][row["start"][0] : row["end"][0]] == "anna" for row in rows)


def test_no_more_is_read_than_is_needed(trained, text, small_chunks):
    _, exported, _ = trained
    read = []

    def counted():
        for chunk in read_chunks(text):
            read.append(chunk.first_line)
            yield chunk

    tagged = tag_chunks(TaggingJob(str(exported), device="cpu"), counted(), workers=1)
    next(tagged)
    assert len(read) <= 2 + AHEAD
    tagged.close()


def test_a_file_is_written_whole_or_not_at_all(trained, text, tmp_path, small_chunks):
    _, exported, _ = trained
    written = tmp_path / "tagged.conll"
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes(), mtime=0))
    known = ["predict", str(exported), "--device", "cpu", "--workers", "1", "--to", str(written)]
    done = CliRunner().invoke(app, [*known, "--file", str(packed)])
    assert done.exit_code == 0, done.output
    assert written.read_text(encoding="utf-8").count("\n\n") == 30
    written.unlink()
    text.write_bytes(text.read_bytes() + b"\xff\n")
    done = CliRunner().invoke(app, [*known, "--file", str(text)])
    assert isinstance(done.exception, UserError)
    assert "text.txt:31: the text must be UTF-8" in str(done.exception)
    assert not written.exists()


def test_bad_json_far_into_a_file_has_its_line(tmp_path, trained, small_chunks):
    _, exported, _ = trained
    path = tmp_path / "rows.jsonl"
    path.write_text('{"tokens": ["anna"]}\n' * 9 + "{\n", encoding="utf-8")
    job = TaggingJob(str(exported), device="cpu")
    with pytest.raises(UserError, match=r"rows\.jsonl:10: each line must be a JSON object"):
        list(tag_chunks(job, read_chunks(path), workers=1))
