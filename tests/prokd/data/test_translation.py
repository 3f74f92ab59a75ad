"""Labelled sentences translated word by word."""

import random

import pytest

from prokd.config import TranslationConfig
from prokd.data import Corpus
from prokd.data.translation.lexicon import Lexicon
from prokd.data.translation.words import WordCounts, paired, translate

LEXICON = Lexicon(
    {
        word: ((target, 1.0),)
        for word, target in {
            "lives": "woont",
            "the": "het",
            "house": "huis",
            "white": "wit",
            "anna": "anneke",
            "city": "Stadt",
            "eu": "eu",
            "peace": "和平",
        }.items()
    },
    "a list",
)
SENTENCES = [
    (["Anna", "lives", "in", "the", "White", "House"], ["B-PER", "O", "O", "O", "B-LOC", "I-LOC"]),
    (["THE", "EU", "city", "unknown"], ["O", "B-ORG", "O", "O"]),
]


def corpus(sentences=SENTENCES, language="en"):
    words, tags = [list(part) for part in zip(*sentences, strict=True)]
    return Corpus(language, "train", words, tags, "a file", "IOB2")


def text(*sentences, language="nl"):
    return Corpus(language, "train", [s.split() for s in sentences], None, "a file", "")


def test_words_names_and_capitals():
    found = translate(corpus(), LEXICON, TranslationConfig(), target=text("iets"))
    assert found.corpus.words == [
        ["Anna", "woont", "in", "het", "Wit", "Huis"],  # names of persons stay
        ["HET", "EU", "stadt", "unknown"],  # and words that the dictionary does not have
    ]
    assert found.corpus.tags == corpus().tags
    assert (found.corpus.language, found.corpus.split) == ("nl", "train")
    assert list(found.counts) == ["O", "LOC", "ORG", "PER"]
    assert found.counts["O"] == WordCounts(words=6, covered=4, changed=4, kept=0)
    assert found.counts["PER"] == WordCounts(words=1, covered=1, changed=0, kept=1)
    assert found.counts["ORG"] == WordCounts(words=1, covered=1, changed=0, kept=0)
    all_of_it = translate(corpus(), LEXICON, TranslationConfig(keep=()), target=text("iets"))
    assert all_of_it.corpus.words[0][0] == "Anneke"


def test_capitals_as_the_target_has_them():
    german = text("Stadt Stadt Stadt stadt STADT StAdT", language="de")
    many = corpus([(["city"] * 300, ["O"] * 300)])
    found = translate(many, LEXICON, TranslationConfig(), target=german)
    (words,) = found.corpus.words
    assert set(words) == {"Stadt", "stadt", "STADT"}
    assert 150 < words.count("Stadt") < 210  # three of five
    assert translate(many, LEXICON, TranslationConfig(), target=german) == found
    as_source = translate(many, LEXICON, TranslationConfig(casing="source"), target=german)
    assert set(as_source.corpus.words[0]) == {"stadt"}
    dutch = translate(many, LEXICON, TranslationConfig(), target=text("Stadt"))
    assert set(dutch.corpus.words[0]) == {"stadt"}
    drawn = translate(many, LEXICON, TranslationConfig(casing="target"), target=text("Stadt"))
    assert set(drawn.corpus.words[0]) == {"Stadt"}


def test_a_text_of_characters_gets_characters():
    sentences = [(["peace", "peace"], ["B-ORG", "O"])]
    characters = translate(
        corpus(sentences), LEXICON, TranslationConfig(), target=text("和 平 2 NBA", language="zh")
    )
    assert characters.corpus.words == [["和", "平", "和", "平"]]
    assert characters.corpus.tags == [["B-ORG", "I-ORG", "O", "O"]]
    words = translate(
        corpus(sentences), LEXICON, TranslationConfig(), target=text("和平 平", language="zh")
    )
    assert words.corpus.words == [["和平", "和平"]]


def test_pairs_stand_half_a_corpus_apart():
    source = corpus()
    made = translate(source, LEXICON, TranslationConfig(), target=text("iets")).corpus
    both = paired(source, made)
    assert both.words[: len(source)] == source.words
    assert both.words[len(source) :] == made.words
    assert both.tags == source.tags + made.tags


@pytest.mark.parametrize("target", ["和 平", "和平", "iets"])
def test_tags_stay_valid_and_no_sentence_is_lost(target):
    drawn = random.Random(0)
    rows = []
    for _ in range(200):
        row = []
        for _ in range(drawn.randint(1, 6)):
            before = row[-1][1] if row else "O"
            tags = ["O", "B-PER", "B-LOC", *([f"I-{before[2:]}"] if before != "O" else [])]
            row.append((drawn.choice(["Anna", "peace", "city", "x", "THE"]), drawn.choice(tags)))
        rows.append(row)
    source = corpus([tuple(map(list, zip(*row, strict=True))) for row in rows])
    found = translate(source, LEXICON, TranslationConfig(), target=text(target)).corpus
    assert len(found) == len(source)
    for words, tags in zip(found.words, found.tags, strict=True):
        assert len(words) == len(tags)
        assert all(words)
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
