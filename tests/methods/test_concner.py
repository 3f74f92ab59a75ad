"""ConCNER: contrast of sentences with their translations, and of tokens of one class."""

import math
import re

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.encoder.layer_features import layer_features
from prokd.errors import UserError
from prokd.methods import graph_of, in_method, lacking
from prokd.methods.concner.objective import teacher_objective
from prokd.terms.contrast import label_contrast
from prokd.terms.tagging_loss import tagging_loss
from prokd.training.context import StageContext, new_stage
from prokd.training.corpora import Corpora
from tests.methods.training import name_of, resumed_as_whole, trained, weights, without
from tests.tiny import FEWER


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "concner"), {"encoder.dropout": 0.1, "encoder.precision": "fp32"}
    )


def teacher_of(config, runtime):
    spec = graph_of(config).stage("teacher")
    corpora = Corpora(config, runtime)
    return new_stage(StageContext(spec, config, corpora, torch.device("cpu"), {}), spec)


def test_the_objective_is_the_weighted_sum():
    found = teacher_objective(
        *(torch.tensor(float(value)) for value in (1, 2, 4, 8)),
        sentences_weight=0.5,
        labels_weight=0.25,
    )
    assert float(found) == 1 + 2 + 2 + 2


def test_a_batch_holds_sentences_and_then_their_translations(config, runtime):
    stage = teacher_of(config, runtime)
    corpora = Corpora(config, runtime)
    batch = stage._collated(np.array([5, 2]))
    tokenizer_free = [corpora.source_train, corpora.training("translated_train")]
    expected = [
        encoded.input_ids[encoded.offsets[n] : encoded.offsets[n + 1]].tolist()
        for encoded in tokenizer_free
        for n in (5, 2)
    ]
    found = [
        row[: int(mask.sum())].tolist()
        for row, mask in zip(batch.input_ids_BT, batch.attention_mask_BT, strict=True)
    ]
    assert found == expected


def test_without_contrast_it_is_a_tagger_of_both_languages(config, runtime):
    stage = teacher_of(without(config, "TC", "LC"), runtime)
    stage.model.eval()
    batch = stage._collated(np.array([0, 3, 7]))
    loss, told = stage.loss_of(batch, 3)
    _, logits_NC = stage.model(batch)
    source = batch.token_index_N // batch.input_ids_BT.shape[1] < 3
    parts = [
        tagging_loss(logits_NC[part], batch.labels_N[part], num_sentences=3, reduction="tokens")
        for part in (source, ~source)
    ]
    assert float(loss.detach()) == pytest.approx(float(sum(parts).detach()), abs=1e-6)
    assert float(told["translated_loss"].detach()) == pytest.approx(
        float(parts[1].detach()), abs=1e-6
    )


def test_labels_are_contrasted_by_type_or_by_tag(config, runtime):
    for classes in ("type", "bio"):
        changes = {
            "teacher.contrast.classes": classes,
            "teacher.contrast.outside_share": 1.0,
            "teacher.contrast.sentences": 0.0,
        }
        stage = teacher_of(with_overrides(config, changes), runtime)
        stage.model.eval()
        batch = stage._collated(np.arange(12))
        _, told = stage.loss_of(batch, 12)
        names = [stage.corpus.tag_set.names[label] for label in batch.labels_N]
        alike = [name.split("-")[-1] for name in names] if classes == "type" else names
        numbers = torch.tensor([sorted(set(alike)).index(name) for name in alike])
        features_ND, _ = stage.model(batch)
        expected = label_contrast(features_ND, numbers, temperature=0.1)
        found = told["label_contrast"].detach()
        assert float(found) == pytest.approx(float(expected.detach()), abs=1e-5)


def test_a_translation_is_found_where_it_is_the_nearest(config, runtime):
    stage = teacher_of(config, runtime)
    stage.model.eval()
    indices = np.arange(10)
    batch = stage._collated(indices)
    _, told = stage.loss_of(batch, 10)
    last = stage.model.num_layers
    vectors = layer_features(stage.model, batch, (last,)).cls_BD.detach()
    right = 0
    texts = [stage.corpus.input_ids[s:e].tolist() for s, e in _spans(stage.corpus, indices)]
    for row in range(10):
        scores = [
            float(torch.nn.functional.cosine_similarity(vectors[row], other, dim=0))
            for other in vectors[10:]
        ]
        right += texts[scores.index(max(scores))] == texts[row]
    assert float(told["pairing_accuracy"]) == pytest.approx(right / 10)


def _spans(encoded, indices):
    return [(encoded.offsets[n], encoded.offsets[n + 1]) for n in indices]


def test_only_so_many_tokens_are_compared(config, runtime):
    found = []
    for most in (8, 4096):
        changes = {"teacher.contrast.most_tokens": most, "teacher.contrast.outside_share": 1.0}
        stage = teacher_of(with_overrides(config, changes), runtime)
        stage.model.eval()
        _, told = stage.loss_of(stage._collated(np.arange(20)), 20)
        found.append(float(told["label_contrast"].detach()))
    # Of 8 tokens the denominator has 7 terms, of all more than a hundred.
    assert found[0] < math.log(8) + 2 / 0.1
    assert found[0] != found[1]


def test_tokens_outside_of_entities_are_thinned(config, runtime):
    seen = []
    for share in (0.0, 0.5, 1.0):
        stage = teacher_of(
            with_overrides(config, {"teacher.contrast.outside_share": share}), runtime
        )
        stage.model.eval()
        batch = stage._collated(np.arange(20))
        _, told = stage.loss_of(batch, 20)
        seen.append(float(told["label_contrast"].detach()))
    assert len(set(seen)) == 3


def test_settings_that_do_not_fit_are_told(config):
    with pytest.raises(UserError, match=re.escape("contrast.sentences must be 0 where")):
        with_overrides(config, {"translation.mode": "none"})


def test_without_its_parts_it_is_tsl(config, tiny_runtime):
    tsl, bare = in_method(config, "tsl"), without(config, "TR", "LC")
    for stage in ("teacher", "student"):
        assert name_of(bare, stage) == name_of(tsl, stage)
    assert lacking(bare, tiny_runtime) is None
    assert "concner needs a dictionary" in lacking(config, tiny_runtime)
    for part in ("TR", "LC", "TC"):
        assert name_of(without(config, part), "teacher") != name_of(tsl, "teacher")
    assert graph_of(without(config, "KD")).names == ("teacher",)


def test_what_cannot_act_is_no_part_of_the_name(config):
    for part, setting, value in (
        ("LC", "classes", "bio"),
        ("TC", "form", "all"),
        ("TC", "sentence_features", "mean"),
    ):
        less = without(config, part)
        other = with_overrides(less, {f"teacher.contrast.{setting}": value})
        assert name_of(other, "teacher") == name_of(less, "teacher")
        changed = with_overrides(config, {f"teacher.contrast.{setting}": value})
        assert name_of(changed, "teacher") != name_of(config, "teacher")


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {
            "teacher.contrast.form": "all",
            "teacher.contrast.sentence_features": "mean",
            "teacher.contrast.classes": "bio",
            "teacher.contrast.most_tokens": 8,
        },
        {"translation.mode": "none", "teacher.contrast.sentences": 0.0},
        {"teacher.micro_batch_tokens": 32},
    ],
)
def test_a_resumed_run_is_an_uninterrupted_one(config, overrides, kept):
    config = with_overrides(config, overrides)
    whole = resumed_as_whole(with_overrides(config, FEWER), kept)
    told = whole["teacher"].history[-1]
    assert told["teacher/label_contrast"] > 0
    assert ("teacher/pairing_accuracy" in told) == (config.translation.mode == "words")


def test_each_part_teaches(config, kept):
    config = with_overrides(config, FEWER)
    seen = [weights(trained(config, kept, "teacher")["teacher"])]
    for part in ("TC", "LC", "TR"):
        other = weights(trained(without(config, part), kept, "teacher")["teacher"])
        for before in seen:
            assert any(not torch.equal(before[key], value) for key, value in other.items())
        seen.append(other)
