"""``prokd features`` and the case study of ``prokd errors`` on teachers that were trained."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.cli.cases_files import write_cases
from prokd.cli.features_figure import _add_legend
from prokd.data import load_corpus
from prokd.errors import UserError
from prokd.scoring.differences import ONLY_FIRST
from prokd.scoring.tagging import Tagger
from prokd.training.analysis import analyse
from prokd.training.cases import cases
from prokd.training.model_data import ModelData


def prokd(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments])


def test_features_are_those_of_the_words_and_the_same_again(trained, tmp_path):
    folders, exported, data = trained
    given = ("--lang", "xx", "--data-dir", data, "--tokens-per-class", 6, "--outside")
    less = r"less, $\bad$"  # no mathematics: shown as it is given
    names = ("--name", "more", "--name", less)
    pair = ("features", exported, folders[1])
    told = prokd(*pair, *given, *names, "--output", tmp_path / "a")
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("This picture reads the labels of en test (")
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert (tmp_path / "a" / f"features.{form}").read_bytes().startswith(start)
    with (tmp_path / "a" / "features.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    corpora = {
        code: load_corpus("wikiann", code, "test", data_dirs=[data]) for code in ("en", "xx")
    }
    for row in rows:
        corpus, number = corpora[row["language"]], int(row["sentence"]) - 1
        tags = zip(corpus.words[number], corpus.tags[number], strict=True)
        assert (row["word"], row["class"]) in set(tags)
    places = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    assert np.isfinite(places).all()
    panels = [[tuple(r.values())[1:6] for r in rows if r["panel"] == n] for n in ("more", less)]
    assert panels[0] == panels[1]  # the same words
    known = json.loads((tmp_path / "a" / "features.json").read_text())
    assert [panel["name"] for panel in known["panels"]] == ["more", less]
    assert known["classes"][-1] == "O"
    overall = [panel["alignment"][-1]["own_mean"] for panel in known["panels"]]
    assert f"{overall[0]:.3f}" in told.stdout
    again = ("--name", "more", "--output", tmp_path / "b")
    assert prokd(*pair[:2], *given, *again).exit_code == 0
    with (tmp_path / "b" / "features.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [row for row in rows if row["panel"] == "more"]


def test_a_word_has_the_features_that_its_classifier_sees(trained):
    folders, _, data = trained
    tagger = Tagger(folders[0])
    words = load_corpus("wikiann", "xx", "test", data_dirs=[data]).words[:3]
    features_WD = tagger.features(words)
    assert features_WD.shape == (sum(map(len, words)), tagger.model.num_features)
    probabilities_WC = tagger.model.classifier(features_WD).softmax(dim=-1)
    assert np.allclose(probabilities_WC.detach(), tagger.probabilities(words), atol=1e-6)
    assert tagger.features([]).shape == (0, tagger.model.num_features)


def test_mistakes_are_one_sentence(trained, tmp_path):
    folders, _, data = trained
    given = ("--lang", "xx", "--data-dir", data, "--output", tmp_path)
    nothing = ("--map", "PER=O", "--map", "LOC=O", "--map", "ORG=O")
    for arguments, sentence in [
        ((folders[0], "--classes", "words"), "--classes must be one of tags, types"),
        ([folders[0]] * 5, "there must be at most 4 models, but got 5"),
        ((folders[0], "--name", "a", "--name", "b"), "once for each of the 1 models"),
        ((folders[0], "--split", "tost"), "`split` must be one of train, dev, test"),
        (
            (folders[0], *nothing),
            "at least 5 words of entities, some of each",
        ),
    ]:
        told = prokd("features", *arguments, *given)
        assert isinstance(told.exception, UserError), told.output
        assert sentence in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_cases_are_those_that_one_has_right_the_surest_first(trained, tmp_path):
    folders, _, data = trained
    models = [ModelData(folder, data_dirs=(data,)) for folder in folders]
    corpus = models[0].corpus("en", "test")
    found = analyse(models, corpus, source=models[0].source_or_reason(None))
    chosen = cases(found, 3)
    of_first = [case for case in chosen if case.side == ONLY_FIRST]
    assert of_first, "six epochs teach more than one"
    assert len(of_first) <= 3
    assert [case.sureness for case in of_first] == sorted(
        (case.sureness for case in of_first), reverse=True
    )
    tagged = [Tagger(folder).tag(corpus.words, valid=False) for folder in folders]
    for case in chosen:
        assert case.gold == corpus.tags[case.sentence]
        assert case.predicted == tuple(own[case.sentence].tags for own in tagged)
        own = tagged[case.right][case.sentence]
        differing = [word.place for word in case.differing]
        assert case.sureness == pytest.approx(min(own.scores[place] for place in differing))
        for word in case.differing:
            assert case.predicted[0][word.place] != case.predicted[1][word.place]
            assert word.split[case.gold[word.place]] >= 1
            assert sum(word.source.values()) == sum(
                w == case.words[word.place]
                for sentence in load_corpus("wikiann", "en", "train", data_dirs=[data]).words
                for w in sentence
            )
    assert cases(found, 0) == []
    paths = write_cases(found, ["<more>", "less_"], 3, tmp_path)
    page, text, latex = (path.read_text("utf-8") for path in paths)
    assert page.count("<h2>") == text.count("\n## ") == latex.count("\\#") == len(chosen)
    assert "only &lt;more&gt; right: sentence" in page
    assert not re.search(r"""(src|href)=["']""", page)
    assert 'dir="rtl"' not in page
    assert "less\\_ & " in latex
    assert latex.count("{") == latex.count("}")


def test_scripts_from_right_to_left_stand_right(trained, tmp_path):
    folders, _, data = trained
    models = [ModelData(folder, data_dirs=(data,)) for folder in folders]
    found = analyse(models, models[0].corpus("en", "test"))
    arabic = [["كلمة"] * len(words) for words in found.corpus.words]
    found = replace(found, corpus=replace(found.corpus, words=arabic, language="ar"))
    paths = write_cases(found, ["more", "less"], 1, tmp_path)
    page, text, latex = (path.read_text("utf-8") for path in paths)
    assert '<div class="sentence" dir="rtl" lang="ar">' in page
    assert '<div dir="rtl">' in text
    assert "bidi=basic" in latex
    assert "\\begin{otherlanguage}{arabic}" in latex


def test_no_word_of_a_legend_lies_outside_of_the_picture():
    labels = [f"a class of a long name, {number}" for number in range(9)]
    keys = [Line2D([], [], marker="o", linestyle="", label=label) for label in labels]
    figure = Figure(figsize=(6.0, 5.1), layout="constrained")
    figure.subplots()
    _add_legend(figure, keys, most=5)
    figure.canvas.draw()
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.width
    assert [text.get_text() for text in legend.get_texts()] == labels
