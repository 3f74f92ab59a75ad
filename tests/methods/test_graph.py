"""Three teachers, of which one starts from another, and a student of two of them."""

import hashlib
import time

import pytest

from tests import preloaded
from tests.methods import outside
from tests.search.conftest import write_corpus

THREE = '''
"""The shape of a method with several teachers."""

from typing import Any, Literal

from prokd.config import ExperimentConfig, OptimizationConfig
from prokd.config.presets import stage_presets
from prokd.config.shared import shared_settings
from prokd.method import ENCODER, SOURCE_DEV, TARGET_TRAIN
from prokd.method import Graph, Method, StageSpec
from prokd.stages.effective import effective_tagger


class ThreeConfig(ExperimentConfig):
    method: Literal["three"] = "three"
    teacher: OptimizationConfig = OptimizationConfig()
    student: OptimizationConfig = OptimizationConfig()


def tagger(context: Any, start: str | None, rate: float) -> Any:
    from prokd.stages.tagger import TaggerStage

    model = context.model(start)
    settings = context.config.teacher
    return TaggerStage(
        model=model,
        config=context.config,
        settings=settings.model_copy(update={"learning_rate": rate * settings.learning_rate}),
        source_train=context.source_train(model),
        source_dev=context.source_dev(model),
        pad_token_id=context.pad_token_id,
        name=context.name,
    )


def build_other(context: Any) -> Any:
    return tagger(context, None, 0.5)


def build_tuned(context: Any) -> Any:
    return tagger(context, "source", 0.3)


def build_student(context: Any) -> Any:
    from prokd.scoring.evaluation import probabilities
    from prokd.stages.distillation import DistillationStage
    from prokd.terms.distillation import distillation_loss

    known = [context.outputs(name, probabilities) for name in ("other", "tuned")]
    model = context.model()

    def loss(teacher_NC: Any, logits_NC: Any, num_sentences: int) -> Any:
        return distillation_loss(teacher_NC, logits_NC.softmax(dim=-1))

    return DistillationStage(
        model=model,
        config=context.config,
        target_train=context.target_train(model),
        source_dev=context.source_dev(model),
        teacher_probabilities=(known[0] + known[1]) / 2,
        pad_token_id=context.pad_token_id,
        loss=loss,
    )


def effective_student(config: ThreeConfig) -> dict[str, Any]:
    return shared_settings(config) | {"three": "student", "student": config.student.model_dump()}


def own(name: str) -> Any:
    return lambda config: {"three": name, **effective_tagger(config)}


SOURCE = StageSpec(
    "source",
    "prokd.stages.tagger:build_tagger",
    effective_tagger,
    own_kind="teacher",
    own_section="teacher",
)
OTHER = StageSpec("other", "three:build_other", own("other"), own_section="teacher")
TUNED = StageSpec(
    "tuned", "three:build_tuned", own("tuned"), needs=("source",), own_section="teacher"
)
STUDENT = StageSpec(
    "student",
    "three:build_student",
    effective_student,
    needs=("other", "tuned"),
    reads=lambda config: (SOURCE_DEV, TARGET_TRAIN, ENCODER),
)
METHOD = Method(
    name="three",
    title="Three",
    citation="none",
    config=ThreeConfig,
    graph=lambda config: Graph((SOURCE, OTHER, TUNED, STUDENT)),
    spaces={"default": {"student.learning_rate": [0.002, 0.003]}},
    presets=stage_presets("teacher", "student"),
    criteria=("confidence",),
    transfer="source",
)
'''
SETTINGS = {name: value for name, value in outside.SHORT.items() if "student.learning" not in name}


def weights(out):
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.glob("runs/*/weights.safetensors")
    }


@pytest.mark.ray
def test_a_graph_is_trained_once_killed_and_resumed(tmp_path, ray_with, new_store):
    package = outside.install(tmp_path / "package", "three", THREE, "METHOD")
    ray_with(package)
    corpus, cache = write_corpus(tmp_path / "corpus"), tmp_path / "cache"
    places = ("--data-dir", corpus, "--cache-dir", cache)
    words = ("--method", "three", *places, "--trials", 2, "--select", "confidence")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    new_store(whole)
    new_store(cut)
    said = outside.run("search.run", package, *words, "--output", whole, settings=SETTINGS)
    for line in ("sources: 1 trained", "others: 1 trained", "tuneds: 1 trained"):
        assert line in said
    assert "students: 2 trained, 0 reused" in said
    assert "its source's" in said
    expected = weights(whole)
    assert sorted(name.partition("-")[0] for name in expected) == [
        "other",
        "student",
        "student",
        "teacher",
        "tuned",
    ]
    words += ("--export-best", 0)
    with (tmp_path / "log").open("wb") as log:
        process = preloaded.start(
            outside.command("search.run", *words, "--output", cut, settings=SETTINGS),
            cwd=outside.ROOT,
            env=outside.environment(package),
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
        until = time.monotonic() + 120
        while not list(cut.glob("runs/tuned-*/history.jsonl")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.wait()
    again = outside.run("search.run", package, *words, "--output", cut, settings=SETTINGS)
    assert "sources: 0 trained, 1 reused" in again
    assert weights(cut) == expected
