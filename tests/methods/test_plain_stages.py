"""The shared stages compute what ProKD's do with their extras away."""

import torch

from prokd.config import with_overrides, with_precision
from prokd.encoder.device import device_of
from prokd.methods import graph_of
from prokd.methods.prokd.student import StudentStage
from prokd.scoring.evaluation import probabilities
from prokd.stages.distillation import build_distillation
from prokd.training.context import StageContext
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun


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
    for _ in range(2):
        stage.run_epoch()
    for name, value in plain.model.trained_state().items():
        assert torch.equal(value, stage.model.trained_state()[name]), name
