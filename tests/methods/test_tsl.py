"""Teachers of several source languages and their weights."""

import math

import pytest
import torch

from prokd.config import with_overrides
from prokd.errors import UserError
from prokd.methods import build_config, in_method
from prokd.methods.tsl.similarity import (
    Similarity,
    fit_similarity,
    orthogonality_penalty,
    teacher_weights,
    weighted_probabilities,
)
from prokd.training.run import StageRun
from tests import tiny


def test_score_by_hand():
    model = Similarity(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), rank=1)
    with torch.no_grad():
        model.of_sentence.weight.copy_(torch.tensor([[1.0, 2.0]]))
        model.of_sentence.bias.fill_(0.5)
        model.of_language.weight.copy_(torch.tensor([[3.0, 1.0]]))
        model.of_language.bias.fill_(-1.0)
    scores = model(torch.tensor([[1.0, 1.0]]))
    # U g + b = 3.5; V mu + c = 2 and 1.
    assert scores.tolist() == [[7.0, 3.5]]


def test_penalty_by_loops():
    vectors = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    expected = 0.0
    for i in range(2):
        for j in range(2):
            dot = sum(float(a * b) for a, b in zip(vectors[i], vectors[j], strict=True))
            expected += (dot - (i == j)) ** 2
    assert float(orthogonality_penalty(vectors)) == pytest.approx(expected)
    assert float(orthogonality_penalty(torch.eye(3))) == 0


def test_weights_follow_the_language_that_a_sentence_is_like():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(60, 4, generator=generator) * 0.1 + torch.tensor([1.0, 0, 0, 0])
    second = torch.randn(60, 4, generator=generator) * 0.1 + torch.tensor([0, 1.0, 0, 0])
    options = {"rank": 3, "orthogonality": 0.01, "epochs": 30, "learning_rate": 0.01}
    fitted = [
        fit_similarity([first, second], batch_sentences=16, seed=3, **options) for _ in range(2)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*(m.parameters() for m in fitted), strict=True))
    target = torch.stack([first[0], second[0]])
    weights = teacher_weights(fitted[0], target, by_sentence=True)
    assert weights.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert weights[0, 0] > 0.5 > weights[1, 0]
    scores = fitted[0](target).detach()
    temperature = 1 / float(scores.var(correction=0))
    expected = math.exp(temperature * scores[0, 0]) / sum(
        math.exp(temperature * s) for s in scores[0]
    )
    assert float(weights[0, 0]) == pytest.approx(expected, rel=1e-5)
    mean = teacher_weights(fitted[0], target, by_sentence=False)
    assert torch.allclose(mean, weights.mean(dim=0).expand(2, 2))


def test_weighted_probabilities_by_hand():
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    mixed = weighted_probabilities([first, second], torch.tensor([[0.25, 0.75]]))
    assert mixed.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("weights", ["similarity", "uniform"])
def test_two_teachers_and_their_student(weights, tiny_config, kept_runtime, tmp_path, monkeypatch):
    monkeypatch.setitem(tiny.FRAMES, "yy", ["{PER} bor i {LOC} .", "{ORG} i {LOC}"])
    corpus = tiny.write_corpus(tmp_path / "three", ("en", "xx", "yy"))
    runtime = kept_runtime.model_copy(update={"data_dirs": (corpus,)})
    config = with_overrides(
        in_method(tiny_config, "tsl"),
        {
            "more_sources": ["yy"],
            "similarity.weights": weights,
            "similarity.rank": 4,
            **tiny.FEW,
            **tiny.FAST,
        },
    )
    for stage in ("teacher", "teacher_yy"):
        with StageRun(stage, config, runtime) as run:
            run.run()
            assert set(run.report()) >= {f"test/{run.corpora.config.source}/entity_f1"}
    with StageRun("student", config, runtime) as run:
        run.step()
    with StageRun("student", config, runtime) as run:  # goes on with the same weights
        resumed = run.run()["objective"]
    whole = runtime.model_copy(update={"runs_dir": runtime.runs_dir.with_name("whole")})
    for stage in ("teacher", "teacher_yy", "student"):
        with StageRun(stage, config, whole) as run:
            result = run.run()
    assert result["objective"] == resumed


def test_sources_that_do_not_fit_are_told():
    with pytest.raises(UserError, match="the sources must differ, but got en,en"):
        build_config("mini", method="tsl", overrides={"more_sources": ["en"]})


def test_the_published_settings(tiny_encoder):
    config = build_config("paper", "literal", {"encoder.name": str(tiny_encoder)}, method="tsl")
    assert (config.teacher.learning_rate, config.student.learning_rate) == (5e-5, 1e-4)
    assert (config.teacher.epochs, config.student.epochs, config.encoder.dropout) == (3, 3, 0.1)
    assert config.student.distillation_reduction == "mean"
    for stage in (config.teacher, config.student):
        assert (stage.batch_sentences, stage.optimizer, stage.weight_decay) == (32, "adamw", 0.01)
