"""Memory that runs out: the run goes on under another name, or one sentence says what to lower."""

from __future__ import annotations

import gc
import hashlib
import threading
import time
import weakref

import pytest
import tiny
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides, with_precision
from prokd.data import Batch
from prokd.encoder import artifact
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.packed import Packing
from prokd.errors import UserError
from prokd.runs.cleaning import find_waste, needed
from prokd.runs.identity import stage_signature
from prokd.runs.within_memory import NOTE, asked_names, noted
from prokd.stages.memory import PeakMemory, ran_out_of_memory, release_memory
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun

LENGTH = 32
KINDS = ("teacher", "student")


def weights(run: StageRun) -> str:
    content = (run.folder.path / "weights.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def small_device(monkeypatch: pytest.MonkeyPatch, subwords: int) -> None:
    """Let training run out of memory where more subwords go through the encoder at once."""
    whole = TokenClassifier._features

    def limited(model: TokenClassifier, batch: Batch, packing: Packing | None) -> torch.Tensor:
        if model.training and batch.input_ids_BT.numel() > subwords:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, batch, packing)

    monkeypatch.setattr(TokenClassifier, "_features", limited)


def curve(run: StageRun) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


def signature_of(config: ExperimentConfig, runtime: RuntimeConfig, kind: str = "teacher") -> str:
    known = with_precision(config, "fp32")
    return stage_signature(known, kind, Corpora(config, runtime).fingerprints())


def with_parts(config: ExperimentConfig, tokens: int, *kinds: str) -> ExperimentConfig:
    return with_overrides(config, {f"{kind}.micro_batch_tokens": tokens for kind in kinds})


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> None:
    """What other tests have left is not looked through where a run gives its memory back."""
    gc.freeze()


@pytest.fixture
def dropping_out(few_config: ExperimentConfig) -> ExperimentConfig:
    """Dropout is what makes the parts of a batch count."""
    small = {f"{kind}.batch_sentences": 4 for kind in KINDS}
    return with_overrides(few_config, {"encoder.dropout": 0.3, **small, **tiny.FAST})


def test_run_that_does_not_fit_is_that_of_another_configuration(
    dropping_out: ExperimentConfig,
    kept_runtime: RuntimeConfig,
    tiny_runtime: RuntimeConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # By its limits a batch may have 4 * 32 subwords: halved twice.
    asked_for = with_parts(dropping_out, LENGTH, *KINDS)
    for kind in KINDS:
        with StageRun(kind, asked_for, kept_runtime) as run:
            run.run()
            expected = (run.folder.path.name, weights(run), curve(run))
        with monkeypatch.context() as patch, StageRun(kind, dropping_out, tiny_runtime) as run:
            asked = run.folder
            small_device(patch, LENGTH)
            result = run.run()
            assert result["peak_memory_mb"] > 50
            assert (run.folder.path.name, weights(run), curve(run)) == expected
        assert noted(asked) == 2 * LENGTH
        assert asked.result() is None
        assert not asked.done
        assert not list(asked.path.glob("*.safetensors"))
        assert f"as {expected[0]}, with {kind}.micro_batch_tokens = {LENGTH}" in caplog.text
        assert asked.signature in asked_names(run.folder)


def test_parts_do_change_the_numbers(
    dropping_out: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    curves = []
    for config in (dropping_out, with_parts(dropping_out, LENGTH, "teacher")):
        with StageRun("teacher", config, kept_runtime) as run:
            run.run()
            curves.append(curve(run))
    assert curves[0] != curves[1]


@pytest.mark.parametrize("what", ["building", "scoring", "reporting on"])
def test_memory_that_runs_out_beside_training_is_one_sentence(
    what: str,
    few_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {
        "building": (StageRun, "_new_stage"),
        "scoring": (StageRun, "_criteria"),
        "reporting on": (Corpora, "report"),
    }

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory\nand so on")

    with StageRun("teacher", few_config, tiny_runtime) as run:
        monkeypatch.setattr(*places[what], full)

        def to_the_end() -> None:
            run.run()
            run.report()

        with pytest.raises(UserError, match=rf"^{what} the teacher must fit into the .* of cpu"):
            to_the_end()
        assert noted(run.folder) is None
        monkeypatch.undo()
        run.run()  # it goes on
        assert run.report()


def test_run_goes_on_where_it_is_led(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StageRun("teacher", few_config, tiny_runtime) as run:
        run.step()
        asked = run.folder
        with monkeypatch.context() as patch:
            small_device(patch, LENGTH)
            run.step()  # from the first epoch
        assert run.epoch == 1
        assert not asked.checkpoints()
    with StageRun("teacher", few_config, tiny_runtime) as run:
        assert run.folder.signature != asked.signature
        run.step()
        assert run.trained_epochs == 1
        assert run.folder.done
        assert "micro_batch_tokens" not in str(run.folder.checkpoints())


def test_whoever_waited_is_led_on_too(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def wait() -> None:
        with StageRun("teacher", few_config, tiny_runtime) as run:
            run.run()
            opened.append(run.folder.signature)

    with StageRun("teacher", few_config, tiny_runtime) as run:
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        small_device(monkeypatch, LENGTH)
        run.run()
        opened.append(run.folder.signature)
    waiting.join()
    assert opened == 2 * [signature_of(with_parts(few_config, LENGTH, "teacher"), tiny_runtime)]


def test_finished_run_wins_over_a_note(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, StageRun("teacher", few_config, tiny_runtime) as run:
        asked = run.folder
        small_device(patch, LENGTH)
        run.step()
    (asked.path / NOTE).rename(asked.path / "aside")
    with StageRun("teacher", few_config, tiny_runtime) as run:
        run.run()
    (asked.path / "aside").rename(asked.path / NOTE)
    with StageRun("teacher", few_config, tiny_runtime) as run:
        assert run.done
        assert run.folder.path == asked.path


def test_students_of_a_teacher_that_did_not_fit(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [signature_of(few_config, tiny_runtime, kind) for kind in KINDS]
    with monkeypatch.context() as patch, StageRun("teacher", few_config, tiny_runtime) as run:
        small_device(patch, LENGTH)
        run.run()
        teacher = run.folder
    with StageRun("student", few_config, tiny_runtime) as run:
        run.run()
        student = run.folder
    moved = with_parts(few_config, LENGTH, "teacher")
    assert student.signature == signature_of(moved, tiny_runtime, "student")
    output = tiny_runtime.runs_dir.parent
    (output / "studies").mkdir()
    journal = output / "studies" / "x.journal"
    for name in (asked[1], student.signature):
        journal.write_text(f'{{"signature": ["{name}"]}}\n')
        assert {*asked, teacher.signature, student.signature} <= needed(output)
        assert find_waste(output) == []
    journal.write_text("")
    assert {item.path for item in find_waste(output)} == set(tiny_runtime.runs_dir.iterdir())


def test_run_that_never_fits_says_what_to_lower(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_device(monkeypatch, 4)
    with (
        pytest.raises(UserError, match=r"teacher does not fit .* lower data\.max_length \(32\)"),
        StageRun("teacher", few_config, tiny_runtime) as run,
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
    held = torch.ones(64 * 2**20)  # 256 MB; a thread of pyarrow's may give some back meanwhile
    assert peak.megabytes() >= before + 50
    del held


def test_what_trained_is_gone_when_its_result_is_scored(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, there = artifact.load, []
    with StageRun("teacher", few_config, tiny_runtime) as run:
        run.run()
        assert run.stage is not None
        trained = weakref.ref(run.stage.model)

        def watched(*given: object) -> object:
            there.append(trained())
            return load(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(artifact, "load", watched)
        assert run.report()
    assert there == [None]
