"""An encoder in two parts equals the encoder in one; its frozen part has no dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModel

from prokd.config import EncoderConfig, ExperimentConfig, RuntimeConfig
from prokd.data import Batch, collate
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.training.corpora import Corpora

MODEL = {"max_length": 32, "seed": 0}


@pytest.fixture(scope="module")
def batch(tiny_config: ExperimentConfig, kept_runtime: RuntimeConfig) -> Batch:
    corpora = Corpora(tiny_config, kept_runtime)
    return collate(corpora.source_train, range(12), corpora.pad_token_id)


def config(folder: Path, layers: int = 1) -> EncoderConfig:
    return EncoderConfig(name=str(folder), frozen_layers=layers, dropout=0.0)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_two_parts_equal_the_whole(
    kind: str, layers: int, tiny_encoders: dict[str, Path], batch: Batch
) -> None:
    folder = tiny_encoders[kind]
    model = build_classifier(config(folder, layers), 7, **MODEL).eval()
    whole = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    expected_BTD = whole(
        input_ids=batch.input_ids_BT, attention_mask=batch.attention_mask_BT
    ).last_hidden_state
    features_ND, logits_NC = model(batch)
    expected_ND = expected_BTD.flatten(0, 1)[batch.token_index_N]
    torch.testing.assert_close(features_ND, expected_ND, rtol=0, atol=3e-6)
    assert logits_NC.shape == (batch.num_tokens, 7)
    again_ND, _ = model(model.with_bottom(batch))
    assert torch.equal(features_ND, again_ND)


def test_frozen_part_has_no_dropout_in_training(tiny_encoder: Path, batch: Batch) -> None:
    model = build_classifier(config(tiny_encoder, 2), 7, **MODEL).train()
    assert model.num_frozen == 2
    once, twice = model.with_bottom(batch).bottom_BTD, model.with_bottom(batch).bottom_BTD
    assert isinstance(once, Tensor)
    assert isinstance(twice, Tensor)
    assert torch.equal(once, twice)
    assert not once.requires_grad
    assert not torch.equal(model(batch)[0], model(batch)[0])  # the layer above has dropout


def test_layers_upon_trained_embeddings_are_not_the_frozen_part(tiny_encoder: Path) -> None:
    settings = EncoderConfig(name=str(tiny_encoder), frozen_layers=1, freeze_embeddings=False)
    model = build_classifier(settings, 7, **MODEL)
    assert (model.num_frozen, model.has_bottom) == (0, False)


def gradients(model: TokenClassifier, batch: Batch, limit: int | None) -> list[Tensor]:
    model.micro_batch_tokens = limit
    model.zero_grad()
    features_ND, logits_NC = model(batch)
    assert batch.labels_N is not None
    # A loss that does not add up over parts of a batch, as that of prototypes.
    means_D = features_ND.mean(dim=0)
    loss = torch.nn.functional.cross_entropy(logits_NC, batch.labels_N) + means_D.norm()
    loss.backward()
    return [value.grad for value in model.parameters() if value.grad is not None]


def test_parts_of_a_batch_give_its_gradient(tiny_encoder: Path, batch: Batch) -> None:
    model = build_classifier(config(tiny_encoder), 7, **MODEL).eval()
    longest = batch.input_ids_BT.shape[1]
    whole = gradients(model, batch, None)
    for rows in (1, 5, 12):
        parts = gradients(model, batch, rows * longest)
        assert len(batch.parts(rows * longest)) == -(-12 // rows)
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_parts_keep_fewer_activations(tiny_encoder: Path, batch: Batch) -> None:
    model = build_classifier(config(tiny_encoder), 7, **MODEL).train()
    kept = {}
    for limit in (None, batch.input_ids_BT.shape[1]):
        sizes: list[int] = []
        model.micro_batch_tokens = limit
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, sizes=sizes: sizes.append(tensor.numel()) or tensor, lambda held: held
        ):
            model(batch)
        kept[limit] = sum(sizes)
    assert kept[batch.input_ids_BT.shape[1]] < kept[None] / 5


def test_bf16_on_a_cpu_is_taken_where_it_is_asked_for(tiny_encoder: Path, batch: Batch) -> None:
    results = {}
    for precision in ("auto", "fp32", "bf16"):
        settings = EncoderConfig(name=str(tiny_encoder), frozen_layers=1, precision=precision)
        model = build_classifier(settings, 7, **MODEL).eval()
        with model.autocast():
            results[precision] = model(batch)[1]
    assert all(value.dtype == torch.float32 for value in results.values())
    assert torch.equal(results["auto"], results["fp32"])
    assert not torch.equal(results["bf16"], results["fp32"])
    torch.testing.assert_close(results["bf16"], results["fp32"], rtol=0, atol=0.05)
