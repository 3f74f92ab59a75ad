"""MSD: classifiers on many layers, layer weights, features drawn towards the teacher's."""

import re

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.data import collate
from prokd.encoder import artifact
from prokd.encoder.classifier import build_classifier
from prokd.encoder.pooling import pooled
from prokd.errors import UserError
from prokd.methods import build_config, in_method
from prokd.methods.msd.effective import effective_student
from prokd.methods.msd.features import cls_features, mean_word_features
from prokd.methods.msd.heads import (
    LayerHeads,
    all_logits,
    heads_of,
    layer_probabilities,
    layers_of,
    with_heads,
)
from prokd.methods.msd.objective import layer_distillation, mixture, student_objective
from prokd.runs.identity import signature, stage_identity
from prokd.scoring.evaluation import probabilities
from prokd.training.corpora import Corpora
from prokd.training.exports import export
from prokd.training.run import StageRun
from tests.methods.training import resumed_as_whole
from tests.prokd import references
from tests.tiny import FEWER

FINGERPRINTS = dict.fromkeys(("source_train", "source_dev", "target_train", "encoder"), "x")


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "msd"), {"encoder.dropout": 0.1, "encoder.precision": "fp32"}
    )


@pytest.fixture
def corpora(config, tiny_runtime):
    return Corpora(config, tiny_runtime)


@pytest.fixture
def model(config, corpora):
    made = build_classifier(config.encoder, len(corpora.tag_set), max_length=64, seed=0)
    return with_heads(made, config).eval()


def trained(config, runtime, *names):
    runs = []
    for name in names or ("teacher", "student"):
        with StageRun(name, config, runtime) as run:
            run.run()
            runs.append(run)
    return runs


def weights(run):
    return artifact.load_file(run.folder.path / "weights.safetensors")


def name_of(config, stage):
    return signature(stage_identity(config, stage, FINGERPRINTS))


def test_losses_of_layers_are_the_reference():
    random = np.random.default_rng(0)
    teacher, student = random.dirichlet(np.ones(4), (2, 3, 5))
    found = layer_distillation(
        torch.tensor(teacher),
        torch.tensor(student),
        class_reduction="mean",
        num_sentences=2,
        reduction="tokens",
    )
    for layer in range(3):
        expected = 0.0
        for token in range(5):
            for tag in range(4):
                expected += (teacher[layer, token, tag] - student[layer, token, tag]) ** 2
        assert float(found[layer]) == pytest.approx(expected / (5 * 4), abs=1e-6)
    loss = mixture(torch.tensor(2.0), found, torch.tensor([0.5, 0.3, 0.2]), heads_weight=0.1)
    losses = [float(value) for value in found]
    expected = 2.0 + 0.1 * (0.5 * losses[0] + 0.3 * losses[1] + 0.2 * losses[2])
    assert float(loss) == pytest.approx(expected, abs=1e-6)
    whole = student_objective(
        torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0), mmd_model=0.5, mmd_language=0.25
    )
    assert float(whole) == 3.0


def test_layer_weights_sum_to_one_and_learn_or_stay():
    torch.manual_seed(0)
    learned = LayerHeads((1, 2, 3), 4, 5, learned=True)
    expected = references.softmax(learned.omega_A.tolist())
    assert learned.layer_weights().tolist() == pytest.approx(expected, abs=1e-6)
    assert (learned.omega_A.abs() <= 1).all()
    alike = LayerHeads((1, 2, 3), 4, 5, learned=False)
    assert alike.layer_weights().tolist() == pytest.approx([1 / 3] * 3)
    assert alike.omega_A is None


def test_each_head_sees_its_layer(config, corpora, model):
    batch = collate(corpora.source_train, [0, 5, 2], 0)
    hidden = model.encoder(
        input_ids=batch.input_ids_BT,
        attention_mask=batch.attention_mask_BT,
        output_hidden_states=True,
    ).hidden_states
    heads, found = heads_of(model), all_logits(model, batch)
    assert heads.layers == tuple(range(config.encoder.frozen_layers + 1, len(hidden) - 1))
    for number, linear, logits_NC in zip(
        heads.layers, heads.classifiers, found.logits_ANC, strict=True
    ):
        expected = linear(hidden[number].flatten(0, 1)[batch.token_index_N])
        assert torch.allclose(logits_NC, expected, atol=1e-5), number
    last = model.classifier(hidden[-1].flatten(0, 1)[batch.token_index_N])
    assert torch.allclose(found.logits_NC, last, atol=1e-5)
    assert torch.allclose(found.cls_BD, hidden[-1][:, 0], atol=1e-5)


def test_a_sentence_is_cls_or_the_mean_of_its_words(corpora, model):
    encoded = corpora.source_train
    batch = collate(encoded, [3, 0], 0)
    found = all_logits(model, batch)
    length, rows = batch.input_ids_BT.shape[1], []
    for sentence in range(2):
        of_it = [
            found.tokens_ND[n]
            for n in range(len(batch.token_index_N))
            if int(batch.token_index_N[n]) // length == sentence
        ]
        rows.append(sum(of_it) / len(of_it))
    mean = pooled(found.cls_BD, found.tokens_ND, batch, how="mean")
    assert torch.allclose(mean, torch.stack(rows), atol=1e-6)
    for output, how in ((cls_features, "cls"), (mean_word_features, "mean")):
        of_all = output(model, encoded, 0)
        expected = pooled(found.cls_BD, found.tokens_ND, batch, how=how)
        assert torch.allclose(of_all[[3, 0]], expected, atol=1e-4)


def test_probabilities_of_layers_stand_in_corpus_order(corpora, model):
    encoded = corpora.target_train
    rows = layer_probabilities(model, encoded, 0).reshape(int(encoded.word_offsets[-1]), -1, 7)
    batch = collate(encoded, [4], 0)
    expected = torch.softmax(all_logits(model, batch).logits_ANC, dim=-1)
    assert torch.allclose(rows[batch.word_index_N].movedim(0, 1), expected, atol=1e-5)


def test_layers_are_those_above_the_frozen_ones(config, model):
    last = 3
    assert layers_of(config, model) == tuple(range(config.encoder.frozen_layers + 1, last))
    named = with_overrides(config, {"heads.layers": [2, 1]})
    assert layers_of(named, model) == (1, 2)
    for overrides, said in (
        ({"heads.layers": [3]}, "must lie below the encoder's last layer, 3, but got 3"),
        ({"encoder.frozen_layers": 2}, "must leave a layer below the last, 3"),
    ):
        with pytest.raises(UserError, match=said):
            layers_of(with_overrides(config, overrides), model)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"heads.layers": [1, 1]}, "none twice, but got 1,1"),
        ({"heads.layers": [0]}, "layers from 1 on"),
        ({"teacher.heads_weight": 0.0}, "student.heads_weight must be 0 where"),
    ],
)
def test_settings_that_do_not_fit_are_told(config, overrides, said):
    with pytest.raises(UserError, match=re.escape(said)):
        with_overrides(config, overrides)


def test_without_its_parts_it_is_tsl(config, tiny_config):
    tsl = with_overrides(in_method(tiny_config, "tsl"), {"encoder.precision": "fp32"})
    bare = {
        "teacher.heads_weight": 0.0,
        "student.heads_weight": 0.0,
        "student.mmd_model": 0.0,
        "student.mmd_language": 0.0,
        "student.learning_rate": tsl.student.learning_rate,
        "student.distillation_reduction": tsl.student.distillation_reduction,
    }
    same = with_overrides(in_method(tsl, "msd"), bare)
    for stage in ("teacher", "student"):
        assert name_of(same, stage) == name_of(tsl, stage)
    for path, value in bare.items():
        if path.startswith("student.mmd") or path == "student.heads_weight":
            more = with_overrides(
                same, {path: 0.1, "teacher.heads_weight": 0.1 if "heads" in path else 0.0}
            )
            assert name_of(more, "student") != name_of(tsl, "student"), (path, value)


def test_what_cannot_act_is_no_part_of_the_name(config):
    without = with_overrides(config, {"student.mmd_model": 0.0, "student.mmd_language": 0.0})
    other = with_overrides(without, {"student.mmd_kernels": 1, "student.mmd_features": "mean"})
    assert name_of(other, "student") == name_of(without, "student")
    no_heads = with_overrides(config, {"student.heads_weight": 0.0})
    alike = with_overrides(no_heads, {"heads.weights": "uniform"})
    assert effective_student(alike) == effective_student(no_heads)
    turned = [with_overrides(config, {"heads.layers": layers}) for layers in ([1, 2], [2, 1])]
    for stage in ("teacher", "student"):
        assert name_of(turned[0], stage) == name_of(turned[1], stage) != name_of(config, stage)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"heads.weights": "uniform", "student.mmd_features": "mean", "student.start": "teacher"},
        {"student.heads_weight": 0.0},
        {"student.mmd_model": 0.0, "student.mmd_language": 0.0},
    ],
)
def test_a_resumed_run_is_an_uninterrupted_one(config, overrides, kept_runtime):
    resumed_as_whole(with_overrides(config, overrides | FEWER), kept_runtime)


def test_layers_and_features_teach_the_student(config, kept_runtime):
    config = with_overrides(config, FEWER)
    _, student = trained(config, kept_runtime)
    told = student.history[-1]
    layers = [value for name, value in told.items() if name.startswith("student/layer_weight/")]
    assert sum(layers) == pytest.approx(1, abs=1e-5)
    assert told["student/mmd_model"] > 0
    assert told["student/mmd_language"] > 0
    plain = {"student.mmd_model": 0.0, "student.mmd_language": 0.0}
    others = [{**plain}, {"student.heads_weight": 0.0}, {"student.mmd_language": 0.5}]
    seen = [weights(student)]
    for overrides in others:
        (other,) = trained(with_overrides(config, overrides), kept_runtime, "student")
        for before in seen:
            shared = before.keys() & weights(other).keys()
            assert any(not torch.equal(before[key], weights(other)[key]) for key in shared)
        seen.append(weights(other))


def test_heads_are_kept_read_back_and_not_exported(config, kept_runtime, tmp_path):
    config = with_overrides(config, FEWER)
    (teacher,) = trained(config, kept_runtime, "teacher")
    folder, encoded = teacher.folder.path, Corpora(config, kept_runtime).target_train
    whole = artifact.load(folder, prepare=lambda model: with_heads(model, config))
    stored = weights(teacher)
    names = [name for name in stored if name.startswith("beside.")]
    assert names
    state = whole.state_dict()
    assert all(torch.equal(state[name], stored[name]) for name in names)
    assert not artifact.load(folder).beside
    rows = layer_probabilities(whole, encoded, 0)
    assert not torch.allclose(rows[:, :7], probabilities(whole, encoded, 0))
    exported = export(teacher.folder, tmp_path / "export")
    kept = artifact.load_file(exported / "model.safetensors")
    assert not [name for name in kept if "beside" in name or "omega" in name]


def test_the_published_settings(tiny_encoder):
    config = build_config("paper", "literal", {"encoder.name": str(tiny_encoder)}, method="msd")
    assert (config.teacher.learning_rate, config.student.learning_rate) == (5e-5, 2e-5)
    assert (config.teacher.epochs, config.student.epochs, config.encoder.dropout) == (10, 10, 0.1)
    assert (config.teacher.heads_weight, config.student.heads_weight) == (0.1, 0.1)
    assert (config.student.mmd_model, config.student.mmd_language) == (1e-3, 1e-3)
    assert config.student.distillation_reduction == "mean"
    for stage in (config.teacher, config.student):
        assert (stage.batch_sentences, stage.optimizer, stage.weight_decay) == (32, "adamw", 0.01)
