"""Tags of sentences of any length, by a run and by its export; scores by the model's tags."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tiny
import torch
from typer.testing import CliRunner, Result

from prokd.cli.app import app
from prokd.config import RuntimeConfig, with_overrides
from prokd.data import Corpus, load_corpus
from prokd.data.inputs import detected_form, sentences_of
from prokd.data.windows import windows_of
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.scoring.pipeline import load_pipeline
from prokd.scoring.tagged_text import as_conll, as_record
from prokd.scoring.tagging import Tagger
from prokd.scoring.type_mapping import parse_mapping, score, with_mapped_types
from prokd.training.exports import export
from prokd.training.run import StageRun

SPELLED = "lena karim lives in leiden ."
"""The tiny tokenizer spells lena and leiden letter by letter."""


class Trained(NamedTuple):
    run: Path
    export: Path
    data: Path
    report: dict[str, float]


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A teacher that has learned, and its export."""
    place = tmp_path_factory.mktemp("trained")
    data = tiny.write_corpus(place / "data")
    config = build_config("paper", "stable", tiny.settings(tiny_encoder))
    config = with_overrides(config, {"teacher.epochs": 6, "teacher.alignment.weight": 0.0})
    runtime = RuntimeConfig(
        data_dirs=(data,), runs_dir=place / "runs", cache_dir=place / "cache", device="cpu"
    )
    with StageRun("teacher", config, runtime) as run:
        run.run()
        report = run.report()
        folder = export(run.folder, place / "export")
    return Trained(run.folder.path, folder, data, report)


def prokd(*arguments: str | Path, text: str | bytes = "") -> Result:
    return CliRunner().invoke(app, [str(part) for part in arguments], input=text)


def test_the_recommended_pipeline_tags_whole_words(trained: Trained) -> None:
    hits = load_pipeline(trained.export)(SPELLED)
    assert "lena" in {word for hit in hits for word in SPELLED[hit["start"] : hit["end"]].split()}
    whole = {(word.start, word.end) for word in sentences_of(SPELLED, "x")[0].words}
    starts, ends = {start for start, _ in whole}, {end for _, end in whole}
    assert all(hit["start"] in starts and hit["end"] in ends for hit in hits)
    (tagged,) = Tagger(trained.export).tag([SPELLED.split()], valid=False)
    kinds = {tag[2:] for tag in tagged.tags if tag != "O"}
    assert {hit["entity_group"] for hit in hits} == kinds


@pytest.mark.parametrize("folder", ["run", "export"])
def test_all_words_of_a_long_line_are_tagged(trained: Trained, folder: str) -> None:
    tagger = Tagger(getattr(trained, folder))
    short = SPELLED.split()
    (expected,) = tagger.tag([short])
    assert "B-PER" in expected.tags
    (tagged,) = tagger.tag([short * 20])
    assert tagged.words == short * 20
    assert all(score > 0 for score in tagged.scores)
    found = [tagged.tags[i : i + len(short)] for i in range(0, len(tagged.tags), len(short))]
    assert sum("B-PER" in tags for tags in found) >= 18
    for previous, tag in zip(["O", *tagged.tags], tagged.tags, strict=False):
        assert tag[0] != "I" or previous[1:] == tag[1:]
    alone, among = tagger.tag([["anna"], short * 20])
    assert among == tagged
    assert alone.tags == tagger.tag([["anna"]])[0].tags


def test_windows_hold_each_word_where_it_has_most_context(trained: Trained) -> None:
    tokenizer = Tagger(trained.run).tokenizer
    sentences = [["anna"], [], [f"{i}" for i in range(50)], ["x" * 200, "anna", "y" * 90], ["in"]]
    windows = windows_of(sentences, tokenizer, 12)
    flat = [word for window in windows.words for word in window]
    assert [flat[i] for i in windows.row_W] == [word for s in sentences for word in s]
    assert [windows.words[0], windows.words[-1]] == [["anna"], ["in"]]
    assert all(len(window) <= 10 for window in windows.words)
    starts = np.cumsum([0, *map(len, windows.words)])
    for row in windows.row_W[5:40]:  # inner words of the long sentence
        window = np.searchsorted(starts, row, side="right") - 1
        assert min(row - starts[window], starts[window + 1] - 1 - row) >= 2
    assert windows_of([[], []], tokenizer, 12).words == []


def test_sentences_that_fit_are_tagged_as_before(trained: Trained) -> None:
    tagger = Tagger(trained.run)
    corpus = load_corpus("wikiann", "xx", "test", data_dirs=[trained.data])
    windows = windows_of(corpus.words, tagger.tokenizer, tagger.max_length)
    assert windows.words == corpus.words
    for name, value in score(tagger, corpus).items():
        assert value == trained.report[f"test/xx/{name}"], name


def test_places_of_words_and_entities_in_the_text(trained: Trained) -> None:
    line = "  anna   lives in new delhi."
    result = prokd("predict", trained.export, "--text", line, "--format", "json")
    record = json.loads(result.stdout)
    assert (record["text"], record["line"]) == (line, 1)
    places = zip(record["start"], record["end"], strict=True)
    assert [line[start:end] for start, end in places] == record["words"]
    assert record["words"] == ["anna", "lives", "in", "new", "delhi", "."]
    assert record["entities"]
    for entity in record["entities"]:
        assert line[entity["start"] : entity["end"]] == entity["text"]
        words = record["words"][entity["first_word"] : entity["end_word"]]
        assert " ".join(words) == entity["text"]


def test_text_is_split_by_the_rules_of_its_language(trained: Trained) -> None:
    for arguments, words in (
        (["--text", "नई दिल्ली में"], ["नई", "दिल्ली", "में"]),
        (["--text", "他在北京。", "--lang", "zh"], ["他在", "北京", "。"]),
        (["--text", "o'clock St. Paul", "--no-split"], ["o'clock", "St.", "Paul"]),
    ):
        printed = prokd("predict", trained.run, *arguments).stdout
        assert [row.split("\t")[0] for row in printed.strip().split("\n")] == words
    assert Tagger(trained.run).language == Tagger(trained.export).language == "xx"


CONLL = "-DOCSTART-\tO\n\nSt.\tB-LOC\nPaul\tI-LOC\n\nanna\tO\n"
JSONL = '{"tokens": ["St.", "Paul"]}\n{"words": ["anna"]}\n'


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("x.conll", CONLL, "auto"),
        ("x.txt", CONLL, "auto"),
        ("x", CONLL.replace("\t", " "), "auto"),
        ("x.txt", "St.\nPaul\n\nanna\n", "conll"),
        ("x.jsonl", JSONL, "auto"),
        ("-", JSONL, "auto"),
        ("x.log", JSONL, "jsonl"),
    ],
)
def test_tokenised_input_keeps_its_words(name: str, text: str, form: str) -> None:
    sentences = sentences_of(text, name, form=form)
    assert [[w.text for w in s.words] for s in sentences] == [["St.", "Paul"], ["anna"]]
    assert (sentences[0].text, sentences[0].words[1].start) == ("St. Paul", 4)


def test_text_stays_text() -> None:
    for text in ("Anna O\nlives here O\n", "{not} json\n", '{"a": 1}\n', "one word\nand two\n"):
        assert detected_form(text, "x.txt") == "text"
    assert [s.line for s in sentences_of("a\r\n\r\n \u00a0\nb\rc", "x")] == [1, 4, 5]
    with pytest.raises(UserError, match="one of auto, text, conll, jsonl"):
        sentences_of("a", "x", form="xml")


def test_columns_cannot_hold_a_tab(trained: Trained) -> None:
    (sentence,) = sentences_of('{"tokens": ["a\\tb"]}', "x.jsonl")
    tagged = Tagger(trained.run).tag([["a\tb"]])
    assert as_record(sentence, tagged[0])["words"] == ["a\tb"]
    with pytest.raises(UserError, match="no tab and no line end"):
        as_conll(tagged)


def with_type(corpus: Corpus, kind: str, new: str) -> Corpus:
    """Call one of two entities of a type otherwise."""
    tags = [
        [tag.replace(kind, new) if number % 2 else tag for tag in tags]
        for number, tags in enumerate(corpus.tags or ())
    ]
    return replace(corpus, tags=tags)


def test_scores_go_by_the_models_tags(trained: Trained) -> None:
    tagger = Tagger(trained.export)
    assert tagger.tag_set.entity_types == ("LOC", "ORG", "PER")
    plain = load_corpus("wikiann", "xx", "test", data_dirs=[trained.data])
    expected = score(tagger, plain)
    assert expected["entity_f1/PER"] > 0.5
    more = with_type(plain, "LOC", "GPE")
    with pytest.raises(UserError, match=r"those of the model \(LOC, ORG, PER\), but got GPE too"):
        with_mapped_types(more, {}, tagger.tag_set)
    odd = with_type(plain, "LOC", "LOC(GPE)")
    with pytest.raises(UserError, match=r"--map 'LOC\(GPE\)=O'"):  # as a shell takes it
        with_mapped_types(odd, {}, tagger.tag_set)
    as_loc = with_mapped_types(more, parse_mapping(["GPE=LOC"]), tagger.tag_set)
    assert score(tagger, as_loc) == expected
    dropped = score(tagger, with_mapped_types(more, {"GPE": "O"}, tagger.tag_set))
    assert dropped["entity_f1/PER"] == expected["entity_f1/PER"]
    with pytest.raises(UserError, match="must lead to O or a type of the model"):
        with_mapped_types(more, {"GPE": "MISC"}, tagger.tag_set)
    for text in ("GPE", "=O", "GPE="):
        with pytest.raises(UserError, match="must have the form"):
            parse_mapping([text])


def test_evaluate_takes_exports_and_needs_the_target_alone(
    trained: Trained, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    tiny.write_corpus(folder, ("xx",))
    path = folder / "xx" / "test.txt"
    path.write_text(path.read_text().replace("-ORG", "-MISC") + "\nklm\tB-PER\n")
    common = ["--lang", "xx", "--data-dir", folder, "--json"]
    for model in (trained.run, trained.export):
        refused = prokd("evaluate", model, *common)
        assert isinstance(refused.exception, UserError)
        scored = prokd("evaluate", model, *common, "--map", "MISC=O")
        assert scored.exit_code == 0, scored.output
        assert "has no entity of the type ORG" in scored.stderr
        scores = json.loads(scored.stdout)
        assert [name for name in scores if name.startswith("entity_f1/")] == [
            "entity_f1/LOC", "entity_f1/ORG", "entity_f1/PER",
        ]  # fmt: skip
    nowhere = prokd("evaluate", trained.export, "--lang", "xx")
    assert "an export names none" in str(nowhere.exception)


def test_a_run_that_is_not_finished_is_told(trained: Trained, tmp_path: Path) -> None:
    for name in ("config.json", "identity.json"):
        (tmp_path / name).write_bytes((trained.run / name).read_bytes())
    with pytest.raises(UserError, match="a run must be finished"):
        Tagger(tmp_path)
    (tmp_path / "identity.json").unlink()
    with pytest.raises(UserError, match="must name the type of its model"):
        Tagger(tmp_path)


@pytest.mark.parametrize(
    ("content", "name", "rule"),
    [
        (b"Stra\xdfe", "x.txt", "x.txt:1: the text must be UTF-8, but byte 4 is 0xdf"),
        (b'{"tokens": ["\\ud800"]}', "x.jsonl", "x.jsonl:1: a word must be Unicode text"),
        (b"a b\nc\n", "x.conll", "x.conll:1: each line must hold one word"),
        (b"\x1f\x8bno", "x.txt", "packed file must be whole"),
    ],
)
def test_bad_input_is_a_sentence(
    trained: Trained, tmp_path: Path, content: bytes, name: str, rule: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = prokd("predict", trained.run, "--file", tmp_path / name)
    assert isinstance(result.exception, UserError)
    assert rule in str(result.exception)
    if name == "x.txt":
        result = prokd("predict", trained.run, "--file", "-", text=content)
        assert isinstance(result.exception, UserError)


def test_no_words_no_tags(trained: Trained) -> None:
    assert prokd("predict", trained.run, "--text", " \u200b ").stdout == ""
    tagger = Tagger(trained.run)
    assert [item.tags for item in tagger.tag([[], []])] == [[], []]
    assert tagger.probabilities([]).shape == torch.Size([0, 7])
