"""What `prokd gc` removes and what it leaves."""

import os
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from filelock import FileLock
from optuna.distributions import CategoricalDistribution
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.config import EncoderConfig
from prokd.data import encode_corpus, load_corpus
from prokd.data.labels import TagSet
from prokd.encoder.artifact import write_weights
from prokd.encoder.files import load_tokenizer
from prokd.errors import UserError
from prokd.runs.checkpoints import Checkpoints
from prokd.runs.cleaning import find_waste, needed, nothing_removed
from prokd.runs.folder import RunFolder
from prokd.training.sizes import run_sizes
from search.results import write_records
from search.study import SearchStudy


def make_run(output: Path, kind: str, letter: str, needs: tuple[str, ...] = ()) -> RunFolder:
    folder = RunFolder(output / "runs", kind, letter * 12)
    folder.write_identity({"needs": list(needs)}, {})
    write_weights(folder.path, {"classifier.weight": torch.zeros(250)})
    folder.mark_done({"objective": 0.5})
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    make_run(tmp_path, "teacher", "a")
    make_run(tmp_path, "student", "b", needs=("a" * 12,))
    make_run(tmp_path, "student", "c", needs=("d" * 12,))
    make_run(tmp_path, "teacher", "d")
    make_run(tmp_path, "student", "e", needs=("a" * 12,))
    space = {"student.fusion_weight": CategoricalDistribution((0.7, 0.8))}
    with SearchStudy(tmp_path / "studies" / "x.journal", "x", space, grid=True) as study:
        (trial,) = study.ask(1)
        study.annotate(trial.number, {"signature": ["b" * 12]})
    table = tmp_path / "reports" / "table.csv"
    write_records(table, [{"variant": "full", "student": "e" * 12}])
    (tmp_path / "ray_results" / "stages-0123abcd").mkdir(parents=True)
    return tmp_path


def test_runs_that_a_study_or_a_report_names_and_their_teachers_are_needed(output):
    known = {letter * 12 for letter in "abcde"}
    assert needed(output) & known == {letter * 12 for letter in "abe"}
    checkpoints = Checkpoints(RunFolder(output / "runs", "student", "b" * 12))
    checkpoints.save({"epoch": 1}, 1, bool)
    checkpoints.close()
    (checkpoint,) = checkpoints.folder.checkpoints()
    assert {item.path.name for item in find_waste(output)} == {
        "student-" + "c" * 12,
        "teacher-" + "d" * 12,
        checkpoint.name,
        "stages-0123abcd",
    }


def test_a_run_at_work_keeps_what_it_builds_on(output):
    (output / "runs" / ("student-" + "c" * 12) / "DONE").unlink()
    with FileLock(output / "runs" / ("student-" + "c" * 12) / ".lock"):
        assert "d" * 12 in needed(output)
    assert "d" * 12 not in needed(output)


def test_nothing_is_removed_while_an_ablation_runs(output):
    with (
        nothing_removed(output, "table4-x"),
        pytest.raises(UserError, match=r"table4-x-.* is run"),
    ):
        find_waste(output)
    assert find_waste(output)
    assert not list((output / "studies").glob("table4*"))


def test_it_asks_first(output):
    before = sorted(output.rglob("*"))
    for arguments, answer in ((["--dry-run"], ""), ([], "n\n")):
        words = ["gc", "--output", str(output), *arguments]
        result = CliRunner().invoke(app, words, input=answer)
        assert result.exit_code == 0
        assert "3 to remove" in result.output
    assert sorted(output.rglob("*")) == before
    result = CliRunner().invoke(app, ["gc", "--output", str(output), "--yes"])
    assert "3 removed" in result.output
    assert {path.name[-1] for path in (output / "runs").iterdir()} == set("abe")
    assert find_waste(output) == []


def test_what_others_put_there_is_left_alone(output):
    (output / "ray_results" / "my-own-ray-run").mkdir()
    (output / "runs" / ("student-" + "f" * 12)).mkdir()
    (output / "runs" / ("student-" + "f" * 12) / "thesis.tex").write_text("mine")
    names = {item.path.name for item in find_waste(output)}
    assert names == {"student-" + "c" * 12, "teacher-" + "d" * 12, "stages-0123abcd"}


def test_a_cache_goes_only_where_it_is_named(output, tmp_path_factory, tiny_encoder):
    cache = tmp_path_factory.mktemp("cache")
    data = tiny.write_corpus(tmp_path_factory.mktemp("data"))
    encode_corpus(
        load_corpus("wikiann", "en", "dev", data_dirs=[data]),
        load_tokenizer(str(tiny_encoder)),
        TagSet(("LOC", "ORG", "PER")),
        max_length=32,
        cache_dir=cache,
    )
    mine = {"mine.txt", "my-corpus.arrow", "mine.frozen.npy"}
    for name in mine:
        (cache / name).write_text("x")
    np.save(cache / "more", np.zeros(1))
    words = ["gc", "--output", str(output), "--yes"]
    CliRunner().invoke(app, words)
    assert len(list(cache.iterdir())) == 5
    result = CliRunner().invoke(app, [*words, "--cache-dir", str(cache)])
    assert "made again when needed" in result.output
    assert {path.name for path in cache.iterdir()} == mine | {"more.npy"}


def test_a_run_that_somebody_trains_is_left_alone(output):
    folder = output / "runs" / ("student-" + "c" * 12)
    with FileLock(folder / ".lock"):
        result = CliRunner().invoke(app, ["gc", "--output", str(output), "--yes"])
    assert f"kept: {folder}" in result.output
    assert folder.exists()


def test_nothing_is_removed_while_a_search_runs(output):
    with FileLock(output / "studies" / "x.lock"), pytest.raises(UserError, match="x is running"):
        find_waste(output)


def test_a_linked_file_frees_nothing(output):
    folder = output / "runs" / ("student-" + "c" * 12)
    (waste,) = [item for item in find_waste(output) if item.path == folder]
    size = (folder / "weights.safetensors").stat().st_size
    os.link(folder / "weights.safetensors", output / "elsewhere")
    (linked,) = [item for item in find_waste(output) if item.path == folder]
    assert size >= 1000
    assert linked.num_bytes == waste.num_bytes - size


def test_sizes_are_those_of_the_encoder(tiny_encoder):
    whole = run_sizes(
        EncoderConfig(name=str(tiny_encoder), frozen_layers=0, freeze_embeddings=False)
    )
    part = run_sizes(
        EncoderConfig(name=str(tiny_encoder), frozen_layers=3, freeze_embeddings=True)
    )
    weights = (tiny_encoder / "model.safetensors").stat().st_size
    assert whole.artifact == whole.export == pytest.approx(weights, rel=0.2)
    assert part.artifact < 0.1 * whole.artifact
