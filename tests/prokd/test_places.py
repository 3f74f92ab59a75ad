"""Folders that cannot be written, no home directory: said in one sentence, nothing left behind."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.common import places
from prokd.config import RuntimeConfig
from prokd.errors import UserError

ROOT = Path(places.__file__).parents[1]
NOWHERE = Path("/proc/prokd")
"""A folder that nobody can make, root neither."""


@pytest.fixture(autouse=True)
def unknown_home():
    places._in_home.cache_clear()
    yield
    places._in_home.cache_clear()


def _occupied(folder: Path) -> Path:
    folder.write_text("a file")
    return folder


@pytest.mark.parametrize("home", ["missing", "file", "unwritable"])
def test_a_home_that_cannot_be_used_leaves_a_temporary_cache(home, tmp_path, monkeypatch, caplog):
    folders = {
        "missing": tmp_path / "none",
        "file": _occupied(tmp_path / "file"),
        "unwritable": Path("/proc"),
    }
    monkeypatch.setenv("HOME", str(folders[home]))
    with caplog.at_level(logging.WARNING):
        folder = RuntimeConfig().cache_dir
    assert folder.parent == Path(tempfile.gettempdir())
    assert len(caplog.records) == 1
    assert "is used, which may not last, since" in caplog.text
    assert not (tmp_path / "none").exists()


def test_no_home_at_all_is_no_error_at_import(tmp_path):
    """An unknown user without HOME: `Path.home` raises."""
    code = (
        "import pathlib\n"
        "def home(): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = home\n"
        "from prokd.config import RuntimeConfig\n"
        "print(RuntimeConfig().cache_dir)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(places.__file__).parents[1],
    )
    assert ended.returncode == 0, ended.stderr
    assert Path(ended.stdout.strip()).parent == Path(tempfile.gettempdir())


def test_a_home_that_can_be_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RuntimeConfig().cache_dir == tmp_path / ".cache" / "prokd"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_a_file_is_no_folder(below, tmp_path):
    file = _occupied(tmp_path / "file")
    with pytest.raises(UserError, match="--runs-dir must be a folder that can be written") as told:
        places.check_writable(file / below, "--runs-dir")
    assert f"{file} is no folder" in str(told.value)
    assert file.read_text() == "a file"


@pytest.mark.parametrize("folder", [NOWHERE, Path("/tmp") / ("x" * 300)])
def test_a_folder_that_cannot_be_made(folder):
    with pytest.raises(UserError, match="--output must be a folder that can be written"):
        places.check_output(folder)


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    with pytest.raises(UserError, match="must be a folder"):
        places.check_writable(tmp_path / "link", "--output")


@pytest.mark.parametrize("part", places.OUTPUT_PARTS)
def test_a_file_in_the_place_of_a_part_of_the_output(part, tmp_path):
    _occupied(tmp_path / part)
    with pytest.raises(UserError, match=part):
        places.check_output(tmp_path)


@pytest.mark.parametrize("name", ["a b", "ü", "50%", "#1", "what?", "it's", 'the "one"'])
def test_odd_names_are_fine_and_nothing_is_left(name, tmp_path):
    places.check_output(tmp_path / name / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train-teacher", "train-student"])
@pytest.mark.parametrize("option", ["--runs-dir", "--cache-dir"])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_training_refuses_a_file_before_the_data_are_read(command, option, way, tmp_path):
    file = str(_occupied(tmp_path / "file"))
    given = {"--runs-dir": str(tmp_path / "runs"), "--cache-dir": str(tmp_path / "cache")}
    variables = {"--runs-dir": "PROKD_RUNS", "--cache-dir": "PROKD_CACHE"}
    given[option] = file
    env = {variables[name]: place for name, place in given.items()} if way == "environment" else {}
    options = [] if env else [part for pair in given.items() for part in pair]
    arguments = [command, "--preset", "mini", "--data-dir", str(tmp_path / "no-data"), *options]
    result = CliRunner().invoke(app, arguments, env=env)
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"{option} must be a folder that can be written")
    assert file in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
