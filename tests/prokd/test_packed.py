"""Layers that see no padding give what the library's own encoder gives, and its gradients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

from prokd.data import Batch
from prokd.encoder import packed
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layers import encoder_layers, run_bottom, run_top
from prokd.encoder.packed import (
    ROWS,
    Packing,
    attend_by_length,
    attend_jagged,
    can_attend,
    run_packed,
)
from prokd.terms.sequences import Places

LENGTHS = [7, 3, 12, 7, 1, 12, 5]


Inputs = tuple[Tensor, Tensor, Tensor]
"""Vocabulary indices (B, T), attention mask (B, T), places of valid tokens (N,)."""


@pytest.fixture
def inputs() -> Inputs:
    mask_BT = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    generator = torch.Generator().manual_seed(3)
    ids_BT = torch.randint(5, 30, mask_BT.shape, generator=generator) * mask_BT
    return ids_BT, mask_BT, mask_BT.flatten().nonzero().flatten()[::2]


def encoder(folder: Path, **settings: object) -> PreTrainedModel:
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False, **settings).eval()
    assert isinstance(model, PreTrainedModel)
    return model


def of_library(
    model: PreTrainedModel, ids_BT: Tensor, mask_BT: Tensor, tokens_N: Tensor
) -> Tensor:
    hidden_BTD: Tensor = model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
    return hidden_BTD.flatten(0, 1)[tokens_N]


def of_packed(model: PreTrainedModel, ids_BT: Tensor, mask_BT: Tensor, tokens_N: Tensor) -> Tensor:
    hidden_BTD = run_bottom(model, 0, ids_BT, mask_BT)
    rows = Packing.of(mask_BT.sum(dim=1), mask_BT.shape[1])
    return run_packed(list(encoder_layers(model)), hidden_BTD, rows, tokens_N)


@pytest.fixture(params=[attend_by_length, attend_jagged])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention as on a CPU, and as on a GPU, here by the reference of torch."""
    monkeypatch.setitem(packed.ATTEND, "cpu", request.param)


either_way = pytest.mark.usefixtures("way")


def test_sentences_of_one_length_lie_together(inputs: Inputs) -> None:
    _, mask_BT, _ = inputs
    packing = Packing.of(mask_BT.sum(dim=1), mask_BT.shape[1])
    assert packing.groups == [(1, 1), (1, 3), (1, 5), (2, 7), (2, 12)]
    assert packing.offsets.tolist() == [0, 1, 4, 9, 16, 23, 35, 47]
    assert packing.num_rows == sum(LENGTHS)
    assert len(packing.subwords) % ROWS == 0
    real = packing.subwords[: sum(LENGTHS)]
    assert sorted(real.tolist()) == mask_BT.flatten().nonzero().flatten().tolist()
    assert torch.equal(packing.row_of[real], torch.arange(sum(LENGTHS)))


@either_way
@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_features_are_those_of_the_library(
    kind: str, gradient: bool, tiny_encoders: dict[str, Path], inputs: Inputs
) -> None:
    model = encoder(tiny_encoders[kind])
    with torch.set_grad_enabled(gradient):
        found_ND = of_packed(model, *inputs)
        padded_ND = run_top(model, 0, run_bottom(model, 0, *inputs[:2]), *inputs[1:])
    assert found_ND.requires_grad == gradient
    for expected_ND in (of_library(model, *inputs), padded_ND):
        torch.testing.assert_close(found_ND, expected_ND, rtol=0, atol=3e-6)


@either_way
def test_gradients_are_those_of_the_library(tiny_encoder: Path, inputs: Inputs) -> None:
    gradients = []
    for way in (of_library, of_packed):
        model = encoder(tiny_encoder)
        way(model, *inputs).square().mean(dim=0).norm().backward()
        named = model.named_parameters()
        gradients.append({name: p.grad for name, p in named if p.grad is not None})
    expected, found = gradients
    assert set(found) == set(expected)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("act", ["relu", "gelu_new", "gelu_python"])
@pytest.mark.parametrize("has_onednn", [True, False])
def test_any_activation_and_any_build_of_torch(
    act: str,
    has_onednn: bool,
    tiny_encoder: Path,
    inputs: Inputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "_HAS_ONEDNN", has_onednn and packed._HAS_ONEDNN)
    settings = AutoConfig.from_pretrained(tiny_encoder, hidden_act=act)
    model = encoder(tiny_encoder, config=settings)
    with torch.no_grad():
        found_ND, expected_ND = of_packed(model, *inputs), of_library(model, *inputs)
    torch.testing.assert_close(found_ND, expected_ND, rtol=0, atol=3e-6)


@either_way
def test_idle_rows_change_nothing(
    tiny_encoder: Path,
    inputs: Inputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = encoder(tiny_encoder)
    expected_ND = of_packed(model, *inputs)
    monkeypatch.setattr(packed, "ROWS", 1)
    found_ND = of_packed(model, *inputs)
    torch.testing.assert_close(found_ND, expected_ND, rtol=0, atol=1e-6)


@either_way
def test_a_batch_may_have_no_valid_token(tiny_encoder: Path, inputs: Inputs) -> None:
    ids_BT, mask_BT, _ = inputs
    none = torch.zeros(0, dtype=torch.int64)
    for gradient in (True, False):
        with torch.set_grad_enabled(gradient):
            found_ND = of_packed(encoder(tiny_encoder), ids_BT, mask_BT, none)
        assert found_ND.shape == (0, 32)


@either_way
def test_heads_have_their_dropout_in_training(tiny_encoder: Path, inputs: Inputs) -> None:
    settings = AutoConfig.from_pretrained(
        tiny_encoder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.3
    )
    model = encoder(tiny_encoder, config=settings)
    calm_ND = of_packed(model, *inputs)
    assert torch.equal(calm_ND, of_packed(model, *inputs))
    model.train()
    # Twenty times each sentence in a batch, each with a dropout of its own.
    ids_BT, mask_BT, tokens_N = inputs
    places_N = (torch.arange(20)[:, None] * mask_BT.numel() + tokens_N).flatten()
    many = (ids_BT.repeat(20, 1), mask_BT.repeat(20, 1), places_N)
    drawn = torch.cat([of_packed(model, *many).view(20, *calm_ND.shape) for _ in range(10)])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[20])
    assert (drawn.mean(dim=0) - calm_ND).abs().mean() < 0.2 * (drawn - calm_ND).abs().mean()


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[torch.device, torch.dtype, int, int]]:
    """A device that is tried for kernels; without data it has no memory to pin."""
    monkeypatch.setattr(packed, "_moved", lambda tensor, device: tensor.to(device))
    monkeypatch.setitem(packed.ATTEND, "meta", attend_by_length)
    can_attend.cache_clear()
    yield torch.device("meta"), torch.float32, 2, 8
    can_attend.cache_clear()


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_whether_there_is_a_kernel_does_not_depend_on_who_asks(
    mode: type[Any], meta: tuple[Any, ...]
) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with mode():
        assert can_attend(*meta)
    assert torch.equal(torch.rand(3), expected)


def test_where_no_kernel_is_the_padded_layers_serve(
    meta: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tiny_encoder: Path,
) -> None:
    def none(*_: object) -> Tensor:
        raise RuntimeError("No viable backend\nfor attention")

    monkeypatch.setitem(packed.ATTEND, "meta", none)
    assert not can_attend(*meta)
    assert "no attention without padding on meta, it is padded: No viable backend" in caplog.text
    assert can_attend(torch.device("cpu"), torch.bfloat16, 2, 8)
    model = TokenClassifier(encoder(tiny_encoder), 7, dropout=0.0).to("meta")
    batch = Batch(*[torch.zeros(0)] * 6, places=Places.of_lengths([1]))
    assert model.packing(batch) is None
