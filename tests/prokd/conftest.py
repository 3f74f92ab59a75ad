"""What several files of tests look at: imports stand in the fixtures, see tests/conftest.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def type_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: exit status, standard output, standard error."""
    from prokd.cli.app import app
    from prokd.cli.running import run_app

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prokd", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_app(app)
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="session")
def trained(tiny_encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two teachers that have learned more and less, the first one's export, and the data."""
    import tiny

    from prokd.config import RuntimeConfig, with_overrides
    from prokd.methods import build_config
    from prokd.runs.folder import RunFolder
    from prokd.training.exports import export
    from prokd.training.run import StageRun

    place = tmp_path_factory.mktemp("trained")
    data = tiny.write_corpus(place / "data")
    runtime = RuntimeConfig(
        data_dirs=(data,), runs_dir=place / "runs", cache_dir=place / "cache", device="cpu"
    )
    folders = []
    for epochs in (6, 1):
        config = build_config("paper", "stable", tiny.settings(tiny_encoder))
        changes = {"teacher.epochs": epochs, "teacher.alignment.weight": 0.0}
        with StageRun("teacher", with_overrides(config, changes), runtime) as run:
            run.run()
            folders.append(run.folder.path)
    first = RunFolder(place / "runs", *folders[0].name.split("-"))
    return folders, export(first, place / "export", runtime), data
