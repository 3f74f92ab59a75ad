"""Checkpoints: written aside, checked, passed over when damaged, gone when the run is over."""

import logging
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
import tiny
import torch

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder.artifact import write_weights
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.runs.checkpoints import KEPT, Checkpoints, clear_about_space
from prokd.runs.folder import RunFolder
from prokd.training.run import StageRun

EPOCHS = 4


def make_config(encoder: Path) -> ExperimentConfig:
    settings = tiny.settings(encoder) | tiny.FEWER | {"teacher.epochs": EPOCHS}
    return build_config("paper", "stable", settings)


@pytest.fixture
def config(tiny_encoder: Path) -> ExperimentConfig:
    return make_config(tiny_encoder)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path, "teacher", "x")
    made.path.mkdir()
    return made


def damage_by_truncation(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def outcome(run: StageRun) -> tuple[bytes, list[float]]:
    weights = (run.folder.path / "weights.safetensors").read_bytes()
    return weights, [row["loss"] for row in run.folder.history() if "loss" in row]


@pytest.fixture(scope="module")
def undisturbed(tiny_encoder: Path, kept_runtime: RuntimeConfig) -> tuple[bytes, list[float]]:
    """What a teacher comes to whom nothing happens."""
    with StageRun("teacher", make_config(tiny_encoder), kept_runtime) as run:
        run.run()
        return outcome(run)


@pytest.fixture(scope="module")
def stopped(tiny_encoder: Path, kept_runtime: RuntimeConfig) -> RuntimeConfig:
    """Where one stopped before its last epoch."""
    runs_dir = kept_runtime.runs_dir.with_name("stopped")
    runtime = kept_runtime.model_copy(update={"runs_dir": runs_dir})
    with StageRun("teacher", make_config(tiny_encoder), runtime) as run:
        for _ in range(EPOCHS - 1):
            run.step()
    return runtime


@pytest.mark.parametrize("damage", [damage_by_truncation, damage_one_bit, empty])
@pytest.mark.parametrize("num_damaged", [1, 2])
def test_damaged_checkpoint(damage, num_damaged, undisturbed, config, stopped, tmp_path, caplog):
    runtime = tiny.copied(stopped, tmp_path / "runs")
    with StageRun("teacher", config, runtime) as run:
        folder = run.folder
    assert [path.name[:15] for path in folder.checkpoints()] == [
        "checkpoint-0003",
        "checkpoint-0002",
    ]
    for path in folder.checkpoints()[:num_damaged]:
        damage(path)
    with caplog.at_level(logging.WARNING), StageRun("teacher", config, runtime) as run:
        run.run()
        assert run.trained_epochs == EPOCHS - (2 if num_damaged == 1 else 0)
        assert outcome(run) == undisturbed
        assert len(run.folder.history()) == EPOCHS
    assert caplog.text.count("wrong checksum") == num_damaged


def test_killed_between_the_last_epoch_and_its_mark(undisturbed, config, tiny_runtime):
    with StageRun("teacher", config, tiny_runtime) as run:
        for _ in range(EPOCHS - 1):
            run.step()
        run._train_epoch()  # and nothing after it
    with StageRun("teacher", config, tiny_runtime) as run:
        run.run()
        assert run.trained_epochs == 0
        assert outcome(run) == undisturbed


@pytest.mark.parametrize("epoch", [2, EPOCHS])
def test_killed_between_a_checkpoint_and_its_metrics(
    epoch, undisturbed, config, tiny_runtime, monkeypatch
):
    with StageRun("teacher", config, tiny_runtime) as run:
        for _ in range(epoch - 1):
            run.step()
        run.flush()
        with monkeypatch.context() as patched:
            patched.setattr(RunFolder, "write_history", Mock(side_effect=KeyboardInterrupt))
            run._train_epoch()
            with pytest.raises(KeyboardInterrupt):
                run.flush()  # the checkpoint is there, its metrics are not
        assert len(run.folder.history()) == epoch - 1
        assert run.folder.checkpoints()[0].name.startswith(f"checkpoint-{epoch:04d}-")
    with StageRun("teacher", config, tiny_runtime) as run:
        run.run()
        assert run.trained_epochs == EPOCHS - epoch
        assert outcome(run) == undisturbed
        assert [row["epoch"] for row in run.folder.history()] == list(range(1, EPOCHS + 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_disk(undisturbed, config, tiny_runtime):
    with StageRun("teacher", config, tiny_runtime) as run:
        run.step()
        run._checkpoints.wait()
        (kept,) = run.folder.checkpoints()
        (run.folder.path / ".checkpoint-part").symlink_to("/dev/full")
        run.step()  # its checkpoint is written while the next epoch trains, and fails
        with pytest.raises(UserError, match=r"needs space on the disk of .*teacher-"):
            run.step()
        assert run.folder.checkpoints() == [kept]
    with StageRun("teacher", config, tiny_runtime) as run:
        run.run()
        assert outcome(run) == undisturbed
        assert not list(run.folder.path.glob(".checkpoint*"))


def test_a_disk_that_is_full_when_the_weights_are_saved(small_disk):
    # Safetensors raises an error of its own, not the operating system's.
    with (
        pytest.raises(
            UserError, match=r"needs space on the disk of .*small, but it is full \(No "
        ),
        clear_about_space(small_disk),
    ):
        write_weights(small_disk, {"weights": torch.zeros(100_000)})
    assert not list(small_disk.iterdir())


def test_a_state_that_changes_while_it_is_written_is_the_one_that_was_saved(folder):
    weights = torch.zeros(1_000_000)
    checkpoints = Checkpoints(folder)
    checkpoints.save({"nested": [{"weights": weights}], "epoch": 1}, 1, lambda: None)
    weights += 1
    checkpoints.wait()
    state = checkpoints.load()
    assert state is not None
    assert not state["nested"][0]["weights"].any()


def test_the_last_two_are_kept_and_none_after_the_end(folder):
    checkpoints, written = Checkpoints(folder), []
    for epoch in range(1, 6):
        checkpoints.save({"epoch": epoch}, epoch, lambda epoch=epoch: written.append(epoch))
    checkpoints.close()
    assert written == [1, 2, 3, 4, 5]
    assert len(folder.checkpoints()) == KEPT
    assert Checkpoints(folder).load() == {"epoch": 5}
    folder.mark_failed("collapsed")
    assert folder.checkpoints() == []


def test_nothing_but_tensors_and_plain_values_is_loaded(folder):
    checkpoints = Checkpoints(folder)
    checkpoints.save({"epoch": Path("/")}, 1, lambda: None)  # an object of any other class
    checkpoints.wait()
    with pytest.raises(Exception, match="weights_only"):
        checkpoints.load()


def test_parts_of_a_killed_process_are_removed(folder):
    (folder.path / ".weights.safetensors-abc").touch()
    (folder.path / ".lock").touch()
    Checkpoints(folder)
    assert {path.name for path in folder.path.iterdir()} == {".lock"}
