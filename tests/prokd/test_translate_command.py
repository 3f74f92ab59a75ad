"""``prokd translate`` shows what training reads."""

import pytest
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.data.readers import read_file
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.training.corpora import Corpora
from tests.methods.translated import write_dictionary


def run(*arguments):
    return CliRunner().invoke(app, ["translate", *map(str, arguments)])


def test_it_shows_counts_and_sentences_and_writes_what_training_reads(tiny_runtime, tmp_path):
    dictionary, output = write_dictionary(tmp_path / "en-xx.tsv"), tmp_path / "out.parquet"
    (folder,) = tiny_runtime.data_dirs
    known = ("--lang", "xx", "--data-dir", folder, "--dictionary", dictionary)
    found = run(*known, "--examples", 2, "--output", output, "--cache-dir", tmp_path / "c")
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert lines[0].split("  ")[0] == "words of"
    counts = {line.split()[0]: line.split()[1:] for line in lines[1:5]}
    assert list(counts) == ["O", "LOC", "ORG", "PER"]
    assert counts["PER"][2:] == ["0.00", "1.00"]
    assert [line[:2] for line in lines[5:11]] == ["", "en", "xx", "", "en", "xx"]
    assert "[LOC" in found.output
    runtime = tiny_runtime.model_copy(update={"dictionaries": (dictionary,)})
    config = build_config("paper", overrides={"target": "xx"}, method="unitrans")
    corpus = Corpora(config, runtime).translated
    written = read_file(output, labelled=True)
    assert (written.words, written.tags) == (corpus.words, corpus.tags)
    kept = run(*known, "--set", "translation.keep=[]")
    assert "1.00" not in kept.output.splitlines()[4].split()[-1]


def test_the_phrasebook_brings_its_own_dictionary(tmp_path):
    found = run("--preset", "mini", "--lang", "nl", "--cache-dir", tmp_path / "c", "--examples", 1)
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[1].startswith("O ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs a dictionary from en to xx"),
        (("--output", "x.txt"), "must be a file FILE.parquet"),
        (("--method", "msd"), "must be one that translates, but msd does not"),
        (("--method", "unitrans", "--set", "translation.keep=[PERSON]"), "needs a dictionary"),
    ],
)
def test_mistakes_are_one_sentence(tiny_runtime, arguments, said):
    found = run("--lang", "xx", "--data-dir", tiny_runtime.data_dirs[0], *arguments)
    assert isinstance(found.exception, UserError)
    assert said in str(found.exception)
