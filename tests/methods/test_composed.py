"""The composed method: other methods where their parts stand alone, sums of terms elsewhere."""

import re

import numpy as np
import pytest
import torch

from prokd.config import with_overrides
from prokd.errors import UserError
from prokd.methods import graph_of, in_method, lacking
from prokd.methods.composed.effective import student_like, teacher_like
from prokd.methods.composed.student import ComposedStudentStage
from prokd.methods.composed.teacher import ComposedTeacherStage
from prokd.training.context import StageContext, new_stage
from prokd.training.corpora import Corpora
from tests.methods.training import names_of, resumed_as_whole, trained, weights
from tests.tiny import FAST, FEW, FEWER

PLAIN = {"teacher.alignment.weight": 0.0, "student.schedule": "distillation"}
MSD = {
    "teacher.heads_weight": 0.1,
    "student.heads_weight": 0.1,
    "student.mmd_model": 0.001,
    "student.mmd_language": 0.001,
}
UNITRANS = {"student.main_teacher": "finetuned", "student.voted_weight": 1.0}
CONCNER = {
    "teacher.corpora": "paired",
    "teacher.contrast.sentences": 0.1,
    "teacher.contrast.labels": 0.1,
}
ALL = {**MSD, **UNITRANS, **CONCNER}


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "composed"), {"encoder.dropout": 0.1, "encoder.precision": "fp32"}
    )


def other(config, method, overrides):
    """Return another method's experiment with the settings that both have."""
    return with_overrides(in_method(config, method), overrides)


@pytest.mark.parametrize(
    ("method", "overrides", "own"),
    [
        ("prokd", {}, {}),
        ("prokd", {"teacher.alignment.weight": 0.0}, {}),
        ("tsl", PLAIN, {}),
        ("msd", {**PLAIN, **MSD}, MSD),
        ("msd", {**PLAIN, **MSD, "student.mmd_model": 0.0}, {"student.mmd_model": 0.0}),
        ("unitrans", {**PLAIN, **UNITRANS}, UNITRANS),
        ("unitrans", {**PLAIN, "student.main_teacher": "mean"}, {"student.voted_weight": 0.0}),
        ("unitrans", {**PLAIN, **UNITRANS, "ends_with": "teacher"}, {"ends_with": "teacher"}),
        ("concner", {**PLAIN, **CONCNER}, CONCNER),
        (
            "concner",
            {**PLAIN, "teacher.contrast.labels": 0.1, "teacher.contrast.sentences": 0.5},
            {"translation.mode": "none", "teacher.contrast.sentences": 0.0},
        ),
    ],
)
def test_one_methods_parts_are_that_method(config, method, overrides, own):
    composed = with_overrides(config, overrides)
    fit = {name: value for name, value in own.items() if name != "teacher.corpora"}
    assert names_of(composed) == names_of(other(composed, method, fit))


def test_and_they_are_built_by_it(config, runtime, tmp_path):
    for method, overrides in (("msd", MSD), ("unitrans", UNITRANS), ("concner", CONCNER)):
        composed = with_overrides(config, {**PLAIN, **FEWER, **overrides})
        theirs = other(composed, method, {})
        apart = runtime.model_copy(update={"runs_dir": tmp_path / method})
        expected = trained(theirs, apart)
        for name, run in trained(composed, runtime).items():
            found = weights(run)
            known = weights(expected[name])
            assert found.keys() == known.keys()
            assert all(torch.equal(found[key], value) for key, value in known.items())


def test_what_cannot_act_is_no_part_of_the_name(config):
    for idle in (
        {"student.heads_weight": 0.5},
        {"teacher.contrast.sentences": 0.5},
        {"student.vote": "majority"},
        {"student.mmd_kernels": 1},
        {"heads.weights": "uniform"},
        {"translation.keep": []},
    ):
        assert names_of(with_overrides(config, idle)) == names_of(config), idle


def test_a_translation_is_refused_away(config, tiny_runtime):
    for overrides in (UNITRANS, CONCNER):
        with pytest.raises(UserError, match=re.escape("translation.mode must be words where")):
            with_overrides(config, {**overrides, "translation.mode": "none"})
        needs = with_overrides(config, overrides)
        assert "composed needs a dictionary" in lacking(needs, tiny_runtime)
    assert lacking(with_overrides(config, MSD), tiny_runtime) is None


def stage_of(config, runtime, name, needed=None):
    spec = graph_of(config).stage(name)
    corpora = Corpora(config, runtime)
    folders = {need: run.folder for need, run in (needed or {}).items()}
    return new_stage(StageContext(spec, config, corpora, torch.device("cpu"), folders), spec)


class Told:
    """Keeps what a step tells of itself."""

    def __init__(self):
        self.values = {}

    def add(self, name, value, weight=1):
        self.values[name] = float(torch.as_tensor(value).detach())


def test_the_teachers_loss_is_the_sum_of_its_terms(config, runtime):
    found = {}
    choices = {
        "all": {**MSD, **CONCNER},
        "heads": {**MSD, "teacher.contrast.labels": 0.0, "teacher.corpora": "paired"},
        "contrast": CONCNER,
    }
    for name, overrides in choices.items():
        chosen = with_overrides(config, overrides)
        assert teacher_like(chosen) is None
        stage = stage_of(chosen, runtime, "teacher")
        assert isinstance(stage, ComposedTeacherStage)
        stage.model.eval()
        told = Told()
        batch = stage._collated(np.array([3, 1, 8]))
        loss, features_ND = stage._tagging_of(batch, 3, told)
        assert features_ND.shape == (len(batch.token_index_N), stage.model.num_features)
        found[name] = float(loss.detach()), told.values
    loss, told = found["all"]
    contrast = 0.1 * (told["teacher/translation_contrast"] + told["teacher/label_contrast"])
    assert loss == pytest.approx(found["heads"][0] + contrast, abs=1e-5)
    plain = found["contrast"][0] - contrast
    assert found["heads"][0] > plain  # 0.1 times a weighted mean of losses above 0


def test_the_students_loss_is_the_sum_of_its_terms(config, kept):
    config = with_overrides(config, {**FEWER, **ALL})
    names = [name for name in graph_of(config).names if name != "student"]
    teachers = trained(config, kept, *names)
    found = {}
    parts = {
        "layers": {"student.heads_weight": 0.0},
        "mmd": {"student.mmd_model": 0.0, "student.mmd_language": 0.0},
        "votes": {"student.voted_weight": 0.0},
    }
    for name in (None, *parts):
        less = {} if name is None else parts[name]
        chosen = with_overrides(config, less)
        assert student_like(chosen) is None
        stage = stage_of(chosen, kept, "student", teachers)
        assert isinstance(stage, ComposedStudentStage)
        stage.model.eval()
        stage.discrepancies and stage.discrepancies.begin(0)
        from prokd.data import collate

        told = Told()
        batch = collate(stage.target_train, [2, 0, 5], 0)
        *_, further = stage._forward(batch, 3, told)
        found[name] = float(further.detach()), told.values
    whole, told = found[None]
    mmd = 0.001 * (told["student/mmd_model"] + told["student/mmd_language"])
    assert whole - found["mmd"][0] == pytest.approx(mmd, abs=1e-5)
    assert whole - found["votes"][0] == pytest.approx(told["student/voted_loss"], abs=1e-5)
    layers = found["mmd"][0] - told["student/voted_loss"]
    assert whole - found["layers"][0] == pytest.approx(layers, abs=1e-5)
    assert layers > 0


@pytest.mark.parametrize(
    "overrides",
    [
        ALL,
        {**ALL, "student.schedule": "distillation", "student.main_teacher": "mean"},
        {**MSD, **FEW, **FAST, "student.start": "teacher"},
        {**CONCNER, **FEW, **FAST, "student.voted_weight": 0.3, "student.vote": "none"},
        {**MSD, **CONCNER, "teacher.alignment.weight": 0.0, "ends_with": "teacher"},
    ],
)
def test_a_resumed_run_is_an_uninterrupted_one(config, overrides, kept):
    resumed_as_whole(with_overrides(config, {**FEWER, **overrides}), kept)
