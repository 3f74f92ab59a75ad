"""``prokd estimate`` as it is typed, and that it reads no label of the language."""

import json

import pytest
import tiny
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.errors import UserError


def prokd(*arguments):
    given = ["estimate", *(str(part) for part in arguments)]
    return CliRunner().invoke(app, given)


def estimate(*arguments):
    done = prokd(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_a_split_is_estimated_and_its_labels_are_not_read(trained, tmp_path):
    folders, exported, data = trained
    found = estimate(folders[0], "--lang", "xx", "--data-dir", data)
    assert found["sentences"] == tiny.SIZES["test"]
    assert 0 <= found["low"] <= found["f1"] <= found["high"] <= 1
    assert len(found["doubtful"]) == 5
    other = tiny.write_corpus(tmp_path / "data")
    tiny.scramble_labels(other, "xx")
    assert estimate(folders[0], "--lang", "xx", "--data-dir", other) == found
    assert estimate(exported, "--lang", "xx", "--data-dir", data)["f1"] == pytest.approx(
        found["f1"], abs=1e-4
    )


def test_raw_text_and_the_most_doubtful_of_it(trained, tmp_path):
    folders, _, data = trained
    text = tmp_path / "text.txt"
    text.write_text("anna woont in paris .\n\nopel nam omar aan .\n", encoding="utf-8")
    known = (folders[0], "--lang", "xx", "--file", text, "--data-dir", data)
    done = prokd(*known, "--sentences", "1")
    assert done.exit_code == 0, done.output
    assert f"xx, 2 sentences of {text}, no label read" in done.output
    assert done.output.count("errors expected") == 1
    assert "words  " in done.output


def test_what_cannot_be_estimated_is_told(trained, tmp_path):
    folders, _, data = trained
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    done = prokd(folders[0], "--lang", "xx", "--file", tmp_path / "empty.txt", "--data-dir", data)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).endswith("the text must have a sentence, but has none.")
    done = prokd(folders[0], "--lang", "xx", "--data-dir", tmp_path)
    assert isinstance(done.exception, UserError)
