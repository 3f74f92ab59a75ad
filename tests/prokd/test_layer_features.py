"""Features of all layers and [CLS] are the library's, on every path of the encoder."""

from dataclasses import replace

import pytest
import torch

from prokd.data import collate
from prokd.encoder import packed
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layer_features import layer_features
from prokd.encoder.layers import freeze
from prokd.training.corpora import Corpora

LAYERS = (0, 1, 2, 3)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(params=["bert", "roberta"])
def encoder(request, tiny_encoders):
    from transformers import AutoModel

    folder = tiny_encoders[request.param]
    return AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def batch(tiny_config, kept_runtime):
    encoded = Corpora(tiny_config, kept_runtime).source_train
    return collate(encoded, [0, 5, 2, 7, 1], 0)


def model_of(encoder, frozen):
    if frozen is not None:
        freeze(encoder, layers=frozen, embeddings=True)
    return TokenClassifier(encoder, 7, dropout=0.0).eval()


def expected(encoder, batch):
    output = encoder(
        input_ids=batch.input_ids_BT,
        attention_mask=batch.attention_mask_BT,
        output_hidden_states=True,
    )
    tokens = {n: output.hidden_states[n].flatten(0, 1)[batch.token_index_N] for n in LAYERS}
    return tokens, output.last_hidden_state[:, 0]


def check(found, encoder, batch):
    tokens, cls_BD = expected(encoder, batch)
    assert list(found.tokens) == list(LAYERS)
    for number in LAYERS:
        assert torch.allclose(found.tokens[number], tokens[number], **CLOSE), number
    assert torch.allclose(found.cls_BD, cls_BD, **CLOSE)


@pytest.mark.parametrize("path", ["packed", "jagged", "padded", "library", "in parts"])
@pytest.mark.parametrize("frozen", [None, 0, 1, 2, 3])
def test_they_are_those_of_the_library(encoder, batch, frozen, path, monkeypatch):
    model = model_of(encoder, frozen)
    if path == "padded":
        model.is_packed = False
    elif path == "jagged":
        monkeypatch.setitem(packed.ATTEND, "cpu", packed.attend_jagged)  # as on a GPU
    elif path == "library":
        model.is_layered = False
    elif path == "in parts":
        model.micro_batch_tokens = 2 * batch.input_ids_BT.shape[1]
    with torch.no_grad():
        check(layer_features(model, batch, LAYERS), encoder, batch)


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_what_is_kept_of_the_frozen_part_gives_the_same(encoder, batch, frozen):
    model = model_of(encoder, frozen)
    with torch.no_grad():
        kept = model.with_bottom(batch)
        assert kept.bottom_BTD is not None
        check(layer_features(model, kept, LAYERS), encoder, batch)
        marked = replace(kept, bottom_BTD=kept.bottom_BTD + 1)
        above = layer_features(model, marked, [3]).tokens[3]
    assert not torch.allclose(above, expected(encoder, batch)[0][3])  # it is what is used


def test_the_last_layer_is_what_the_classifier_reads(encoder, batch):
    model = model_of(encoder, 1)
    features_ND, _ = model(batch)
    found = layer_features(model, batch, [3])
    assert torch.allclose(found.tokens[3], features_ND, **CLOSE)


@pytest.mark.parametrize(
    ("micro", "way"),
    # What PyTorch computes jagged tensors by on a CPU cannot be computed again for a gradient.
    [(None, packed.attend_by_length), (24, packed.attend_by_length), (None, packed.attend_jagged)],
)
def test_gradient_reaches_what_is_trained_and_nothing_else(
    encoder, batch, micro, way, monkeypatch
):
    monkeypatch.setitem(packed.ATTEND, "cpu", way)
    model = model_of(encoder, 1)
    model.micro_batch_tokens = micro
    found = layer_features(model, batch, [1, 2, 3])
    (found.tokens[2].square().sum() + found.cls_BD.square().sum()).backward()
    tokens, cls_BD = expected(encoder, batch)
    own = {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad()
    (tokens[2].square().sum() + cls_BD.square().sum()).backward()
    theirs = {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}
    assert own.keys() == theirs.keys()
    for name, value in own.items():
        assert torch.allclose(value, theirs[name], rtol=1e-3, atol=1e-5), name
    assert not any("layer.0." in name or "embeddings" in name for name in own)
