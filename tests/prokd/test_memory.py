"""Memory that runs out: the batch goes through in parts, or one sentence says what to lower."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.data import Batch
from prokd.encoder import TokenClassifier
from prokd.errors import UserError
from prokd.memory import PeakMemory, ran_out_of_memory, release_memory
from prokd.training import StageRun

LENGTH = 32


def weights(run: StageRun) -> str:
    content = (run.folder.path / "weights.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def small_device(monkeypatch: pytest.MonkeyPatch, subwords: int) -> None:
    """Let training run out of memory where more subwords go through the encoder at once."""
    whole = TokenClassifier._features

    def limited(model: TokenClassifier, batch: Batch) -> torch.Tensor:
        if model.training and batch.input_ids_BT.numel() > subwords:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, batch)

    monkeypatch.setattr(TokenClassifier, "_features", limited)


def test_batch_that_does_not_fit_is_split(
    tiny_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # By its limits a batch may have 4 * 32 subwords: halved twice.
    asked_for = {f"{kind}.micro_batch_tokens": LENGTH for kind in ("teacher", "student")}
    elsewhere = tiny_runtime.model_copy(update={"runs_dir": tmp_path / "asked-for"})
    for kind in ("teacher", "student"):
        with StageRun(kind, with_overrides(tiny_config, asked_for), elsewhere) as run:
            run.run()
            expected = weights(run)
        with monkeypatch.context() as patch, StageRun(kind, tiny_config, tiny_runtime) as run:
            small_device(patch, LENGTH)
            result = run.run()
            assert result["peak_memory_mb"] > 50
            assert run.stage is not None
            assert run.stage.model.micro_batch_tokens == LENGTH
            assert weights(run) == expected


def test_parts_that_fitted_are_kept_by_a_run_that_goes_on(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, StageRun("teacher", tiny_config, tiny_runtime) as run:
        small_device(patch, LENGTH)
        run.step()
    with StageRun("teacher", tiny_config, tiny_runtime) as run:
        run.step()
        assert run.trained_epochs == 1
        assert run.folder.done
        assert run.stage is not None
        assert run.stage.model.micro_batch_tokens == LENGTH


def test_run_that_never_fits_says_what_to_lower(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_device(monkeypatch, 4)
    with (
        pytest.raises(UserError, match=r"teacher does not fit .* lower data\.max_length \(32\)"),
        StageRun("teacher", tiny_config, tiny_runtime) as run,
    ):
        run.run()
    assert not run.done
    assert run.folder.failure() is None  # more memory, and it goes on


def test_other_errors_are_not_taken_for_it() -> None:
    assert ran_out_of_memory(torch.OutOfMemoryError("x"))
    assert ran_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not ran_out_of_memory(RuntimeError("shapes do not fit"))


def test_peak_counts_from_now() -> None:
    release_memory()  # what other tests have left would make room for what is held below
    peak = PeakMemory(torch.device("cpu"))
    before = peak.megabytes()
    held = torch.ones(16 * 2**20)  # 64 MB
    assert peak.megabytes() >= before + 50
    del held
