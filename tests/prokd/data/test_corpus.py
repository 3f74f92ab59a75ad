from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prokd.data import Corpus, check_same_types, load_corpus, shared_tag_set
from prokd.data.labels import TagSet
from prokd.errors import UserError

TEXT = "Ana\tI-PER\nB\tB-PER\n\nin\tO\nRom\tI-LOC\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "train.txt").write_text(TEXT)
    return tmp_path


def load(folder: Path, language: str = "en", split: str = "train", **options: object) -> Corpus:
    return load_corpus("wikiann", language, split, data_dirs=[folder], **options)  # type: ignore[arg-type]


def test_corpus(folder: Path) -> None:
    corpus = load(folder)
    assert corpus.words == [["Ana", "B"], ["in", "Rom"]]
    assert corpus.tags == [["B-PER", "B-PER"], ["O", "B-LOC"]]
    assert (corpus.language, corpus.split, corpus.scheme) == ("en", "train", "IOB1")
    assert corpus.origin == str(folder / "en" / "train.txt")
    assert corpus.entity_types == ("PER", "LOC")
    assert len(corpus) == 2


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("train", "train"),
        ("train", "train.conll"),
        ("train", "train.tsv"),
        ("dev", "dev.txt"),
        ("dev", "valid.txt"),
        ("dev", "validation"),
        ("dev", "testa"),
        ("test", "test.bio"),
        ("test", "testb.txt"),
    ],
)
def test_names_of_files(tmp_path: Path, split: str, name: str) -> None:
    (tmp_path / "nl").mkdir()
    (tmp_path / "nl" / name).write_text("a\tO\n")
    assert load(tmp_path, "nl", split).words == [["a"]]


def test_shards(tmp_path: Path) -> None:
    (tmp_path / "nl").mkdir()
    for i in range(2):
        table = pa.table({"tokens": [[f"w{i}"]], "tags": [["O"]]})
        pq.write_table(table, tmp_path / "nl" / f"validation-0000{i}-of-00002.parquet")
    assert load(tmp_path, "nl", "dev").words == [["w0"], ["w1"]]


def test_each_language_from_the_first_folder_that_has_it(tmp_path: Path) -> None:
    for folder, language in (("one", "en"), ("two", "en"), ("two", "ar")):
        (tmp_path / folder / language).mkdir(parents=True)
        (tmp_path / folder / language / "test").write_text(f"{folder}\tO\n")
    folders = [tmp_path / "one", tmp_path / "two"]
    for language, word in (("en", "one"), ("ar", "two")):
        corpus = load_corpus("wikiann", language, "test", data_dirs=folders)
        assert corpus.words == [[word]]


def test_limit_cuts_after_the_scheme_is_known(folder: Path) -> None:
    (folder / "en" / "train.txt").write_text("a\tI-PER\n\nb\tI-PER\nc\tB-PER\n")
    corpus = load(folder, limit=1)
    assert (corpus.tags, corpus.scheme) == ([["B-PER"]], "IOB1")


def test_unlabelled_is_blind_to_tags(folder: Path) -> None:
    plain = load(folder, labelled=False)
    assert (plain.tags, plain.scheme, plain.entity_types) == (None, "", ())
    for text in (
        TEXT.replace("I-PER", "I-LOC"),
        TEXT.replace("I-PER", "-PER").replace("O", "?"),
        "Ana\nB\n\nin\nRom\n",
    ):
        (folder / "en" / "train.txt").write_text(text)
        other = load(folder, labelled=False)
        assert (other.words, other.fingerprint) == (plain.words, plain.fingerprint)


def test_fingerprint_tells_all_contents_apart(corpus: Callable[..., Corpus]) -> None:
    corpora = [
        corpus([["a", "b"]]),
        corpus([["a"], ["b"]]),
        corpus([["ab"]]),
        corpus([["a b"]]),
        corpus([["a", "b"]], [["O", "O"]]),
        corpus([["a", "b"]], [["O", "B-X"]]),
        corpus([["\ud800", "\u2028"]]),
    ]
    prints = [c.fingerprint for c in corpora]
    assert len(set(prints)) == len(prints)
    assert all(len(p) == 16 and int(p, 16) >= 0 for p in prints)
    assert corpus([["a", "b"]]).fingerprint == prints[0]


def test_phrasebook() -> None:
    corpus = load_corpus("phrasebook", "de", "dev", limit=5)
    assert (len(corpus), corpus.origin, corpus.scheme) == (5, "phrasebook", "IOB2")
    plain = load_corpus("phrasebook", "de", "dev", limit=5, labelled=False)
    assert (plain.words, plain.tags) == (corpus.words, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ontonotes", "en", "train", None), r"`dataset` must be one of .* got 'ontonotes'\.$"),
        (("wikiann", "en", "eval", None), r"`split` must be one of train, dev, test, .* 'eval'"),
        (("wikiann", "en", "train", 0), r"`limit >= 1` must hold, but got limit=0\.$"),
        (("phrasebook", "xx", "train", None), r"must be one of en, ar, .* but got 'xx'\.$"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, str, str, int | None], message: str) -> None:
    dataset, language, split, limit = arguments
    with pytest.raises(UserError, match=message):
        load_corpus(dataset, language, split, limit=limit)


def test_missing_language_names_the_folders(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(UserError, match=r"language 'ar' must be a folder .*/one, .*/two\.$"):
        load_corpus("wikiann", "ar", "train", data_dirs=folders)


def test_missing_split(folder: Path) -> None:
    with pytest.raises(UserError, match=r"/en: split 'dev' must be a file .* \(searched: /"):
        load(folder, split="dev")


def test_two_files_for_a_split(folder: Path) -> None:
    (folder / "en" / "train.conll").write_text(TEXT)
    with pytest.raises(UserError, match=r"must be one file, but got train\.txt, train\.conll\.$"):
        load(folder)


@pytest.mark.parametrize("text", ["", "\n \n", "-DOCSTART- O\n\n"])
@pytest.mark.parametrize("labelled", [True, False])
def test_empty_split(folder: Path, text: str, labelled: bool) -> None:
    (folder / "en" / "train.txt").write_text(text)
    with pytest.raises(UserError, match=r"train\.txt: split 'train' must have a sentence"):
        load(folder, labelled=labelled)


def test_tag_errors_name_the_line(folder: Path) -> None:
    (folder / "en" / "train.txt").write_text("a\tO\n\nb\tO\nc\t-PER\n")
    with pytest.raises(UserError, match=r"train\.txt:4: a tag must be .* but got '-PER'\.$"):
        load(folder)
    (folder / "en" / "train.txt").write_text("a\tB-X\n\nb\tB-X\nc\tI-Y\n")
    with pytest.raises(UserError, match=r"train\.txt:4: in scheme IOB2 .* got 'I-Y' after 'B-X'"):
        load(folder)


def test_wrong_tag_does_not_move_the_tag_column(folder: Path) -> None:
    (folder / "en" / "train.txt").write_text("a X B-NP O\nb X I-NP -PER\nc X O O\n")
    with pytest.raises(UserError, match=r"train\.txt:2: a tag must be .* but got '-PER'\.$"):
        load(folder)


def test_shared_tag_set(corpus: Callable[..., Corpus]) -> None:
    source = corpus([["a", "b"]], [["B-PER", "B-LOC"]])
    same = corpus([["a", "b"]], [["B-LOC", "B-PER"]])
    fewer = corpus([["a"]], [["B-PER"]])
    more = corpus([["a", "b", "c"]], [["B-PER", "B-LOC", "B-MISC"]])
    plain = corpus([["a"]])
    assert shared_tag_set([source, same, plain]) == TagSet.of(["LOC", "PER"])
    check_same_types(source, fewer, exact=False)
    for other, exact in ((fewer, True), (more, True), (more, False)):
        with pytest.raises(UserError, match=r"entity types must be those of memory \(PER, LOC\)"):
            check_same_types(source, other, exact=exact)
    for corpora in ([plain], [], [corpus([["a"]], [["O"]])]):
        with pytest.raises(UserError, match="the labelled source must have an entity"):
            shared_tag_set(corpora)


@pytest.mark.slow
@pytest.mark.skipif("PROKD_DATA" not in os.environ, reason="PROKD_DATA names no real data")
@pytest.mark.parametrize(
    ("language", "split", "sentences", "entities"),
    [
        ("en", "train", 20_000, 27_931),
        ("en", "dev", 10_000, 14_146),
        ("en", "test", 10_000, 13_958),
    ],
)
def test_wikiann(language: str, split: str, sentences: int, entities: int) -> None:
    folder = Path(os.environ["PROKD_DATA"]) / "data" / "wikiann"
    corpus = load(folder, language, split)
    count = sum(tag[0] == "B" for tags in corpus.tags or () for tag in tags)
    assert (len(corpus), count, corpus.scheme) == (sentences, entities, "IOB2")
    assert corpus.words == load(folder, language, split, labelled=False).words
