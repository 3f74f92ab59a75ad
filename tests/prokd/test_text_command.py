"""``prokd text`` as a user types it, and what is trained on what it made."""

import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.errors import MissingLanguageError, UserError
from prokd.training.corpora import Corpora


def prokd_text(*arguments, text=None):
    words = ["text", *map(str, arguments)]
    return CliRunner().invoke(app, words, input=text, catch_exceptions=False).output


@pytest.fixture
def raw(tmp_path) -> Path:
    lines = [" ".join(words) for words, _ in tiny.sentences("xx", "train")]
    path = tmp_path / "raw.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def made(raw, tmp_path) -> Path:
    prokd_text(raw, "--lang", "xx", "--to", tmp_path / "out")
    return tmp_path / "out"


def test_counts_and_examples_are_shown(raw, tmp_path):
    content = raw.read_text(encoding="utf-8")
    place = tmp_path / "out"
    shown = prokd_text("-", "--lang", "xx", "--to", place, "--examples", "1", text=content)
    assert "lines                           96\n" in shown
    assert "\nrepeated line: " in shown
    assert "language   cannot be told: xx is none of the 176 that are known" in shown
    assert shown.endswith(f"corpus: {place / 'xx'}\n")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lang", "x/y"], "a language must be a code"),
        (["--lang", "xx", "--max-words", "1"], "`min_words <= max_words` must hold"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(raw, tmp_path, more, message):
    with pytest.raises(UserError, match=message):
        prokd_text(raw, *more, "--to", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_raw_text_is_the_training_text_alone(made, tmp_path, tiny_data, tiny_config, tiny_runtime):
    of_files = Corpora(tiny_config, tiny_runtime)
    corpora = Corpora(tiny_config, tiny_runtime.model_copy(update={"texts": {"xx": made}}))
    corpora.check()
    assert corpora.target_text.origin == str(made / "xx" / "train.jsonl")
    assert corpora.report_fingerprint() == of_files.report_fingerprint()
    own, other = corpora.fingerprints(), of_files.fingerprints()
    assert {name for name in own if own[name] != other[name]} == {"target_train"}
    # The same sentences as files: nothing of them is held out to judge students on.
    sources = tiny.write_corpus(tmp_path / "sources", languages=("en",))
    as_files = tiny_runtime.model_copy(update={"data_dirs": (made, sources)})
    files = Corpora(tiny_config, as_files)
    assert files.target_text.fingerprint == corpora.target_text.fingerprint
    assert {name for name, value in files.fingerprints().items() if own[name] != value} == {
        "target_train"
    }


def test_a_language_that_has_nothing_but_raw_text_is_not_scored(
    made, tmp_path, tiny_config, tiny_runtime
):
    sources = tiny.write_corpus(tmp_path / "sources", languages=("en",))
    bare = tiny_runtime.model_copy(update={"data_dirs": (sources,)})
    with pytest.raises(MissingLanguageError, match="language 'xx' must be a folder"):
        Corpora(tiny_config, bare).check()
    corpora = Corpora(tiny_config, bare.model_copy(update={"texts": {"xx": made}}))
    corpora.check()
    assert list(corpora.not_scored()) == ["xx"]


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from prokd.cli import text_command; "
        "print([name for name in ('torch', 'icu4py', 'rensa') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
