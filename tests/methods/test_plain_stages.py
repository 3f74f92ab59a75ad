"""The shared stages compute what ProKD's do with their extras away."""

import sys
import textwrap
import types
from dataclasses import replace
from typing import Literal

import torch

from prokd.config import ExperimentConfig, OptimizationConfig, with_overrides, with_precision
from prokd.encoder.device import device_of
from prokd.method import Graph, StageSpec
from prokd.methods import build_config, graph_of
from prokd.methods.baseline.method import BASELINE
from prokd.methods.check import check_method
from prokd.methods.found import found_methods
from prokd.methods.prokd.student import StudentStage
from prokd.scoring.evaluation import probabilities
from prokd.stages.distillation import build_distillation
from prokd.stages.effective import effective_tagger
from prokd.stages.tagger import TaggerStage, parts_of_tagger
from prokd.training.context import StageContext
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun
from tests import tiny
from tests.methods import outside
from tests.methods.training import trained, weights


def test_a_student_without_self_training_is_the_plain_one_bit_for_bit(few_config, tiny_runtime):
    """Eq. (13) with alpha = 1 throughout: Eq. (11) takes part with weight 0."""
    config = with_overrides(
        with_precision(few_config, "fp32"),
        {"student.schedule": "constant", "student.constant_distillation_weight": 1.0},
    )
    with StageRun("teacher", config, tiny_runtime) as teacher:
        teacher.run()
    corpora, device = Corpora(config, tiny_runtime), device_of(tiny_runtime)
    spec = graph_of(config).stage("student")
    context = StageContext(spec, config, corpora, device, {"teacher": teacher.folder})
    plain = build_distillation(context)
    for _ in range(2):
        plain.run_epoch()
    model = context.model()
    stage = StudentStage(
        model=model,
        config=config,
        target_train=context.target_train(model),
        source_dev=context.source_dev(model),
        teacher_probabilities=context.outputs("teacher", probabilities),
        pad_token_id=context.pad_token_id,
    )
    stage.self_trains = True  # an experiment knows that it would be in vain
    for _ in range(2):
        stage.run_epoch()
    for name, value in plain.model.trained_state().items():
        assert torch.equal(value, stage.model.trained_state()[name]), name


def test_a_second_teacher_of_its_own_section_as_it_is_printed(
    tiny_encoder, kept_runtime, monkeypatch
):
    text = (outside.ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    begin, end = text.index("    def build_second("), text.index("`prokd/stages` has the parts")
    names = {
        "TaggerStage": TaggerStage,
        "parts_of_tagger": parts_of_tagger,
        "effective_tagger": effective_tagger,
        "StageSpec": StageSpec,
    }
    exec(textwrap.dedent(text[begin:end]), names)
    mine = types.ModuleType("mine")
    mine.build_second = names["build_second"]
    monkeypatch.setitem(sys.modules, "mine", mine)

    class RelayConfig(ExperimentConfig):
        method: Literal["relay"] = "relay"
        teacher: OptimizationConfig = OptimizationConfig()
        second: OptimizationConfig = OptimizationConfig()

    method = replace(
        BASELINE,
        name="relay",
        config=RelayConfig,
        graph=lambda config: Graph((*BASELINE.graph(config).stages, names["SECOND"])),
    )
    monkeypatch.setitem(found_methods().known, "relay", method)
    check_method(method)
    given = tiny.settings(tiny_encoder) | tiny.FEWER
    known = {path: value for path, value in given.items() if "collapse" not in path}
    own = {p.replace("student", "second"): v for p, v in known.items()} | {"second.epochs": 1}
    config = build_config("paper", method="relay", overrides=own)
    runs = trained(config, kept_runtime)
    first, second = weights(runs["teacher"]), weights(runs["second"])
    assert runs["second"].num_epochs == 1
    assert any(not torch.equal(first[name], value) for name, value in second.items())
    slower = with_overrides(config, {"second.learning_rate": 1e-9})
    still = weights(trained(slower, kept_runtime, "second")["second"])
    for name, value in first.items():  # it started from the teacher
        torch.testing.assert_close(still[name], value, atol=1e-4, rtol=0)
