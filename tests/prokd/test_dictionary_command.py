"""``prokd dictionary`` end to end."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prokd.data.translation.lexicon import read_lexicon
from tests import preloaded
from tests.preloaded import ROOT


def prokd(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a process."""
    words = ["-m", "prokd", "dictionary", *map(str, arguments)]
    return preloaded.run(words, cwd=ROOT, timeout=120)


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    nouns = {"house": "Haus", "book": "Buch", "child": "Kind", "taxi": "Taxi"}
    ends = {"old": "alt", "big": "groß", "here": "hier"}
    lines = [
        f"the {noun} is {end}\tdas {nouns[noun]} ist {ends[end]}\n"
        for noun in nouns
        for end in ends
    ]
    path = tmp_path / "en-de.tsv"
    path.write_text("".join(lines * 2), encoding="utf-8")
    return path


@pytest.mark.parametrize("aligner", ["auto", "dice", "ibm1"])
def test_parallel_sentences_become_a_dictionary(sentences, tmp_path, aligner):
    output = tmp_path / "new" / "dictionary.tsv"
    done = prokd("--parallel", sentences, "--lang", "de", "--aligner", aligner, "--output", output)
    assert done.returncode == 0, done.stderr
    lexicon = read_lexicon([output], source="en", target="de")
    assert lexicon.best("house") == "Haus"
    assert lexicon.best("old") == "alt"
    assert "24 pairs of sentences" in done.stdout
    assert f"entries    {len(lexicon)} (fingerprint {lexicon.fingerprint})" in done.stdout
    assert "% of them are spelled like the source word" in done.stdout
    assert "house -> Haus" in done.stdout
    if aligner != "auto":
        assert {"dice": "Dice", "ibm1": "IBM-1"}[aligner] in done.stdout
    assert [path.name for path in output.parent.iterdir()] == ["dictionary.tsv"]


def test_two_files_line_by_line(sentences, tmp_path):
    lines = [line.split("\t") for line in sentences.read_text(encoding="utf-8").splitlines()]
    paths = tmp_path / "x.en", tmp_path / "x.de"
    for path, side in zip(paths, zip(*lines, strict=True), strict=True):
        path.write_text("\n".join(side), encoding="utf-8")
    output = tmp_path / "out.tsv"
    given = [word for path in paths for word in ("--parallel", path)]
    done = prokd(*given, "--lang", "de", "--aligner", "ibm1", "--output", output)
    assert done.returncode == 0, done.stderr
    assert read_lexicon([output], source="en", target="de").best("child") == "Kind"


def test_dictionaries_of_several_forms_are_merged(tmp_path):
    muse, wiktionary = tmp_path / "muse.txt", tmp_path / "wiktionary.txt"
    muse.write_text("the die\nhouse haus\nnew york\n", encoding="utf-8")
    wiktionary.write_text(
        "# English :: German\nhouse {n} (abode) :: Heim {n}\ntree {n} (plant) :: Baum {m}\n",
        encoding="utf-8",
    )
    output = tmp_path / "out.tsv"
    done = prokd("--merge", muse, "--merge", wiktionary, "--lang", "de", "--output", output)
    assert done.returncode == 0, done.stderr
    lexicon = read_lexicon([output], source="en", target="de")
    assert (lexicon.best("house"), lexicon.best("tree")) == ("haus", "Baum")
    assert "muse.txt + wiktionary.txt" in done.stdout


def test_word_vectors_become_a_dictionary(tmp_path):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(60, 8))
    turn, _ = np.linalg.qr(generator.normal(size=(8, 8)))
    for name, letter, vectors in (("en", "a", rows), ("de", "b", rows @ turn.T)):
        lines = [
            f"{'s' if n < 20 else letter}{n} " + " ".join(f"{x:.5f}" for x in row)
            for n, row in enumerate(vectors)
        ]
        (tmp_path / f"{name}.vec").write_text("60 8\n" + "\n".join(lines), encoding="utf-8")
    output = tmp_path / "out.tsv"
    given = ["--vectors", tmp_path / "en.vec", "--vectors", tmp_path / "de.vec"]
    done = prokd(*given, "--lang", "de", "--output", output)
    assert done.returncode == 0, done.stderr
    lexicon = read_lexicon([output], source="en", target="de")
    assert [lexicon.best(f"a{n}") for n in range(20, 60)] == [f"b{n}" for n in range(20, 60)]
    assert "same       33.3%" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "exactly one of --parallel, --vectors, --merge, but got none"),
        (["--merge", "x", "--parallel", "y"], "but got --parallel and --merge"),
        (["--vectors", "x"], "--vectors must be given twice"),
        (["--parallel", "x"] * 3, "--parallel must be given once or twice, but got 3"),
        (["--merge", "x", "--aligner", "dice"], "--aligner belongs to --parallel"),
        (["--parallel", "x", "--aligner", "giza"], "one of auto, eflomal, dice, ibm1"),
        (["--parallel", "absent"], "absent: must be a file to read"),
        (["--merge", "bad.tsv"], "bad.tsv:2: a line must be source<TAB>target"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    type_line, tmp_path, arguments, sentence
):
    (tmp_path / "bad.tsv").write_text("house\tHaus\ntree\n", encoding="utf-8")
    words = [tmp_path / word if word == "bad.tsv" else word for word in arguments]
    place = ("--lang", "de", "--output", tmp_path / "out" / "x.tsv")
    status, _, said = type_line("dictionary", *words, *place)
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert not (tmp_path / "out").exists()


def test_the_output_must_be_a_file(type_line, tmp_path):
    words = ("--merge", "x", "--lang", "de", "--output", tmp_path)
    status, _, said = type_line("dictionary", *words)
    assert status == 2
    assert "--output must be a file, but got the folder" in said


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from prokd.cli import dictionary_command; "
        "print([name for name in ('torch', 'numpy', 'icu4py') if name in sys.modules])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
