"""A stage on disk: bit for bit on its base, refused on another, a plain folder for others."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file

from prokd.config import EncoderConfig, ExperimentConfig, RuntimeConfig, with_overrides
from prokd.encoder import artifact
from prokd.encoder.classifier import build_classifier
from prokd.errors import UserError
from prokd.scoring.tagging import Tagger
from prokd.training.exports import export
from prokd.training.run import StageRun
from tests import preloaded


@pytest.fixture
def run(few_config: ExperimentConfig, tiny_runtime: RuntimeConfig) -> StageRun:
    run = StageRun("teacher", few_config, tiny_runtime)
    while run.epoch < run.num_epochs - 1:
        run.step()
    return run


def test_restores_bit_identically_and_stores_only_what_was_trained(run: StageRun) -> None:
    stage = run.stage
    assert stage is not None
    run.step()
    stored = load_file(run.folder.path / "weights.safetensors")
    assert set(stored) == set(stage.model.trained_state())
    assert not any("embeddings" in name or "layer.0." in name for name in stored)
    restored = artifact.load(run.folder.path)
    for name, value in stage.model.state_dict().items():
        assert torch.equal(restored.state_dict()[name], value), name


def test_wrong_base_is_a_clear_error(run: StageRun, tmp_path: Path) -> None:
    run.step()
    other = tiny.write_encoder(tmp_path / "other", seed=7)
    with pytest.raises(UserError, match=r"was trained on the encoder .* with fingerprint"):
        artifact.load(run.folder.path, EncoderConfig(name=str(other)))


def test_moved_base_is_found_by_its_content(run: StageRun, tmp_path: Path) -> None:
    run.step()
    moved = tiny.write_encoder(tmp_path / "moved")
    artifact.load(run.folder.path, EncoderConfig(name=str(moved)))


def test_folder_without_a_stage_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must hold stage.json"):
        artifact.load(tmp_path)


PLAIN = """
import gc, json, sys
gc.disable()  # it starts quicker
from transformers import pipeline
for folder in sys.argv[1:]:
    tagger = pipeline("token-classification", model=folder, aggregation_strategy="first")
    hits = [[hit["entity_group"], hit["word"]] for hit in tagger("anna woont in paris .")]
    print(json.dumps([tagger.model.config.id2label, hits]))
assert not any(name.split(".")[0] == "prokd" for name in sys.modules)
"""


def test_exports_are_loaded_by_a_plain_pipeline(
    few_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    tiny_encoders: dict[str, Path],
    tmp_path: Path,
) -> None:
    exports = []
    for kind, encoder in tiny_encoders.items():
        config = with_overrides(few_config, {"encoder.name": str(encoder), **tiny.FAST})
        with StageRun("teacher", config, tiny_runtime) as run:
            run.run()
            exports.append(export(run.folder, tmp_path / kind))
        sentence = [["anna", "woont", "in", "paris", "."]]
        one, two = Tagger(run.folder.path).tag(sentence)[0], Tagger(exports[-1]).tag(sentence)[0]
        assert one.tags == two.tags
        assert one.scores == pytest.approx(two.scores, abs=1e-6)
    folders = map(str, exports)
    done = preloaded.run(["-c", PLAIN, *folders], cwd=tmp_path, libraries_only=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert printed.count('"1": "B-LOC"') == len(exports)


def test_frozen_parts(tiny_encoder: Path) -> None:
    config = EncoderConfig(name=str(tiny_encoder), frozen_layers=2)
    model = build_classifier(config, 7, max_length=32, seed=0)
    trained = set(model.trained_state())
    assert trained
    assert all(name.startswith(("encoder.encoder.layer.2.", "classifier.")) for name in trained)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frozen_layers": 4}, r"at most the 3 layers .* but got 4"),
        ({"name": "./nowhere"}, r"\./nowhere does not exist"),
    ],
)
def test_bad_encoders(settings: dict[str, object], message: str, tiny_encoder: Path) -> None:
    config = EncoderConfig(**{"name": str(tiny_encoder), **settings})
    with pytest.raises(UserError, match=message):
        build_classifier(config, 7, max_length=32, seed=0)


def test_too_many_subwords_for_the_encoder(tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match=r"at most the 66 positions"):
        build_classifier(EncoderConfig(name=str(tiny_encoder)), 7, max_length=67, seed=0)


def test_unreachable_hub_names_the_ways_out(tiny_config: ExperimentConfig) -> None:
    with pytest.raises(UserError, match=r"--preset mini.*--model PATH --data-dir DIR.*cache"):
        build_classifier(EncoderConfig(name="nobody/nothing"), 7, max_length=32, seed=0)
