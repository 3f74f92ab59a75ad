"""Commands in working folders and output folders such as people have them."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablations.run import app as ablations
from prokd.errors import UserError
from search.records.tracking import Tracker
from search.run import app as searches
from search.workers import ray_folders
from tests import preloaded
from tests.search.conftest import TIMED_ELSEWHERE

ROOT = Path(__file__).parents[2]
SHADOWS = ("search", "datasets", "prokd", "ablations", "typer")
ODD = ["a b", "ü", "50%", "#1", "it's", 'the "one"', "x;y&z"]


@pytest.fixture
def shadowed(tmp_path):
    """A working folder with packages that must not be imported."""
    folder = tmp_path / "work"
    for name in SHADOWS:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('shadowed by {name}')\n")
    return folder


@pytest.mark.parametrize("app", [searches, ablations])
@pytest.mark.parametrize("languages", ["", ",", " , "])
def test_no_language_is_a_mistake(app, languages, tmp_path):
    arguments = ["--lang", languages, "--preset", "mini", "--output", str(tmp_path), "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UserError)
    assert "--lang must name a language" in str(result.exception)


@pytest.mark.parametrize("app", [searches, ablations])
@pytest.mark.parametrize("option", ["--output", "--cache-dir"])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_file_in_the_place_of_a_folder(app, option, way, tmp_path):
    file = tmp_path / "file"
    file.write_text("a file")
    given = {"--output": str(tmp_path / "out"), "--cache-dir": str(tmp_path / "cache")}
    given[option] = str(file)
    names = {"--output": "PROKD_OUTPUT", "--cache-dir": "PROKD_CACHE"}
    env = {names[name]: place for name, place in given.items()} if way == "environment" else {}
    options = [] if env else [part for pair in given.items() for part in pair]
    data = ["--data-dir", str(tmp_path / "none")]  # not even looked for
    result = CliRunner().invoke(app, ["--preset", "mini", *data, *options], env=env)
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"{option} must be a folder that can be written")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("script", ["search/run.py", "ablations/run.py"])
def test_the_working_folder_shadows_nothing(script, shadowed):
    command = [str(ROOT / script), "--preset", "mini", "--dry-run", *TIMED_ELSEWHERE]
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    # An empty entry stands for the working folder.
    environment["PYTHONPATH"] = ""
    ended = preloaded.run(command, cwd=shadowed, env=environment, libraries_only=True)
    assert ended.returncode == 0, ended.stderr
    assert "students:" in ended.stdout
    # Typer is among the libraries that were imported already: here nothing is.
    command = [sys.executable, str(ROOT / script), "--help"]
    ended = subprocess.run(command, cwd=shadowed, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "--dry-run" in ended.stdout


def test_a_module_that_is_run_by_name_imports_no_library_from_the_working_folder(shadowed):
    for name in ("prokd", "search", "ablations"):  # such would be what was asked for
        (shadowed / name / "__init__.py").unlink()
        (shadowed / name).rmdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for module in ("prokd.cli", "search.run"):
        ended = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=shadowed,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr


WORKER = """
import sys
sys.executable = {python!r}
sys.path.insert(0, {root!r})
from pathlib import Path
from search.workers.cluster import Resources, connected
from search.workers.connection import LOCAL
with connected(LOCAL, Resources(), Path({output!r}), num_cpus=1):
    import ray
    def modules():
        import datasets, prokd, search.workers.trainables
        return [str(Path(m.__file__).resolve()) for m in (datasets, prokd, search)]
    print("\\n".join(ray.get(ray.remote(modules).remote())))
"""
COLD_WORKERS = """#!/bin/sh
case "$1$2" in */setup_worker.py*) exec "{real}" "$@" ;; esac
exec "{forks}" "$@"
"""
"""An interpreter whose forks are Ray's agents, not its workers: those must import all anew."""


@pytest.mark.ray
def test_workers_import_nothing_from_the_working_folder(shadowed, tmp_path):
    long = tmp_path / ("t" * 60)  # too long for Ray's sockets
    long.mkdir()
    environment = {**os.environ, "TMPDIR": str(long)}
    environment.pop("PYTHONPATH", None)
    python = tmp_path / "python"
    with preloaded.quick_workers():
        forks = sys.executable
    python.write_text(COLD_WORKERS.format(real=sys.executable, forks=forks))
    python.chmod(0o755)
    code = WORKER.format(python=str(python), root=str(ROOT), output=str(tmp_path / "out"))
    (tmp_path / "driver.py").write_text(code)
    command = [str(tmp_path / "driver.py")]
    ended = preloaded.run(command, cwd=shadowed, env=environment)
    assert ended.returncode == 0, ended.stderr
    library, *ours = (Path(line).resolve() for line in ended.stdout.splitlines())
    assert "site-packages" in library.parts
    assert ours == [ROOT / "prokd" / "__init__.py", ROOT / "search" / "__init__.py"]
    assert "is too long for the sockets in it" in ended.stderr
    assert not list(long.glob("prokd-import-*"))


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("name", ["t" * 80, "a b", "ü", "none/of/it"])
def test_ray_keeps_its_files_where_its_sockets_fit(variable, name, tmp_path, monkeypatch):
    monkeypatch.delenv("TMPDIR", raising=False)
    assert ray_folders.session_folder() is None
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv(variable, str(file / "x" if name == "none/of/it" else tmp_path / name))
    assert ray_folders.session_folder() == "/tmp/ray"


@pytest.mark.parametrize("name", ["what?", "p%20c"])
def test_a_folder_that_the_address_of_a_store_cannot_hold(name, new_store, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"--output must have no \? and no %"):
        Tracker(tmp_path / name)
    assert not list(tmp_path.iterdir())
    new_store(tmp_path, "elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    Tracker(tmp_path / name).check()


def test_a_store_is_made_in_a_folder_of_any_name(tmp_path):
    output = tmp_path / " ".join(ODD)
    Tracker(output).check()
    assert (output / "mlflow.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


@pytest.mark.parametrize("name", ODD)
def test_a_store_in_a_folder_of_any_name(name, new_store, tmp_path):
    output = tmp_path / name
    new_store(output)
    tracker = Tracker(output)
    tracker.check()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    client = tracker._opened().client
    experiment = client.create_experiment("x", tracker._opened().artifacts)
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "text", "folder/file.txt")
    (written,) = (output / "mlartifacts").rglob("file.txt")
    assert written.read_text() == "text"
    with closing(sqlite3.connect(output / "mlflow.db")) as store:
        names = [name for (name,) in store.execute("SELECT name FROM experiments")]
    assert sorted(names) == ["Default", "x"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
