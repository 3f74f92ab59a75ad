"""Frozen features that are kept are the bits that training would compute itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.data import collate
from prokd.encoder.classifier import build_classifier
from prokd.encoder.frozen import SUFFIX
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun

OFF = {"frozen_cache": "off"}


def files(runtime: RuntimeConfig) -> list[Path]:
    return sorted(Path(runtime.cache_dir).glob(f"*{SUFFIX}"))


def outcome(folder: Path) -> tuple[str, list[dict[str, float]]]:
    """Hash of the trained weights, and the curve."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    curve = [{name: row[name] for name in row if name != "seconds"} for row in rows]
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest(), curve


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_kept_features_are_the_bits_of_any_batch(
    layers: int, precision: str, tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    overrides = {"encoder.frozen_layers": layers, "encoder.precision": precision}
    config = with_overrides(tiny_config, overrides)
    corpora = Corpora(config, tiny_runtime)
    model = build_classifier(config.encoder, 7, max_length=32, seed=0).train()
    plain = corpora.source_train
    kept = corpora.prepared(model, plain)
    assert plain.frozen_features is None
    assert kept.frozen_features is not None
    assert isinstance(kept.frozen_features, np.memmap)
    random = np.random.default_rng(0)
    for size in (1, 5, 32, 96):
        chosen = random.permutation(len(plain))[:size]
        fresh = model.with_bottom(collate(plain, chosen, 0))
        stored = collate(kept, chosen, 0)
        assert fresh.bottom_BTD is not None
        assert stored.bottom_BTD is not None
        assert stored.bottom_BTD.dtype == fresh.bottom_BTD.dtype
        exists_BT = fresh.attention_mask_BT.bool()
        assert torch.equal(fresh.bottom_BTD[exists_BT], stored.bottom_BTD[exists_BT])


@pytest.mark.parametrize("layers", [0, 2])
def test_training_with_kept_features_is_training_without(
    layers: int, few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    config = with_overrides(few_config, {"encoder.frozen_layers": layers})
    with_cache = tiny_runtime.model_copy(update={"frozen_cache": "on"})
    without = tiny_runtime.model_copy(update={**OFF, "runs_dir": tmp_path / "without"})
    mixed = tiny_runtime.model_copy(update={**OFF, "runs_dir": tmp_path / "mixed"})
    for kind in ("teacher", "student"):
        results = []
        for runtime in (without, with_cache):
            with StageRun(kind, config, runtime) as run:
                run.run()
                results.append(outcome(run.folder.path))
        # Interrupted without the file, resumed with it.
        with StageRun(kind, config, mixed) as run:
            run.step()
        resumed = mixed.model_copy(update={"frozen_cache": "on"})
        with StageRun(kind, config, resumed) as run:
            run.run()
            assert run.trained_epochs == 1
            results.append(outcome(run.folder.path))
        assert results[0] == results[1] == results[2]
    assert len(files(tiny_runtime)) == 3


def test_auto_keeps_layers_within_the_limit(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    def kept(runtime: RuntimeConfig, layers: int) -> bool:
        config = with_overrides(few_config, {"encoder.frozen_layers": layers})
        corpora = Corpora(config, runtime)
        model = build_classifier(config.encoder, 7, max_length=32, seed=0)
        return corpora.prepared(model, corpora.target_train).frozen_features is not None

    assert not kept(tiny_runtime.model_copy(update=OFF), 1)
    assert not kept(tiny_runtime.model_copy(update={"frozen_cache_bytes": 1000}), 1)
    assert not kept(tiny_runtime, 0)  # the embeddings alone are cheaper than reading a file
    assert files(tiny_runtime) == []
    assert kept(tiny_runtime, 1)
    # Its own file does not stand in its way, another one does.
    size = files(tiny_runtime)[0].stat().st_size
    full = tiny_runtime.model_copy(update={"frozen_cache_bytes": size})
    assert kept(full, 1)
    assert not kept(full, 2)


def test_damaged_file_is_built_anew(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    corpora = Corpora(few_config, tiny_runtime)
    model = build_classifier(few_config.encoder, 7, max_length=32, seed=0)
    whole = np.array(corpora.prepared(model, corpora.target_train).frozen_features)
    (path,) = files(tiny_runtime)
    path.write_bytes(path.read_bytes()[:200])
    again = corpora.prepared(model, corpora.target_train).frozen_features
    assert again is not None
    assert np.array_equal(again, whole)
