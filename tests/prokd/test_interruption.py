"""Ctrl-C of the commands for one run: one sentence, status 130, no traceback, at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from prokd.data.mini import ENCODER_PATH
from tests import preloaded

ROOT = Path(__file__).resolve().parents[2]
ENCODER = str(ENCODER_PATH)
GOES_ON = "interrupted; running the same command again goes on from here."
AT_MODULES = """
import os, runpy, signal, sys

wanted, entry = sys.argv[1:3]
sys.argv[1:3] = []

class Interrupts:
    \"\"\"Interrupts the process where it begins to import a module, as a user may by chance.\"\"\"

    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupts())
runpy.run_module(entry, run_name="__main__", alter_sys=True)
"""


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_the_installed_script_begins_where_ctrl_c_is_answered() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["prokd"] == "prokd.cli.entry:main"


@pytest.mark.parametrize(
    ("entry", "module"),
    [
        ("prokd", "typer"),
        ("prokd", "prokd.config"),
        ("prokd", "torch.nn"),
        ("prokd", "transformers"),
        ("prokd.cli", "prokd.cli.options"),
        ("prokd.cli", "torch"),
    ],
)
def test_an_import_that_is_interrupted(entry: str, module: str, tmp_path: Path) -> None:
    given = ["predict", ENCODER, "--text", "Anna"]  # it must be loaded to see that it is no tagger
    process = start("-c", AT_MODULES, module, entry, *given, cwd=tmp_path)
    _, told = process.communicate(timeout=120)
    assert (process.returncode, told) == (130, "interrupted.\n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["train-teacher", "--preset", "mini"], GOES_ON),
        (["train-student", "--preset", "mini"], GOES_ON),
        (["evaluate", ENCODER, "--lang", "ar"], "interrupted."),
        (["data", "--preset", "mini", "--lang", "ar"], "interrupted."),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_each_command_says_what_it_leaves(given: list[str], sentence: str, tmp_path: Path) -> None:
    process = start("-c", AT_MODULES, "numpy", "prokd", *given, cwd=tmp_path)
    _, told = process.communicate(timeout=120)
    assert (process.returncode, told.splitlines()[-1]) == (130, sentence)
    assert "Traceback" not in told


def test_an_epoch_that_is_interrupted_goes_on(tmp_path: Path) -> None:
    sizes = ["teacher.epochs=200", "data.evaluation_limit=20"]
    sizes += ["data.source_train_limit=100", "data.target_train_limit=100"]
    settings = [part for size in sizes for part in ("--set", size)]
    given = ["-m", "prokd", "train-teacher", "--preset", "mini", "--lang", "ar", *settings]
    process, out, err = preloaded.piped(given, cwd=tmp_path)
    first = out.readline()
    assert first == (
        "reading phrasebook: en (labelled train and dev), ar (train without labels); "
        "encoder mini\n"
    )
    while "epoch 1" not in (line := err.readline()):
        assert line, "the command must not end"
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    told = err.read()
    assert told.splitlines()[-1] == GOES_ON
    assert "Traceback" not in told
    again, _, err = preloaded.piped(given, cwd=tmp_path)
    while "goes on after epoch" not in (line := err.readline()):
        assert line, "the command must not end"
    again.kill()
    again.wait()


def test_who_ignores_ctrl_c_goes_on_to_do_so(tmp_path: Path) -> None:
    sent = "os.kill(os.getpid(), signal.SIGINT)"
    code = AT_MODULES.replace("signal.default_int_handler", "signal.SIG_IGN")
    code = code.replace(sent, f"{sent}; print('sent', file=sys.stderr)")
    command = ["-c", code, "prokd.scoring.tagging", "prokd", "predict", ENCODER, "--text", "Anna"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = preloaded.run(command, cwd=tmp_path, env=environment, libraries_only=True)
    assert done.returncode == 2
    assert done.stderr.startswith("sent\n")
    assert "must be a trained tagger, but is an encoder without one" in done.stderr
