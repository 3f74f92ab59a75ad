"""The precision of a run: settled by its device before it is named, refused where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from prokd.config import EncoderConfig, ExperimentConfig, RuntimeConfig, with_overrides
from prokd.encoder import artifact
from prokd.encoder.precision import autocast_type, kind_of_this_machine, loadable, settled
from prokd.errors import UserError
from prokd.training.run import StageRun

CPU = torch.device("cpu")


def named(precision: str) -> dict[str, str]:
    return {"encoder.precision": precision}


def test_a_run_is_named_by_what_it_trains_in(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    assert few_config.encoder.precision == "auto"
    folders = {}
    for precision in ("auto", "fp32", "bf16"):
        config = with_overrides(few_config, named(precision))
        with StageRun("teacher", config, tiny_runtime) as run:
            run.run()
            folders[precision] = run.folder.path
    assert folders["auto"] == folders["fp32"] != folders["bf16"]
    for precision in ("fp32", "bf16"):
        for file in ("stage.json", "identity.json", "config.json"):
            stored = json.loads((folders[precision] / file).read_text())
            assert stored["encoder"]["precision"] == precision
    assert artifact.load(folders["bf16"]).precision == "bf16"


def test_what_a_device_cannot_do_is_refused(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    config = with_overrides(tiny_config, named("fp16"))
    with pytest.raises(UserError, match=r"encoder\.precision must be fp32 or bf16 on a CPU, but"):
        StageRun("teacher", config, tiny_runtime)
    assert not tiny_runtime.runs_dir.exists()
    with pytest.raises(UserError, match="on a CPU"):
        autocast_type("fp16", CPU)


def test_a_gpu_is_asked_for_its_own_instructions(
    tiny_config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PyTorch's own answer, emulation or not, for a GPU that is not here.
    gpu = torch.device("cuda")
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    for has_bf16, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("prokd.encoder.precision._has_bf16", lambda device, has=has_bf16: has)
        assert settled(tiny_config, gpu).encoder.precision == expected
        assert settled(tiny_config, CPU).encoder.precision == "fp32"
    assert settled(with_overrides(tiny_config, named("fp16")), gpu).encoder.precision == "fp16"
    with pytest.raises(UserError, match=r"fp32 or fp16 on a GPU without bf16 \(Tesla T4\), but"):
        settled(with_overrides(tiny_config, named("bf16")), gpu)


def test_what_was_trained_elsewhere_is_loaded_where_it_can_be(tiny_encoder: Path) -> None:
    for stored, expected in (("fp16", "fp32"), ("bf16", "bf16"), ("fp32", "fp32")):
        encoder = EncoderConfig(name=str(tiny_encoder), precision=stored)
        assert loadable(encoder, CPU).precision == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_auto_on_a_gpu(tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig) -> None:
    has_bf16 = torch.cuda.get_device_capability()[0] >= 8
    runtime = tiny_runtime.model_copy(update={"device": "cuda"})
    with StageRun("teacher", tiny_config, runtime) as run:
        run.run()
        stored = artifact.describe(run.folder.path)["encoder"]["precision"]
        assert stored == ("bf16" if has_bf16 else "fp32")
        assert artifact.load(run.folder.path, runtime=runtime).precision == stored
    assert kind_of_this_machine() == ("gpu" if has_bf16 else "gpu without bf16")
    with StageRun("teacher", tiny_config, tiny_runtime) as on_cpu:
        assert (on_cpu.signature == run.signature) == (not has_bf16)
