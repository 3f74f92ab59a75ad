import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prokd.errors import UserError
from search.configs import base_configs
from search.options import parse_seconds, parse_seeds
from search.run import app
from tests import preloaded
from tests.search.conftest import TIMED_ELSEWHERE

ROOT = Path(__file__).parents[2]
runner = CliRunner()


def _configs(**changes):
    arguments = {
        "method": "prokd",
        "preset": "mini",
        "reading": "stable",
        "languages": ["ar"],
        "source": "en",
        "dataset": None,
        "model": None,
        "settings": [],
    }
    return base_configs(**arguments | changes)


def _tiny(corpus, output, *more):
    return ["--preset", "mini", "--data-dir", str(corpus), "--output", str(output), *more]


@pytest.mark.parametrize("text", ["", "x", "30 m", "-5", "0", "1d", "m"])
def test_bad_time_budget(text):
    with pytest.raises(UserError, match="a time budget must look like 30m"):
        parse_seconds(text)


@pytest.mark.parametrize("text", ["0", "a", "1,1", "", ","])
def test_bad_seeds(text):
    with pytest.raises(UserError, match="the seeds must be"):
        parse_seeds(text)


def test_languages_repeat_and_split_at_commas():
    configs, fixed = _configs(languages=["ar,de", "es", "ar"], settings=["teacher.epochs=2"])
    assert [config.target for config in configs] == ["ar", "de", "es"]
    assert {config.teacher.epochs for config in configs} == {2}
    assert fixed == ["teacher.epochs"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": ["target=de"]}, "must be given by --lang"),
        ({"settings": ["seed=3"]}, "must be given by --seeds"),
        ({"settings": ["student.beta=1"]}, "does not exist"),
        ({"languages": ["en"]}, "source and target must differ"),
        ({"preset": "huge"}, "the preset must be one of"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(UserError, match=message):
        _configs(**changes)


def test_dry_run_counts_the_grid_and_starts_nothing(corpus, tmp_path):
    words = ["--space=paper", "--grid", "--dry-run", "--seeds", "2", "--address", "local"]
    for stage in ("teacher", "student"):  # steps that are soon measured
        words += ["--set", f"{stage}.batch_sentences=2"]
    command = [str(ROOT / "search" / "run.py"), *_tiny(corpus, tmp_path, *words)]
    result = preloaded.run(command, cwd=tmp_path)  # no Ray of the tests is connected to there
    assert result.returncode == 0, result.stderr
    assert "300 trials x 2 seeds, of the grid" in result.stdout
    assert "teachers: 10 (0 done, 10 to train)" in result.stdout
    assert "students: 600 (0 done, 600 to train)" in result.stdout
    assert "of training (measured on a few steps here)" in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_dry_run_does_not_time_what_will_run_elsewhere(corpus, tmp_path):
    result = runner.invoke(app, _tiny(corpus, tmp_path, "--dry-run", *TIMED_ELSEWHERE))
    assert result.exit_code == 0, result.output
    assert (
        "estimated cost: unknown (no finished run like these, and none can be measured here)"
        in result.output
    )


def test_fixed_settings_leave_the_space(corpus, tmp_path):
    more = [
        "--space=paper",
        "--grid",
        "--dry-run",
        "--reading",
        "literal",
        "--set",
        "student.fusion_weight=0.7",
        *TIMED_ELSEWHERE,
    ]
    result = runner.invoke(app, _tiny(corpus, tmp_path, *more))
    assert "100 trials x 1 seed" in result.output
    assert "teachers: 20" in result.output


def test_an_oracle_is_called_so_before_anything_starts(corpus, tmp_path):
    words = ["--select", "oracle", "--dry-run", *TIMED_ELSEWHERE]
    result = runner.invoke(app, _tiny(corpus, tmp_path, *words))
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ORACLE: results are chosen by labels of target dev; ")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lang", "ar", "--data-dir", "nowhere"], "nowhere"),
        (["--lang", "ar", "--preset", "mini", "--model", "/nowhere"], "/nowhere does not exist"),
        (["--select", "best"], "the criterion must be one of source_dev, teacher_agreement,"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(more, message, tmp_path):
    done = preloaded.run([str(ROOT / "search" / "run.py"), *more], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout in ("", "reading the data ...\n")
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "studies").exists()


def test_help_is_quick_and_names_every_option():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "search.run", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    for option in ("--lang", "--preset", "--trials", "--grid", "--select", "--dry-run"):
        assert option in done.stdout
    for package in ("torch", "ray", "mlflow"):
        assert f" {package}\n" not in done.stderr
