"""CoLaDa: rounds of a tagger of denoised translations and a student of denoised labels."""

import math

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.data import collate
from prokd.methods import build_config, graph_of, in_method, lacking
from prokd.methods.colada.objective import denoised_targets, soft_cross_entropy
from prokd.methods.colada.reliable import LabelReliability
from prokd.terms.neighbours import agreeing_neighbours, reliability
from prokd.training.context import StageContext
from prokd.training.corpora import Corpora
from tests.methods.training import names_of, resumed_as_whole, same, trained, weights, without
from tests.tiny import FAST, FEW


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "colada"),
        {
            "encoder.dropout": 0.1,
            "encoder.precision": "fp32",
            "denoising.neighbours": 20,
        },
    )


def test_targets_and_their_loss_are_the_reference():
    random = np.random.default_rng(0)
    labels, teacher = random.integers(0, 3, 6), random.dirichlet(np.ones(3), 6)
    trust, logits = random.random(6), random.normal(size=(6, 3))
    found = denoised_targets(
        torch.tensor(labels), torch.tensor(teacher), torch.tensor(trust), label_weight=0.3
    )
    total = 0.0
    for token in range(6):
        partition = sum(math.exp(value) for value in logits[token])
        for tag in range(3):
            expected = 0.3 * (labels[token] == tag) + 0.7 * trust[token] * teacher[token, tag]
            assert float(found[token, tag]) == pytest.approx(expected, abs=1e-6)
            total -= expected * math.log(math.exp(logits[token, tag]) / partition) / 6
    assert float(soft_cross_entropy(torch.tensor(logits), found)) == pytest.approx(total, abs=1e-6)


def test_the_rounds_are_a_chain_that_shorter_ones_begin(config, tiny_runtime):
    names = ("teacher", "tagger_1", "student_1", "tagger_2", "student")
    assert graph_of(config).names == names
    one, two = names_of(without(config, "IT")), names_of(config)
    assert tuple(one) == ("teacher", "tagger_1", "student")
    assert one["student"] == two["student_1"]
    assert one["tagger_1"] == two["tagger_1"] != two["tagger_2"]
    assert names_of(in_method(config, "tsl"))["teacher"] == one["teacher"]
    assert graph_of(without(config, "DT")).names == ("teacher", "tagger_1", "student")
    assert "colada needs a dictionary" in lacking(config, tiny_runtime)


def test_what_cannot_act_is_no_part_of_the_name(config):
    alike = without(config, "RW")
    other = with_overrides(alike, {"denoising.neighbours": 3, "denoising.layers": 1})
    assert names_of(other) == names_of(alike)
    first = with_overrides(config, {"denoising.label_weight": 0.9})
    assert names_of(first)["student_1"] == names_of(config)["student_1"]
    assert names_of(first)["student"] != names_of(config)["student"]


def test_words_of_one_type_alone_are_all_reliable(config, runtime):
    corpora = Corpora(config, runtime)
    spec = graph_of(config).stage("tagger_1")
    model = StageContext(spec, config, corpora, torch.device("cpu"), {}).model().eval()
    with torch.no_grad():
        model.classifier.bias[0] = 100.0  # all are "O"
    encoded = corpora.target_train
    found = LabelReliability(config.denoising)(model, encoded, 0)
    assert found.shape == (int(encoded.word_offsets[-1]), 1)
    assert (found == 1).all()


def test_words_are_compared_by_the_mean_of_the_last_layers(config, runtime):
    corpora = Corpora(config, runtime)
    spec = graph_of(config).stage("tagger_1")
    model = StageContext(spec, config, corpora, torch.device("cpu"), {}).model().eval()
    encoded = corpora.target_train
    settings = config.denoising.model_copy(update={"layers": 2, "neighbours": 5})
    found = LabelReliability(settings)(model, encoded, 0)[:, 0]
    rows = int(encoded.word_offsets[-1])
    features, types = torch.zeros(rows, model.num_features), torch.zeros(rows, dtype=torch.int64)
    with torch.no_grad():
        for sentence in range(len(encoded)):
            batch = collate(encoded, [sentence], 0)
            hidden = model.encoder(
                input_ids=batch.input_ids_BT,
                attention_mask=batch.attention_mask_BT,
                output_hidden_states=True,
            ).hidden_states
            for token, word in zip(batch.token_index_N, batch.word_index_N, strict=True):
                features[word] = (hidden[2][0, token] + hidden[3][0, token]) / 2
                tag = encoded.tag_set.names[int(model.classifier(hidden[3][0, token]).argmax())]
                types[word] = ["O", "LOC", "ORG", "PER"].index(tag[2:] or "O")
    counts = agreeing_neighbours(features, types, num_neighbours=5)
    expected = reliability(counts, types, sharpness=6.0)
    assert len(types.unique()) > 1
    assert torch.allclose(found, expected, atol=1e-5)


def test_each_part_teaches(config, kept):
    config = with_overrides(config, FEW | FAST)
    whole = trained(without(config, "IT"), kept)
    for part, stage in (("RW", "student"), ("DT", "tagger_1")):
        other = trained(without(config, "IT", part), kept)
        assert not same(other[stage], whole[stage]), part


@pytest.mark.parametrize("parts", [(), ("RW", "DT")])
def test_a_resumed_run_is_an_uninterrupted_one(config, parts, kept):
    config = with_overrides(without(config, *parts), FEW | FAST)
    whole = resumed_as_whole(config, kept)
    seen = [weights(run) for run in whole.values()]
    for number, before in enumerate(seen):
        for other in seen[number + 1 :]:
            assert any(not torch.equal(before[key], value) for key, value in other.items())


def test_the_published_settings(tiny_encoder):
    given = {"encoder.name": str(tiny_encoder)}
    config = build_config("paper", "literal", given, method="colada")
    assert len(graph_of(config).names) == 17
    assert (config.teacher.learning_rate, config.student.learning_rate) == (5e-5, 2e-5)
    assert (config.denoising.neighbours, config.denoising.sharpness) == (500, 6.0)
    assert (config.denoising.first_label_weight, config.denoising.label_weight) == (0.5, 0.1)
