"""The ``prokd`` command as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

from prokd.config import RuntimeConfig
from prokd.data.mini import ENCODER_PATH
from prokd.methods import build_config
from prokd.training.corpora import Corpora
from prokd.training.exports import export
from prokd.training.run import StageRun
from tests import preloaded

UNICODE = "\udcff"
"""What Python makes of the byte 0xff on a command line."""


def prokd(*arguments: str | Path, cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return preloaded.run(["-m", "prokd.cli", *map(str, arguments)], cwd=cwd, text=text)


def test_one_run_from_training_to_prediction(
    tiny_data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    settings = tiny.settings(tiny_encoder)
    flags = [
        part
        for path, value in settings.items()
        if path not in ("target", "encoder.name")
        for part in ("--set", f"{path}={value}")
    ]
    common = ["--lang", "xx", "--data-dir", tiny_data, "--model", tiny_encoder, *flags]
    trained = prokd("train-student", *common, "--export", "out", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "test/xx/entity_f1" in trained.stdout
    student = next((tmp_path / "runs").glob("student-*"))
    # Whatever was typed, a printed path can be used from anywhere.
    assert trained.stdout.splitlines()[-2:] == [
        f"student: {student}",
        f"export: {tmp_path / 'out'}",
    ]
    again = prokd("train-student", *common, cwd=tmp_path)
    assert again.stdout.count("nothing is trained again") == 2
    scores = prokd(
        "evaluate", student, "--lang", "xx", "--data-dir", tiny_data, "--json", cwd=tmp_path
    )
    report = json.loads((student / "report.json").read_text())["metrics"]
    assert json.loads(scores.stdout)["entity_f1"] == report["test/xx/entity_f1"]
    for folder in (student, tmp_path / "out"):
        tagged = prokd("predict", folder, "--text", "anna woont in paris.", cwd=tmp_path)
        assert tagged.returncode == 0, tagged.stderr
        assert [line.split("\t")[0] for line in tagged.stdout.split("\n")[:5]] == [
            "anna", "woont", "in", "paris", ".",
        ]  # fmt: skip
    rows = prokd(
        "predict", student, "--file", "-", "--format", "json", cwd=tmp_path,
        text="anna woont .\n\nopel nam omar aan .\n",
    )  # fmt: skip
    assert [len(json.loads(line)["words"]) for line in rows.stdout.splitlines()] == [3, 5]


def test_prediction_loads_no_library_that_it_does_not_need(
    tiny_data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    settings = tiny.settings(tiny_encoder) | tiny.FEW
    config = build_config("paper", "stable", settings)
    runtime = RuntimeConfig(
        data_dirs=(tiny_data,), runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache"
    )
    with StageRun("teacher", config, runtime) as run:
        run.run()
    exported = export(run.folder, tmp_path / "export")
    code = """import os, sys, torch._dynamo  # what both need, without transformers
given = [["predict", folder, "--text", "anna woont in paris."] for folder in sys.argv[1:]]
if not (late := os.fork()):  # where transformers is loaded already
    os.dup2(2, 1)
    import transformers.utils
    transformers.utils.is_scipy_available()
    from prokd.cli.app import app
    app(given[-1])
from prokd.cli.app import app
for arguments in given:
    app(arguments, standalone_mode=False)
heavy = "accelerate datasets matplotlib mlflow optuna pandas ray scipy sklearn".split()
assert (loaded := [name for name in heavy if name in sys.modules]) == [], loaded
import scipy.stats
assert os.waitpid(late, 0)[1] == 0
"""
    folders = [str(run.folder.path), str(exported)]
    told = subprocess.run(
        [sys.executable, "-c", code, *folders], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert len(re.findall("^anna", told.stdout, re.MULTILINE)) == 2
    assert len(re.findall("^anna", told.stderr, re.MULTILINE)) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train-teacher", "--set", "teacher.epoch=3"], "'teacher.epoch' does not exist"),
        (["train-teacher", "--set", "teacher.epochs=0"], "teacher.epochs: input should be"),
        (["train-teacher", "--preset", "huge"], "must be one of paper, fast, mini"),
        (["train-teacher", "--model", "./none", "--data-dir", "."], "./none does not exist"),
        (["predict", ".", "--text", "x"], "a model folder must hold"),
        (["predict", "."], "exactly one of --text and --file"),
        (["evaluate", ".", "--lang", "ar"], "must hold stage.json"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    result = prokd(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_a_full_disk_is_one_sentence_and_nothing_is_left_half_written(
    trained: Any, small_disk: Path, tmp_path: Path
) -> None:
    (run, _), model, _ = trained
    text = tmp_path / "text.txt"
    text.write_text("anna woont in paris .\n" * 2000)
    tagged = ["predict", model, "--file", text, "--quiet", "--workers", "1"]
    for arguments, named in (
        (["export", run, small_disk / "export"], "the disk must have space"),
        (
            [*tagged, "--to", small_disk / "tagged.txt"],
            f"of {small_disk}/tagged.txt must",
        ),
    ):
        done = prokd(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert named in line
        assert "it is full (No space left on device)" in line
        assert not list(small_disk.iterdir())


def test_the_embedded_default_is_counted(tmp_path: Path) -> None:
    result = prokd("data", "--preset", "mini", "--lang", "ar", "--lang", "en", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ar" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", ".", "--text", f"a{UNICODE}"],
        ["predict", f"./{UNICODE}", "--text", "a"],
        ["predict", ".", "--file", f"{UNICODE}.txt"],
        ["train-teacher", "--lang", f"{UNICODE}a"],
        ["data", "--lang", "en", "--data-dir", f"/tmp/{UNICODE}"],
        ["train-teacher", "--set", f"encoder.name={UNICODE}"],
    ],
)
def test_bytes_that_are_no_text_are_one_sentence(
    type_line: Callable[..., tuple[int, str, str]], arguments: list[str]
) -> None:
    status, _, said = type_line(*arguments)
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("error: an argument must be UTF-8, but got ")


def test_escaped_surrogates_of_a_setting_are_one_sentence(
    type_line: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, said = type_line("data", "--lang", "en", "--set", r'encoder.name="\ud800"')
    assert status == 2
    assert "the value of encoder.name must be UTF-8" in said


def test_data_of_several_languages(
    type_line: Callable[..., tuple[int, str, str]], tiny_data: Path, tiny_encoder: Path
) -> None:
    (tiny_data / "xx" / "dev.txt").unlink()
    (tiny_data / "xx" / "train.txt").write_text("anna\nwoont\nhier\n\nZÜRICH\n", "utf-8")
    known = ["--data-dir", tiny_data, "--model", tiny_encoder]
    status, printed, said = type_line("data", "--lang", "en,xx", *known)
    assert status == 0, said
    rows = {tuple(line.split()[:2]): line.split() for line in printed.split("\n")[1:] if line}
    assert len(rows) == 6
    assert rows["xx", "train"][2:12] == [
        "2", "4", "0", "1", "words,", "14.29%", "of", "subwords", "-", "-",
    ]  # fmt: skip
    assert rows["xx", "train"][12] == "unlabelled"
    assert rows["xx", "dev"][2:] == ["-", "-", "-", "-", "-", "-", "absent", "-", "-"]
    assert rows["en", "train"][2] == "96"
    # Nothing is trained: no word on learning rates, whatever the preset.
    status, again, said = type_line("data", "--preset", "mini", "--lang", "en,xx", *known)
    assert status == 0, said
    assert "learning_rate" not in again
    assert again.split()[:3] == printed.split()[:3]


def test_a_wrong_language_is_told_with_the_pattern_as_it_is(
    type_line: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, said = type_line("data", "--lang", "en,n!")
    assert status == 2
    assert "target: string should match pattern '^[A-Za-z0-9]" in said
    status, _, said = type_line("predict", str(ENCODER_PATH), "--text", "a", "--lang", "n!")
    assert (status, "a language must be a code such as ar" in said) == (2, True)


def test_the_user_says_which_column_holds_the_tags(
    type_line: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / "en").mkdir(exist_ok=True)
        (tmp_path / "en" / split).write_text("Ada;B-LOC;B-PER\nhere;O;O\n")
    common = ["data", "--lang", "en", "--data-dir", tmp_path, "--separator", ";"]
    assert "PER 1" in type_line(*common)[1]
    assert "LOC 1" in type_line(*common, "--tag-column", "1")[1]
    assert "`tag_column` must be" in type_line(*common, "--tag-column", "7")[2]
    config = build_config("mini", overrides={"target": "xx"})
    for column, kind in ((1, "LOC"), (None, "PER")):
        runtime = RuntimeConfig(data_dirs=(tmp_path,), separator=";", tag_column=column)
        assert Corpora(config, runtime).corpus("en", "train").entity_types == (kind,)
