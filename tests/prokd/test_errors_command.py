"""``prokd errors`` and ``prokd tag`` as they are typed."""

import csv
import json
import math
from itertools import pairwise

import pytest
import tiny
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.config import RuntimeConfig, with_overrides
from prokd.data import load_corpus
from prokd.data.inputs import sentences_of
from prokd.data.labels import TagSet
from prokd.data.readers import read_file
from prokd.errors import UnlabelledError, UserError
from prokd.methods import build_config
from prokd.scoring import metrics
from prokd.scoring.differences import NEITHER, ONLY_FIRST, ONLY_SECOND
from prokd.scoring.errors import (
    CORRECT,
    KINDS,
    MERGED,
    MISSED,
    WRONG_BOTH,
    WRONG_BOUNDARY,
    WRONG_TYPE,
)
from prokd.scoring.tagging import Tagger
from prokd.scoring.type_mapping import score
from prokd.training.model_data import ModelData, find_model
from prokd.training.run import StageRun

TAGS = TagSet.of(["LOC", "ORG", "PER"])


def prokd(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments])


@pytest.mark.parametrize(
    ("entities", "suffix"), [("lenient", ""), ("strict", "_strict"), ("viterbi", "_viterbi")]
)
@pytest.mark.parametrize("which", ["run", "export"])
def test_totals_are_those_of_evaluate(trained, tmp_path, entities, suffix, which):
    folders, exported, data = trained
    folder = exported if which == "export" else folders[0]
    known = ("--lang", "xx", "--data-dir", data)
    evaluated = json.loads(prokd("evaluate", folder, *known, "--json").stdout)
    told = prokd("errors", folder, *known, "--entities", entities, "--json", "--output", tmp_path)
    assert told.exit_code == 0, told.output
    numbers = json.loads(told.stdout)
    assert numbers == json.loads((tmp_path / "errors.json").read_text())
    (found,) = numbers["models"]
    assert found["scores"] == evaluated
    counts = found["outcomes"]
    whole = numbers["gold_entities"] + found["predicted_entities"]
    (overall,) = found["groups"]["all entities"]
    assert overall["correct"] == counts[CORRECT] > 0
    f1 = evaluated[f"entity_f1{suffix}"]
    assert math.isclose(2 * counts[CORRECT] / whole, f1)
    assert math.isclose(overall["f1"], f1)
    missing = [*(WRONG_TYPE, WRONG_BOUNDARY, WRONG_BOTH), MISSED, MERGED]
    assert counts[CORRECT] + sum(counts[kind] for kind in missing) == numbers["gold_entities"]
    if entities != "viterbi":
        assert math.isclose(overall["precision"], evaluated[f"entity_precision{suffix}"])
        for row in found["groups"]["type"]:
            assert math.isclose(row["f1"], evaluated[f"entity_f1{suffix}/{row['name']}"])
    corpus = load_corpus("wikiann", "en", "train", data_dirs=[data])
    assert numbers["source"] == corpus.origin
    for title, rows in found["groups"].items():
        assert sum(row["gold"] for row in rows) == numbers["gold_entities"], title


def test_one_model_in_words_and_files(trained, tmp_path):
    folders, _, data = trained
    runs, signature = folders[1].parent, folders[1].name.split("-")[1]
    given = ("--runs-dir", runs, "--lang", "xx", "--data-dir", data, "--output", tmp_path / "a")
    told = prokd("errors", signature[:6], *given, "--examples", 1)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert lines[0].startswith("This report reads the labels of xx test (")
    assert lines[1] == f"model: {folders[1]} (prokd, en to xx, seed 0)"
    numbers = json.loads((tmp_path / "a" / "errors.json").read_text())
    for kind in KINDS:
        (row,) = [line.split() for line in lines if line.startswith(f"  {kind}  ")][:1]
        assert row[len(kind.split())] == str(numbers["models"][0]["outcomes"][kind])
    with (tmp_path / "a" / "entities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    corpus = load_corpus("wikiann", "xx", "test", data_dirs=[data])
    for row in rows:
        words = corpus.words[int(row["sentence"]) - 1]
        for side in ("gold", "predicted"):
            if row[side]:
                part = words[int(row[f"{side}_first"]) : int(row[f"{side}_end"])]
                assert row[f"{side}_words"] == " ".join(part)
    counts = numbers["models"][0]["confusion"]
    with (tmp_path / "a" / "confusion.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [int(row["entities"]) for row in written] == [cell["entities"] for cell in counts]
    assert sum(int(row["entities"]) for row in written) == len(rows)
    with (tmp_path / "a" / "groups.csv").open(newline="") as file:
        groups = [row for row in csv.DictReader(file) if row["grouping"] == "type"]
    assert [row["group"] for row in groups] == list(TAGS.entity_types)
    markdown = (tmp_path / "a" / "errors.md").read_text()
    wrong = [cell for cell in counts if cell["kind"] != CORRECT]
    assert markdown.count("\n### ") == markdown.count("\n| words |") == len(wrong)
    assert lines[-1].endswith(str(tmp_path / "a" / "entities.csv"))
    # Files of these names are replaced, and without examples there are no sentences.
    assert prokd("errors", folders[1], *given, "--examples", 0).exit_code == 0
    assert "###" not in (tmp_path / "a" / "errors.md").read_text()


def test_two_models_beside_each_other(trained, tmp_path, monkeypatch):
    folders, exported, data = trained
    monkeypatch.chdir(tmp_path)
    told = prokd(
        *("errors", exported, folders[1].name, "--runs-dir", folders[1].parent),
        *("--lang", "en", "--data-dir", data, "--limit", 12),
    )
    assert told.exit_code == 0, told.output
    place = tmp_path / "reports" / f"errors-export-vs-{folders[1].name}-en-test"
    numbers = json.loads((place / "errors.json").read_text())
    assert (numbers["sentences"], len(numbers["models"])) == (12, 2)
    compared = numbers["sentences_compared"]
    sides = [compared[side] for side in (ONLY_FIRST, ONLY_SECOND, NEITHER)]
    whole = sum(map(len, sides)) + compared["both right"] + compared["both wrong alike"]
    assert whole == 12
    assert sides[0] == sorted(sides[0])
    assert sides[0], "six epochs teach more than one"
    corpus = load_corpus("wikiann", "en", "test", data_dirs=[data])
    lines = told.stdout.splitlines()
    at = lines.index(f"  sentence {sides[0][0]}")
    words, gold, first, second = (line.split()[1:] for line in lines[at + 1 : at + 5])
    assert words == corpus.words[sides[0][0] - 1]
    assert gold == first == corpus.tags[sides[0][0] - 1]
    assert gold != second
    rows = [line.split() for line in lines if line.startswith("  correct  ")]
    counts = [model["outcomes"][CORRECT] for model in numbers["models"]]
    difference = f"{counts[1] - counts[0]:+d}" if counts[0] != counts[1] else "0"
    assert rows[0][1:4] == [*map(str, counts), difference]
    order = [lines.index(f"{side.capitalize()}: {len(found)}") for side, found in zip(
        (ONLY_FIRST, ONLY_SECOND, NEITHER), sides, strict=True)]  # fmt: skip
    assert all(one < other for one, other in pairwise(order))


def test_the_source_may_lie_elsewhere_or_nowhere(trained, tmp_path):
    folders, exported, data = trained
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "xx").symlink_to(data / "xx")
    given = ("--lang", "xx", "--data-dir", tmp_path / "only", "--output", tmp_path / "out")
    told = prokd("errors", exported, *given)
    assert told.exit_code == 0, told.output
    assert "Nothing is said of the source's words: language 'en' must be a folder" in told.stdout
    assert "seen in the source" not in told.stdout
    told = prokd("errors", folders[0], *given, "--source-dir", data)
    assert f"source: {data / 'en' / 'train.txt'}" in told.stdout
    assert "By words seen in the source" in told.stdout


def test_mistakes_are_one_sentence(trained, tmp_path):
    folders, exported, data = trained
    runs, given = folders[0].parent, ("--lang", "xx", "--data-dir", data, "--output", tmp_path)
    for arguments, sentence in [
        (
            (folders[0], "--entities", "loose"),
            "--entities must be one of lenient, strict, viterbi",
        ),
        (("nothing", "--runs-dir", runs), "the name or signature 'nothing', but none has"),
        (("teacher", "--runs-dir", runs), "'teacher', but 2 have: teacher-"),
        ((folders[0], "--split", "tost"), "`split` must be one of train, dev, test"),
        ((folders[0], "--source-dir", tmp_path), "language 'en' must be a folder"),
        ((data, "--split", "test"), "a model folder must hold"),
        ((folders[0], "--name", "a"), "--name is for the case study of two models"),
    ]:
        told = prokd("errors", *arguments, *given)
        assert isinstance(told.exception, UserError), told.output
        assert sentence in str(told.exception)
        assert str(told.exception).count("\n") == 0
    told = prokd("errors", exported, "--lang", "xx", "--output", tmp_path)
    assert "must be given by --data-dir or --dataset" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_models_that_know_other_types_are_not_compared(trained, tiny_encoder, tmp_path):
    folders, _, data = trained
    place = tiny.write_corpus(tmp_path / "data")
    for path in place.rglob("*.txt"):
        path.write_text(path.read_text("utf-8").replace("-ORG", "-MISC"), "utf-8")
    runtime = RuntimeConfig(data_dirs=(place,), runs_dir=tmp_path / "runs", device="cpu")
    config = build_config("paper", "stable", tiny.settings(tiny_encoder) | tiny.FEWER)
    config = with_overrides(config, {"teacher.epochs": 1, "teacher.alignment.weight": 0.0})
    with StageRun("teacher", config, runtime) as run:
        run.run()
    pair = ("errors", folders[0], run.folder.path, "--lang", "xx", "--output", tmp_path / "out")
    told = prokd(*pair, "--data-dir", data)
    assert "both models must know the same entity types" in str(told.exception)
    told = prokd(*pair, "--data-dir", place)
    assert "--map MISC=O" in str(told.exception)
    told = prokd("errors", folders[0], *pair[3:], "--data-dir", place, "--map", "MISC=O")
    assert told.exit_code == 0, told.output
    assert "has no entity of the type ORG, which the model knows" in told.stdout


def test_a_corpus_is_tagged_into_files(trained, tmp_path):
    folders, exported, data = trained
    corpus = load_corpus("wikiann", "xx", "test", data_dirs=[data])
    given = ("--lang", "xx", "--data-dir", data, "--independent")
    path = tmp_path / "out" / "test.conll"
    told = prokd("tag", folders[0], *given, "--gold", "--to", path)
    assert told.exit_code == 0, told.output
    assert told.stdout == f"{len(corpus)} sentences of {corpus.origin}: {path}\n"
    assert read_file(path, labelled=True, tag_column=1).tags == corpus.tags
    predicted = read_file(path, labelled=True)
    assert predicted.words == corpus.words
    flat = metrics.report(corpus.tags, predicted.tags, TAGS)
    scores = score(Tagger(folders[0]), corpus)
    assert math.isclose(flat["entity_f1"], scores["entity_f1"])
    # Without --gold no label is read: here there are none.
    bare = tiny.take_labels_away(tiny.write_corpus(tmp_path / "bare"), "xx")
    given = ("--lang", "xx", "--data-dir", bare, "--split", "train")
    told = prokd("tag", exported, *given, "--limit", 5)
    assert {line.count("\t") for line in told.stdout.splitlines() if line} == {1}
    assert isinstance(prokd("tag", exported, *given, "--gold").exception, UnlabelledError)
    told = prokd("tag", exported, *given, "--limit", 5, "--format", "jsonl")
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert [record["sentence"] for record in records] == [1, 2, 3, 4, 5]
    assert any(record["entities"] for record in records)
    for record in records:
        assert record["text"] == " ".join(record["words"])
        assert all(0 < value <= 1 for value in record["scores"])
        assert len(record["scores"]) == len(record["tags"]) == len(record["words"])
        for entity in record["entities"]:
            words = record["words"][entity["first_word"] : entity["end_word"]]
            place = slice(entity["start"], entity["end"])
            assert entity["text"] == " ".join(words) == record["text"][place]
    again = sentences_of(told.stdout, "x.jsonl")
    assert [s.text for s in again] == [record["text"] for record in records]
    labelled = ("--lang", "xx", "--data-dir", data, "--gold", "--format", "jsonl", "--limit", 3)
    told = prokd("tag", exported, *labelled)
    gold = [json.loads(line)["gold"] for line in told.stdout.splitlines()]
    assert gold == corpus.tags[:3]
    for mistake, sentence in [
        (("--format", "json"), "the format must be conll or jsonl"),
        (("--to", tmp_path), "--to must be a file"),
    ]:
        assert sentence in str(prokd("tag", exported, *given, *mistake).exception)


def test_a_model_is_found_by_folder_name_and_signature(trained, tmp_path):
    folders, exported, _ = trained
    runs = folders[0].parent
    name = folders[0].name
    for given in (str(folders[0]), name, name.split("-")[1], name.split("-")[1][:7], name[:-3]):
        assert find_model(given, runs) == folders[0]
    assert find_model(str(exported), runs) == exported
    for given in ("", "student"):
        with pytest.raises(UserError, match="but none has"):
            find_model(given, runs)
    assert ModelData(folders[0]).description == "prokd, en to xx, seed 0"
    assert ModelData(exported).description == "an export, en to xx"
    assert ModelData(tmp_path).description == "an export"
    with pytest.raises(UserError, match="does not say which source language"):
        ModelData(tmp_path).source()
