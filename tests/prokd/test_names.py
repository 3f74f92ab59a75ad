"""Misspelt names: the sentence says which one was meant."""

from __future__ import annotations

import pytest

from ablations.spec import load_spec
from prokd.cli.options import codes
from prokd.config import parse_overrides
from prokd.data import load_corpus
from prokd.errors import UserError
from prokd.methods import build_config
from search.configs import check_criterion
from search.space_files import load_space


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("student.fusion_wieght", "student.fusion_weight"),
        ("student.fusionweight", "student.fusion_weight"),
        ("Teacher.Epochs", "teacher.epochs"),
        ("fusion_weight", "student.fusion_weight"),
        ("student.max_lenght", "data.max_length"),
        ("teacher.aligment.weight", "teacher.alignment.weight"),
    ],
)
def test_a_misspelt_setting(path: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"; did you mean {meant}\\?$"):
        build_config(overrides={path: 1})


@pytest.mark.parametrize("path", ["quux", "epochs_of_both.x", ""])
def test_a_setting_like_none_gets_no_guess(path: str) -> None:
    with pytest.raises(UserError) as told:
        build_config(overrides={path: 1})
    assert "did you mean" not in str(told.value)


def test_other_misspelt_names() -> None:
    config = build_config("mini")
    cases = {
        "paper": lambda: build_config("papre"),
        "stable": lambda: build_config(reading="stabel"),
        "source_dev": lambda: check_criterion("source-dev", config),
        "wikiann": lambda: load_corpus("wikian", "en", "train"),
        "default": lambda: load_space("defualt", config),
        "table4": lambda: load_spec("table_4"),
    }
    for meant, call in cases.items():
        with pytest.raises(UserError, match=f"; did you mean {meant}\\?$"):
            call()


def test_a_setting_that_is_given_twice() -> None:
    with pytest.raises(UserError, match=r"teacher.epochs must be given once, but got 2 and 3\.$"):
        parse_overrides(["teacher.epochs=2", "seed=1", "teacher.epochs = 3"])
    with pytest.raises(UserError, match="must be given once"):
        parse_overrides(["seed=1", "seed=1"])


@pytest.mark.parametrize("texts", [[""], [","], [" , ", ""], []])
def test_no_language(texts: list[str]) -> None:
    with pytest.raises(UserError, match="--lang must name a language, but got"):
        codes(texts)
