"""CoLaDa: rounds of a tagger of denoised translations and a student of denoised labels."""

import math

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.encoder import artifact
from prokd.methods import build_config, graph_of, in_method, lacking, without_components
from prokd.methods.colada.objective import denoised_targets, soft_cross_entropy
from prokd.methods.colada.reliable import LabelReliability
from prokd.runs.identity import signature, stage_identity
from prokd.training.context import StageContext
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun
from tests import tiny
from tests.methods.translated import write_dictionary

NAMES = ("source_train", "source_dev", "target_train", "translated_train", "encoder")
FINGERPRINTS = {name: name for name in NAMES}


@pytest.fixture
def config(tiny_config):
    quick = {f"tagger.{name}": getattr(tiny_config.teacher, name) for name in ("epochs",)}
    return with_overrides(
        in_method(tiny_config, "colada"),
        {
            **quick,
            "tagger.learning_rate": 5e-3,
            "tagger.batch_sentences": 4,
            "encoder.dropout": 0.1,
            "encoder.precision": "fp32",
            "denoising.neighbours": 20,
        },
    )


@pytest.fixture
def runtime(tiny_runtime, tmp_path):
    dictionary = write_dictionary(tmp_path / "en-xx.tsv")
    return tiny_runtime.model_copy(update={"dictionaries": (dictionary,)})


def trained(config, runtime):
    runs = {}
    for name in graph_of(config).names:
        with StageRun(name, config, runtime) as run:
            run.run()
            runs[name] = run
    return runs


def weights(run):
    return artifact.load_file(run.folder.path / "weights.safetensors")


def names_of(config):
    return {
        stage: signature(stage_identity(config, stage, FINGERPRINTS))
        for stage in graph_of(config).names
    }


def without(config, *components):
    return with_overrides(config, without_components(components, method="colada"))


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


@pytest.mark.parametrize("parts", [(), ("RW", "DT")])
def test_a_resumed_run_is_an_uninterrupted_one(config, parts, runtime, tmp_path):
    config = without(config, *parts)
    whole = trained(config, runtime)
    apart = runtime.model_copy(update={"runs_dir": tmp_path / "apart"})
    for name, run in whole.items():
        assert all(np.isfinite(list(row.values())).all() for row in run.history), name
        with StageRun(name, config, apart) as first:
            first.step()
        with StageRun(name, config, apart) as second:
            second.run()
        again = weights(second)
        assert all(torch.equal(again[key], value) for key, value in weights(run).items())
    seen = [weights(run) for run in whole.values()]
    for number, before in enumerate(seen):
        for other in seen[number + 1 :]:
            assert any(not torch.equal(before[key], value) for key, value in other.items())


def test_target_labels_are_not_looked_at(config, runtime, tiny_data):
    before = trained(without(config, "IT"), runtime)
    for change in (tiny.scramble_labels, tiny.take_labels_away):
        change(tiny_data, "xx")
        after = runtime.model_copy(update={"runs_dir": runtime.runs_dir / change.__name__})
        for name, run in trained(without(config, "IT"), after).items():
            assert run.folder.path.name == before[name].folder.path.name
            found, known = weights(run), weights(before[name])
            assert all(torch.equal(found[key], value) for key, value in known.items())


def test_the_published_settings(tiny_encoder):
    given = {"encoder.name": str(tiny_encoder)}
    config = build_config("paper", "literal", given, method="colada")
    assert len(graph_of(config).names) == 17
    assert (config.tagger.learning_rate, config.student.learning_rate) == (2e-5, 2e-5)
    assert (config.denoising.neighbours, config.denoising.sharpness) == (500, 6.0)
    assert (config.denoising.first_label_weight, config.denoising.label_weight) == (0.5, 0.1)
