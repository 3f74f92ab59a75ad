"""``--text`` of searches and ablations, up to what would be trained."""

import pytest
from typer.testing import CliRunner

from ablations import run as ablations
from prokd.data.mini import generate
from prokd.errors import UserError
from search import run as searches
from search.texts import paths_by_language
from tests.search.conftest import TIMED_ELSEWHERE, write_corpus


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw.txt"
    lines = [" ".join(words) for words, _ in generate("ar", "train", num_sentences=40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def arguments(tmp_path):
    sources = write_corpus(tmp_path / "sources", languages=("en",))
    return ["--preset", "mini", "--data-dir", str(sources), "--cache-dir", str(tmp_path / "cache"),
            "--output", str(tmp_path / "out"), "--dry-run", *TIMED_ELSEWHERE]  # fmt: skip


@pytest.mark.parametrize("app", [searches.app, ablations.app], ids=["search", "ablation"])
def test_a_language_that_no_data_set_has(app, arguments, raw):
    first, again = (
        CliRunner().invoke(app, [*arguments, "--text", str(raw)], catch_exceptions=False)
        for _ in range(2)
    )
    assert first.exit_code == 0, first.output
    assert f"making the corpus of ar from {raw} ..." in first.output
    assert "\nar: " in first.output
    assert "warning" not in first.output
    assert first.output.split("\n", 1)[1] == again.output


def test_a_text_that_nothing_reads_is_told(arguments, raw):
    more = ["--lang", "es", "--text", str(raw), "--method", "baseline", "--data-dir"]
    corpus = write_corpus(raw.parent / "es", languages=("es",))
    done = CliRunner().invoke(searches.app, [*arguments, *more, str(corpus)])
    assert done.exit_code == 0, done.output
    assert "--text is not used: nothing here learns from text of the target" in done.output
    assert "warning: only 0.00 of the text looks like es (ar 1.00)" in done.output


@pytest.mark.parametrize(
    ("given", "languages", "message"),
    [
        (["news.txt"], ["ar", "hi"], "--text must say which of ar, hi it is, such as ar=news.txt"),
        (["sw=news.txt"], ["ar"], r"--text must name a language of --lang \(ar\), but got 'sw="),
        ([""], ["ar"], "--text must name a file, a folder or -, but got ''"),
        (["ar="], ["ar", "hi"], "--text must name a file, a folder or -, but got 'ar='"),
    ],
)
def test_a_text_must_have_a_language(given, languages, message):
    with pytest.raises(UserError, match=message):
        paths_by_language(given, languages)


def test_texts_by_language(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x=y.txt").touch()
    found = paths_by_language(["ar=-", "hi=a", "hi=b"], ["ar", "hi"])
    assert {code: [path.name for path in paths] for code, paths in found.items()} == {
        "ar": ["-"],
        "hi": ["a", "b"],
    }
    assert paths_by_language(["x=y.txt"], ["ar"]) == {"ar": [tmp_path / "x=y.txt"]}
