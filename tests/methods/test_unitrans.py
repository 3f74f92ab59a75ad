"""UniTrans: teachers of the source and of its translation, and their vote."""

import re

import pytest
import torch

from prokd.config import with_overrides
from prokd.errors import UserError
from prokd.methods import build_config, graph_of, in_method, lacking
from prokd.methods.unitrans.objective import student_objective
from prokd.training import translations
from prokd.training.corpora import Corpora
from tests.methods.training import name_of, resumed_as_whole, trained, weights, without
from tests.methods.translated import PAIRS
from tests.tiny import FEWER

ALL = ("teacher", "translated_teacher", "finetuned_teacher", "student")


@pytest.fixture
def config(tiny_config):
    return with_overrides(
        in_method(tiny_config, "unitrans"),
        {"encoder.dropout": 0.1, "encoder.precision": "fp32", "translation.keep": []},
    )


def test_the_objective_is_the_weighted_sum():
    found = student_objective(
        torch.tensor(2.0), torch.tensor(4.0), distillation_weight=0.5, voted_weight=0.25
    )
    assert float(found) == 2.0


def test_translated_sentences_keep_their_labels(config, runtime):
    corpora = Corpora(config, runtime)
    source = corpora.corpus("en", "train")
    expected = [[PAIRS.get(word, word) for word in sentence] for sentence in source.words]
    assert corpora.translated.words == expected
    assert corpora.translated.tags == source.tags
    again = Corpora(config, runtime).translated
    assert again.origin.endswith(".parquet")  # kept, and the same
    assert again.fingerprint == corpora.translated.fingerprint
    (kept,) = runtime.cache_dir.glob("translated-*.parquet")
    kept.write_bytes(b"PAR1")
    assert Corpora(config, runtime).translated.fingerprint == again.fingerprint
    runtime.dictionaries[0].write_text("lives\tleeft\n", "utf-8")
    assert Corpora(config, runtime).translated.fingerprint != again.fingerprint


def test_a_dictionary_that_leads_elsewhere_is_refused(config, runtime):
    back = "".join(f"{other}\t{word}\n" for word, other in PAIRS.items())
    runtime.dictionaries[0].write_text(back, "utf-8")
    with pytest.raises(UserError, match=r"must change words, but none of .* from the source"):
        Corpora(config, runtime).check()
    assert not list(runtime.cache_dir.glob("translated-*"))


def test_a_dictionary_of_another_language_is_warned_of(config, runtime, caplog, monkeypatch):
    monkeypatch.setattr(translations, "ENOUGH_SENTENCES", 50)
    Corpora(config, runtime).check()
    assert "is the dictionary one of that language" not in caplog.text
    foreign = "".join(f"{word}\tq{other}\n" for word, other in PAIRS.items())
    runtime.dictionaries[0].write_text(foreign, "utf-8")
    Corpora(config, runtime).check()
    assert "only 0 % occur in the text of xx: is the dictionary one of that" in caplog.text


def test_types_that_are_to_stay_exist(config, runtime, caplog):
    with pytest.raises(UserError, match=r"must name types .* \(ORG, LOC, PER\), but got PERS"):
        Corpora(with_overrides(config, {"translation.keep": ["PERS"]}), runtime).check()
    assert not caplog.text


def test_without_a_dictionary_it_is_one_sentence(config, tiny_runtime):
    said = "unitrans needs a dictionary from en to xx: name one by --dictionary"
    assert lacking(config, tiny_runtime).startswith(said)
    with pytest.raises(UserError, match=re.escape(said)):
        Corpora(config, tiny_runtime).check()
    assert lacking(without(config, "TR"), tiny_runtime) is None
    assert lacking(in_method(config, "tsl"), tiny_runtime) is None
    missing = tiny_runtime.model_copy(
        update={"dictionaries": (tiny_runtime.runs_dir / "none.tsv",)}
    )
    with pytest.raises(UserError, match=r"none\.tsv"):
        Corpora(config, missing).check()


def test_which_teachers_a_student_needs(config):
    def stages(*components, **overrides):
        dotted = {name.replace("__", "."): value for name, value in overrides.items()}
        return graph_of(with_overrides(without(config, *components), dotted)).names

    assert stages() == ALL
    assert stages("TR") == ("teacher", "student")
    assert stages("VO") == ("teacher", "finetuned_teacher", "student")
    assert stages("SL") == ALL
    assert stages("FT") == ("teacher", "translated_teacher", "student")
    assert stages("UD") == ("teacher", "finetuned_teacher")
    assert stages(student__vote="none") == ("teacher", "finetuned_teacher", "student")
    assert graph_of(without(config, "UD")).result == "finetuned_teacher"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"student.distillation_weight": 0.0, "student.voted_weight": 0.0},
            "must not both be 0",
        ),
        ({"translation.mode": "none"}, "student.main_teacher must be source where"),
        (
            {"ends_with": "teacher", "student.main_teacher": "mean"},
            "a mean of teachers is no model",
        ),
        ({"student.vote": "most"}, "'all', 'majority' or 'none'"),
    ],
)
def test_settings_that_do_not_fit_are_told(config, overrides, said):
    with pytest.raises(UserError, match=re.escape(said)):
        with_overrides(config, overrides)


def test_without_translation_it_is_tsl(config):
    tsl, bare = in_method(config, "tsl"), without(config, "TR")
    for stage in ("teacher", "student"):
        assert name_of(bare, stage) == name_of(tsl, stage)
    assert name_of(config, "teacher") == name_of(tsl, "teacher")
    assert name_of(config, "translated_teacher") != name_of(tsl, "teacher")
    assert name_of(config, "student") != name_of(tsl, "student")


def test_what_cannot_act_is_no_part_of_the_name(config):
    alone = without(config, "VO")
    other = with_overrides(alone, {"student.vote": "majority", "student.voted_confidence": True})
    assert name_of(other, "student") == name_of(alone, "student")
    hard = without(config, "SL")
    other = with_overrides(hard, {"student.distillation_reduction": "sum"})
    assert name_of(other, "student") == name_of(hard, "student")
    votes = with_overrides(config, {"student.distillation_weight": 0.0})
    printed = with_overrides(votes, {"student.loss_reduction": "sentences"})
    assert name_of(printed, "student") == name_of(votes, "student")


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"student.main_teacher": "mean", "student.vote": "majority"},
        {"student.distillation_weight": 0.0, "student.voted_confidence": True},
        {"student.voted_weight": 0.0, "student.main_teacher": "mean"},
        {"ends_with": "teacher"},
    ],
)
def test_a_resumed_run_is_an_uninterrupted_one(config, overrides, kept):
    config = with_overrides(config, overrides)
    resumed_as_whole(with_overrides(config, FEWER), kept)


def test_teachers_differ_and_the_student_learns_from_their_vote(config, kept):
    config = with_overrides(config, FEWER)
    runs = trained(config, kept)
    seen = [weights(runs[name]) for name in ALL]
    for number, before in enumerate(seen):
        for other in seen[number + 1 :]:
            assert any(not torch.equal(before[key], value) for key, value in other.items())
    told = runs["student"].history[-1]
    assert 0 < told["student/voted_share"] <= 1
    assert told["student/voted_loss"] > 0
    alone = trained(without(config, "VO"), kept)["student"]
    kept, other = weights(runs["student"]), weights(alone)
    assert any(not torch.equal(kept[key], value) for key, value in other.items())


def test_the_published_settings(tiny_encoder):
    config = build_config(
        "paper", "literal", {"encoder.name": str(tiny_encoder)}, method="unitrans"
    )
    assert (config.teacher.learning_rate, config.student.learning_rate) == (5e-5, 1e-4)
    assert (config.teacher.epochs, config.student.epochs, config.encoder.dropout) == (3, 3, 0.1)
    assert (config.student.distillation_weight, config.student.voted_weight) == (1.0, 1.0)
    assert (config.student.vote, config.student.main_teacher) == ("all", "finetuned")
    assert config.student.distillation_reduction == "mean"
    assert config.translation.keep == ("PER",)
