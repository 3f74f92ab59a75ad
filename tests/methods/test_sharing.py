"""Whatever two methods have in common is one run."""

import pytest

from prokd.config import with_overrides, with_precision
from prokd.methods import build_config, in_method
from prokd.methods.prokd.method import PROKD
from prokd.runs.identity import stage_identity, stage_signature
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun

DATA = {"source_train": "a", "source_dev": "b", "target_train": "c", "encoder": "d"}
PLAIN = PROKD.components["CA"] | PROKD.components["ST"]


def settled(method, **overrides):
    config = build_config("mini", method=method, overrides=overrides)
    return with_precision(config, "fp32")


def test_the_plain_teacher_is_that_of_all_methods():
    teachers = [
        stage_signature(settled("baseline"), "teacher", DATA),
        stage_signature(settled("tsl"), "teacher", DATA),
        stage_signature(settled("prokd", **PROKD.components["CA"]), "teacher", DATA),
    ]
    assert len(set(teachers)) == 1
    assert stage_signature(settled("prokd"), "teacher", DATA) not in teachers


def test_prokd_without_alignment_and_self_training_is_tsl():
    plain = stage_signature(settled("prokd", **PLAIN), "student", DATA)
    assert plain == stage_signature(settled("tsl"), "student", DATA)
    assert plain != stage_signature(settled("prokd"), "student", DATA)


def test_the_baseline_reads_no_target_text():
    identity = stage_identity(settled("baseline"), "teacher", DATA)
    assert "target_train" not in identity["fingerprints"]
    assert "target" not in identity


def test_a_further_source_is_read_as_the_only_source_is():
    several = settled("tsl", more_sources=("nl",))
    data = DATA | {"source_train/nl": "e", "source_dev/nl": "f"}
    alone = settled("baseline", source="nl")
    own = {"source_train": "e", "source_dev": "f", "encoder": "d"}
    assert stage_signature(several, "teacher_nl", data) == stage_signature(alone, "teacher", own)
    one = stage_signature(settled("tsl"), "student", DATA)
    assert stage_signature(several, "student", data) != one


def test_settings_that_two_methods_have_are_taken_along():
    config = build_config("mini", overrides={"teacher.epochs": 7, "encoder.dropout": 0.3})
    other = in_method(config, "tsl")
    assert (other.method, other.teacher.epochs, other.encoder.dropout) == ("tsl", 7, 0.3)
    assert in_method(other, "tsl") is other


@pytest.mark.parametrize("method", ["tsl", "baseline"])
def test_it_trains_what_prokd_has_trained(method, few_config, kept_runtime):
    plain = with_overrides(few_config, PLAIN)
    for stage in ("teacher", "student"):
        with StageRun(stage, plain, kept_runtime) as run:
            run.run()
    config = in_method(plain, method)
    stages = ("teacher", "student") if method == "tsl" else ("teacher",)
    for stage in stages:
        with StageRun(stage, config, kept_runtime) as run:
            assert run.done
    assert set(Corpora(config, kept_runtime).needed) <= set(Corpora(plain, kept_runtime).needed)
