"""What `prokd gc` removes and what it leaves."""

import json
import os
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from prokd.cleaning import find_waste, needed
from prokd.cli import app
from prokd.config import EncoderConfig
from prokd.errors import UserError
from prokd.sizes import run_sizes


def make_run(output: Path, kind: str, letter: str, **identity: str) -> Path:
    folder = output / "runs" / f"{kind}-{letter * 12}"
    folder.mkdir(parents=True)
    (folder / "identity.json").write_text(json.dumps(identity))
    (folder / "weights.safetensors").write_bytes(b"0" * 1000)
    (folder / "DONE").touch()
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    make_run(tmp_path, "teacher", "a")
    make_run(tmp_path, "student", "b", teacher_signature="a" * 12)
    make_run(tmp_path, "student", "c", teacher_signature="d" * 12)
    make_run(tmp_path, "teacher", "d")
    make_run(tmp_path, "student", "e", teacher_signature="a" * 12)
    (tmp_path / "studies").mkdir()
    line = {"op_code": 8, "user_attr": {"signature": ["b" * 12]}}
    (tmp_path / "studies" / "x.journal").write_text(json.dumps(line) + "\n")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "table.csv").write_text(f"variant,student\nfull,{'e' * 12}\n")
    (tmp_path / "ray_results" / "students-1").mkdir(parents=True)
    return tmp_path


def test_runs_that_a_study_or_a_report_names_and_their_teachers_are_needed(output):
    assert needed(output) == {letter * 12 for letter in "abe"}
    (output / "runs" / ("student-" + "b" * 12) / "checkpoint-0001-x.pt").touch()
    names = {item.path.name for item in find_waste(output)}
    assert names == {
        "student-" + "c" * 12,
        "teacher-" + "d" * 12,
        "checkpoint-0001-x.pt",
        "students-1",
    }


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


def test_a_cache_goes_only_where_it_is_named(output, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    for name in ("a.arrow", "a-b.frozen.npy", "mine.txt"):
        (cache / name).write_text("x")
    words = ["gc", "--output", str(output), "--yes"]
    CliRunner().invoke(app, words)
    assert len(list(cache.iterdir())) == 3
    result = CliRunner().invoke(app, [*words, "--cache-dir", str(cache)])
    assert "made again when needed" in result.output
    assert [path.name for path in cache.iterdir()] == ["mine.txt"]


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
    os.link(folder / "weights.safetensors", output / "elsewhere")
    (waste,) = [item for item in find_waste(output) if item.path == folder]
    assert waste.num_bytes < 1000


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
    assert whole.checkpoints == 9 * whole.artifact
