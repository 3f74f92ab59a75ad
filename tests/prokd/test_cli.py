"""The ``prokd`` command as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

QUICK = ["--set", "student.epochs=1"]


def prokd(*arguments: str | Path, cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prokd.cli", *map(str, arguments)],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


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
    common = ["--lang", "xx", "--data-dir", tiny_data, "--model", tiny_encoder, *flags, *QUICK]
    trained = prokd("train-student", *common, "--export", "out", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "test/xx/entity_f1" in trained.stdout
    student = next((tmp_path / "runs").glob("student-*"))
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


def test_the_embedded_default_is_counted(tmp_path: Path) -> None:
    result = prokd("data", "--preset", "mini", "--lang", "ar", "--lang", "en", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ar" in result.stdout
