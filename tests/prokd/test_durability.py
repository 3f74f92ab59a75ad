"""A machine that loses power, a disk that changes bytes: what is damaged is made again."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny

from prokd.common.files import file_sha256, read_json
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.errors import UserError
from prokd.training.run import StageRun


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 0xFF
    elif how == "zeroed":
        content[len(content) // 3 :] = bytes(len(content) - len(content) // 3)
    elif how == "cut":
        content = content[: len(content) // 2]
    path.unlink()
    if how != "gone":
        path.write_bytes(content)


def _train(kind: str, config: ExperimentConfig, runtime: RuntimeConfig) -> tuple[Path, int]:
    with StageRun(kind, config, runtime) as run:  # type: ignore[arg-type]
        run.run()
        return run.folder.path, run.trained_epochs


@pytest.fixture
def runtime(
    few_config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> RuntimeConfig:
    """Where a teacher and its student are trained already."""
    for kind in ("teacher", "student"):
        _train(kind, few_config, kept_runtime)
    return tiny.copied(kept_runtime, tmp_path / "runs")


@pytest.mark.parametrize("how", ["flipped", "zeroed", "cut", "gone"])
def test_a_run_whose_weights_are_damaged_is_trained_again(
    how: str,
    few_config: ExperimentConfig,
    runtime: RuntimeConfig,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, _ = _train("teacher", few_config, runtime)
    weights = folder / "weights.safetensors"
    before = file_sha256(weights)
    made_of_it = list(folder.glob("probabilities-*.npy"))
    assert made_of_it  # by the student
    assert read_json(folder / "DONE")["weights_sha256"] == before
    _damage(weights, how)
    with caplog.at_level(logging.WARNING):
        again, trained = _train("teacher", few_config, runtime)
    assert (again, trained) == (folder, few_config.teacher.epochs)
    assert not any(path.exists() for path in made_of_it)
    assert "the run is trained again" in caplog.text
    assert file_sha256(weights) == before
    assert _train("teacher", few_config, runtime)[1] == 0


def test_damaged_weights_are_never_loaded(
    few_config: ExperimentConfig, runtime: RuntimeConfig
) -> None:
    folder, _ = _train("teacher", few_config, runtime)
    _damage(folder / "weights.safetensors", "flipped")
    with pytest.raises(UserError, match="do not match their checksum"):
        artifact.load(folder)


@pytest.mark.parametrize("name", ["DONE", "result.json"])
def test_a_mark_or_result_that_is_damaged_ends_no_run(
    name: str, few_config: ExperimentConfig, runtime: RuntimeConfig
) -> None:
    folder, _ = _train("teacher", few_config, runtime)
    (folder / name).write_bytes(bytes(20))
    assert _train("teacher", few_config, runtime)[1] == few_config.teacher.epochs


@pytest.mark.parametrize("how", ["flipped", "zeroed", "cut"])
def test_damaged_probabilities_are_computed_anew(
    how: str, few_config: ExperimentConfig, runtime: RuntimeConfig
) -> None:
    teacher, _ = _train("teacher", few_config, runtime)
    first, _ = _train("student", few_config, runtime)
    (path,) = teacher.glob("probabilities-*.npy")
    expected, weights = np.load(path), file_sha256(first / "weights.safetensors")
    _damage(path, how)
    (first / "DONE").unlink()
    _train("student", few_config, runtime)
    assert np.array_equal(np.load(path), expected)
    assert file_sha256(first / "weights.safetensors") == weights


def test_everything_is_on_the_disk_before_the_checkpoints_go(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace, unlink = os.fsync, os.replace, Path.unlink

    def name(path: str) -> str:
        return "weights" if "weights" in path else path.rsplit("/", 1)[-1].strip(".").split("-")[0]

    def note(event: str) -> None:
        if threading.current_thread() is threading.main_thread():  # not the last checkpoint's
            events.append(event)

    def watch_sync(handle: int) -> None:
        note(f"sync {name(os.readlink(f'/proc/self/fd/{handle}'))}")
        sync(handle)

    def watch_replace(old: str, new: str) -> None:
        note(f"place {name(str(new))}")
        replace(old, new)

    def watch_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".pt":
            note("unlink checkpoint")
        unlink(path, missing_ok=missing_ok)

    with StageRun("teacher", few_config, tiny_runtime) as run:
        run.step()
        run.flush()
        monkeypatch.setattr(os, "fsync", watch_sync)
        monkeypatch.setattr(os, "replace", watch_replace)
        monkeypatch.setattr(Path, "unlink", watch_unlink)
        run.step()
    last = events.index("unlink checkpoint")
    for file in ("weights", "result.json", "DONE"):
        placed = events.index(f"place {file}")
        assert events[placed - 1] == f"sync {file}"
        assert events[placed + 1] == "sync teacher"  # the folder, by the start of its name
        assert placed < last
    assert events.index("place weights") < events.index("place result.json")
    assert events.index("place result.json") < events.index("place DONE")
