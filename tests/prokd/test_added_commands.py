"""Commands that installed packages add to ``prokd``: listed without loading, told when broken."""

import os
import subprocess
import sys

import pytest

FILES = {
    "fine.py": "def greet(name: str = 'you'):\n    '''Greet.'''\n    print(f'hello {name}')\n",
    "broken.py": "raise RuntimeError('it is\\nbroken')\n",
    "added-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: added\nVersion: 1.0\n",
    "added-1.0.dist-info/entry_points.txt": (
        "[prokd.commands]\ngreet = fine:greet\nfails = broken:x\nvalue = sys:path\ngc = broken:x\n"
    ),
}


@pytest.fixture
def prokd(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "prokd", *words],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "150"},
            capture_output=True,
            text=True,
        )

    return run


def test_an_added_command_runs_and_a_broken_one_is_told_when_it_is_called(prokd):
    listed = prokd("--help")
    assert listed.returncode == 0, listed.stderr  # nothing was loaded
    for name in ("gc", "greet", "fails", "value", "report"):
        assert f" {name} " in listed.stdout
    assert "Of added's fine" in listed.stdout
    assert prokd("greet", "--name", "her").stdout == "hello her\n"
    for name, reason in {"fails": "RuntimeError: it is broken", "value": "TypeError: "}.items():
        said = prokd(name)
        assert said.returncode == 2
        (line,) = said.stderr.strip().splitlines()
        assert line.startswith(f"error: the command '{name}' of added (")
        assert reason in line


def test_an_own_command_is_not_replaced(prokd, tmp_path):
    assert "0 to remove" in prokd("gc", "--output", str(tmp_path), "--dry-run").stdout
