"""AdvPicker: a discriminator of languages, an encoder against it, and a choice of sentences."""

import math

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.data import collate
from prokd.methods import build_config, graph_of, in_method
from prokd.methods.advpicker.discriminator import (
    discriminator_of,
    language_margins,
    picked,
    with_discriminator,
)
from prokd.methods.advpicker.objective import discrimination_loss
from prokd.training.context import StageContext, new_stage
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun
from tests.methods.training import name_of, resumed_as_whole, trained, weights, without
from tests.tiny import FEWER


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "advpicker"), {"encoder.dropout": 0.1, "encoder.precision": "fp32"}
    )


def test_the_losses_are_the_reference():
    random = np.random.default_rng(0)
    source, target = random.normal(size=7), random.normal(size=4)
    total = {False: 0.0, True: 0.0}
    for deceived in total:
        for logits, is_source in ((source, True), (target, False)):
            for value in logits:
                share = 1 / (1 + math.exp(-value))
                right = is_source != deceived
                total[deceived] -= math.log(share if right else 1 - share) / 11
        found = discrimination_loss(torch.tensor(source), torch.tensor(target), deceived=deceived)
        assert float(found) == pytest.approx(total[deceived], abs=1e-6)


def test_the_sentences_between_the_languages_are_picked():
    margins = np.array([0.4, 0.0, -0.4, -0.05, 0.05, 0.2])
    assert picked(margins, 0.5).tolist() == [1, 3, 4]
    assert picked(margins, 1.0).tolist() == list(range(6))
    assert picked(margins, 0.01).tolist() == [1]
    assert picked(np.array([-0.1, 0.1, -0.1]), 0.7).tolist() == [0, 1]


def test_a_sentence_scores_the_mean_of_its_words(config, tiny_runtime):
    corpora = Corpora(config, tiny_runtime)
    spec = graph_of(config).stage("teacher")
    context = StageContext(spec, config, corpora, torch.device("cpu"), {})
    model = with_discriminator(context.model(), config.teacher.discriminator, 0).eval()
    encoded = corpora.target_train
    found = language_margins(model, encoded, 0)
    assert found.shape == (len(encoded), 1)
    for sentence in (0, 5, 17):
        features_ND, _ = model(collate(encoded, [sentence], 0))
        values = [1 / (1 + math.exp(-v)) for v in discriminator_of(model)(features_ND).tolist()]
        expected = sum(values) / len(values) - 0.5
        assert float(found[sentence]) == pytest.approx(expected, abs=1e-5)


def test_without_its_parts_it_is_tsl(config):
    tsl, bare = in_method(config, "tsl"), without(config, "AD", "PI")
    for stage in ("teacher", "student"):
        assert name_of(bare, stage) == name_of(tsl, stage)
        for part in ("AD", "PI"):
            assert name_of(without(config, part), stage) != name_of(tsl, stage)


def test_looking_on_changes_no_teacher(config, kept_runtime, tmp_path):
    config = with_overrides(config, FEWER)
    watched = trained(without(config, "AD"), kept_runtime)
    apart = kept_runtime.model_copy(update={"runs_dir": tmp_path / "apart"})
    plain = trained(in_method(config, "baseline"), apart)
    known, found = weights(plain["teacher"]), weights(watched["teacher"])
    assert {name for name in found if not name.startswith("beside.")} == set(known)
    assert all(torch.equal(found[name], value) for name, value in known.items())
    assert "teacher/deception_loss" not in watched["teacher"].history[-1]
    first, last = (watched["teacher"].history[n]["teacher/discrimination_loss"] for n in (0, -1))
    assert last < first  # it learns to tell the languages


@pytest.mark.parametrize("parts", [(), ("PI",), ("AD",)])
def test_a_resumed_run_is_an_uninterrupted_one(config, parts, kept_runtime):
    config = without(config, *parts)
    resumed_as_whole(with_overrides(config, FEWER), kept_runtime)


def test_the_student_learns_from_the_picked_sentences_alone(config, kept_runtime):
    config = with_overrides(config, FEWER)
    trained(config, kept_runtime)
    corpora = Corpora(config, kept_runtime)
    spec = graph_of(config).stage("student")
    with StageRun("student", config, kept_runtime) as run:
        needed = run.needed
    context = StageContext(spec, config, corpora, torch.device("cpu"), needed)
    stage = new_stage(context, spec)
    seen = np.concatenate(stage._batches(0))
    assert sorted(seen.tolist()) == stage.sentences.tolist()
    assert len(seen) == round(0.8 * len(corpora.target_train))


def test_the_published_settings(tiny_encoder):
    given = {"encoder.name": str(tiny_encoder)}
    config = build_config("paper", "literal", given, method="advpicker")
    adversary = config.teacher.discriminator
    assert config.teacher.learning_rate * adversary.encoder_rate_factor == pytest.approx(6e-7)
    assert (adversary.hidden, adversary.learning_rate) == (500, 5e-3)
    assert (config.student.learning_rate, config.student.picked_share) == (6e-5, 0.8)


def test_the_encoder_is_moved_against_the_discriminator_and_by_nothing_else(config, tiny_runtime):
    corpora = Corpora(config, tiny_runtime)
    spec = graph_of(config).stage("teacher")
    stage = new_stage(StageContext(spec, config, corpora, torch.device("cpu"), {}), spec)
    held = {
        id(value)
        for group in stage.optimization.optimizer.param_groups
        for value in group["params"]
    }
    discriminator = discriminator_of(stage.model)
    assert not held & {id(value) for value in discriminator.parameters()}
    (rate,) = {group["lr"] for group in stage.deception.param_groups}
    assert rate == pytest.approx(0.01 * config.teacher.learning_rate)
    stage._targets = stage._target_batches(0)
    batch = stage._collated(np.arange(8))
    for group in stage.deception.param_groups:
        group["lr"] = 1e-3  # one step is to be seen
    stage.discrimination.param_groups[0]["lr"] = 0.0
    before = {name: value.clone() for name, value in stage.model.state_dict().items()}
    losses = [stage.after_step(batch) for _ in range(8)]
    moved = {
        name.split(".")[0]
        for name, value in stage.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved == {"encoder"}
    assert float(losses[-1]["deception_loss"].detach()) < float(
        losses[0]["deception_loss"].detach()
    )
