"""Any entity types, from the source's files to tags and scores: many, odd ones, absent ones."""

import json

import pytest
import tiny
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.config import RuntimeConfig
from prokd.methods import build_config
from prokd.training.exports import export
from prokd.training.run import StageRun

TYPES = [f"kind {number}" if number % 3 else f"a/b_{number}" for number in range(200)]
ABSENT = 190
"""Types from here on are in the source's training text alone."""


def sentences(split):
    """Return words and IOBES tags: a name of one or two words for each type in turn."""
    kinds = TYPES if split == "train" else TYPES[:ABSENT:10]
    for number, kind in enumerate(kinds):
        name = ["anna"] if number % 2 else ["lena", "karim"]
        tags = [f"S-{kind}"] if number % 2 else [f"B-{kind}", f"E-{kind}"]
        yield [*name, "lives", "in", "paris"], [*tags, "O", "O", "O"]


@pytest.fixture
def data(tmp_path):
    for language in ("en", "xx"):
        folder = tmp_path / "data" / language
        folder.mkdir(parents=True)
        for split in ("train", "dev", "test"):
            lines = [
                "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
                for words, tags in sentences(split)
            ]
            (folder / f"{split}.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "data"


def test_hundreds_of_types_in_another_scheme_from_files_to_scores(data, tiny_encoder, tmp_path):
    settings = tiny.settings(tiny_encoder)
    settings |= {"teacher.batch_sentences": 64, "student.batch_sentences": 64}
    config = build_config("paper", "soft", settings)
    runtime = RuntimeConfig(
        data_dirs=(data,), runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", threads=1
    )
    for kind in ("teacher", "student"):
        with StageRun(kind, config, runtime) as run:
            run.run()
            scores = run.report()
    exported = export(run.folder, tmp_path / "export", runtime)
    labels = json.loads((exported / "config.json").read_text(encoding="utf-8"))["id2label"]
    assert set(labels.values()) == {"O"} | {f"{mark}-{kind}" for kind in TYPES for mark in "BI"}
    assert f"test/xx/entity_f1/{TYPES[0]}" in scores
    told = CliRunner().invoke(
        app, ["evaluate", str(exported), "--lang", "xx", "--data-dir", str(data)]
    )
    assert told.exit_code == 0, told.output
    assert f"has no entity of the type {TYPES[-1]}, which the model knows" in told.output
    tagged = CliRunner().invoke(app, ["predict", str(exported), "--text", "anna lives in paris"])
    assert tagged.exit_code == 0, tagged.output
    assert len(tagged.output.splitlines()) == 5
