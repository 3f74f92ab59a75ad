import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from prokd.data.mini import LANGUAGES, generate
from prokd.data.mini.generator import NUM_SENTENCES, parallel_sentences, unlabelled_sentences
from prokd.data.mini.templates import ENTITY_TYPES, SPLITS, shipped_phrasebook
from prokd.errors import UserError

TAGS = {"O"} | {f"{prefix}-{kind}" for prefix in "BI" for kind in ENTITY_TYPES}


def names_of(language, *splits):
    names = shipped_phrasebook(language).names
    return {name for kind in ENTITY_TYPES for split in splits for name in names[kind][split]}


def entities(words, tags):
    found = []
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], [word]))
        elif tag.startswith("I-"):
            found[-1][1].append(word)
    return [(kind, tuple(name)) for kind, name in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_phrasebook_is_large_enough_and_repeats_nothing(language):
    book = shipped_phrasebook(language)
    templates = [template for split in SPLITS for template in book.templates[split]]
    assert len(templates) >= 40
    assert len(set(templates)) == len(templates)
    for kind in ENTITY_TYPES:
        names = [name for split in SPLITS for name in book.names[kind][split]]
        assert len(names) >= 120
        assert len(set(names)) == len(names)


def test_held_out_names_are_training_names_in_no_language():
    training = {name for language in LANGUAGES for name in names_of(language, "train")}
    dev = {name for language in LANGUAGES for name in names_of(language, "dev")}
    test = {name for language in LANGUAGES for name in names_of(language, "test")}
    assert not training & dev
    assert not training & test
    assert not dev & test


@pytest.mark.parametrize("language", LANGUAGES)
def test_splits_hold_only_their_own_held_out_names(language):
    for split, other in [("train", "dev"), ("train", "test"), ("dev", "test"), ("test", "dev")]:
        used = {name for sentence in generate(language, split) for _, name in entities(*sentence)}
        assert not used & names_of(language, other)
        assert used & names_of(language, split)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", SPLITS)
def test_sentences_are_valid_iob2_over_the_three_types(language, split):
    sentences = generate(language, split)
    assert len(sentences) == NUM_SENTENCES[split]
    for words, tags in sentences:
        assert len(words) == len(tags) > 0
        assert all(word and not set(word) & set(" {}|") for word in words)
        assert set(tags) <= TAGS
        for before, tag in pairwise(["O", *tags]):
            assert not tag.startswith("I-") or before in (f"B-{tag[2:]}", tag)
    seen = Counter(kind for sentence in sentences for kind, _ in entities(*sentence))
    assert set(seen) == set(ENTITY_TYPES)


def test_a_seed_settles_the_sentences_and_another_changes_them():
    assert generate("de", "dev", seed=3) == generate("de", "dev", seed=3)
    assert generate("de", "dev", seed=3) != generate("de", "dev", seed=4)
    assert generate("de", "dev", num_sentences=7) == generate("de", "dev")[:7]
    assert generate("de", "dev", num_sentences=0) == []


def test_every_process_generates_the_same_sentences():
    code = (
        "import hashlib; from prokd.data.mini import generate\n"
        "text = repr([generate(l, 'test', seed=5) for l in ('en', 'ar')]).encode()\n"
        "assert 'torch' not in __import__('sys').modules\n"
        "print(hashlib.sha256(text).hexdigest())"
    )
    printed = set()
    for hash_seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        printed.add(run.stdout)
    assert len(printed) == 1


def label_shares(language, kind):
    """Share of each label among the mentions of training names of one kind."""
    names = shipped_phrasebook(language).names
    known = set(names[kind]["train"])
    counts = Counter(
        label
        for sentence in generate(language, "train")
        for label, name in entities(*sentence)
        if name in known
    )
    return {label: count / counts.total() for label, count in counts.items()}


def test_habits_of_annotation_differ_between_languages():
    assert label_shares("en", "LOC")["ORG"] > 0.15
    assert 0.05 < label_shares("de", "LOC")["ORG"] < label_shares("en", "LOC")["ORG"]
    for language in ("ar", "es", "nl"):
        assert "ORG" not in label_shares(language, "LOC")
    for language in ("es", "de"):
        assert label_shares(language, "ORG")["LOC"] > 0.05
    for language in ("en", "ar", "nl"):
        assert "LOC" not in label_shares(language, "ORG")


@pytest.mark.parametrize("language", LANGUAGES)
def test_unlabelled_sentences_show_nothing_held_out(language):
    book = shipped_phrasebook(language)
    sentences = unlabelled_sentences(language, num_sentences=500)
    assert len(sentences) == 500
    assert sentences == unlabelled_sentences(language, num_sentences=500)
    lines = {f" {' '.join(words)} " for words in sentences}
    multi_word = [n for n in names_of(language, "dev", "test") if len(n) > 1]
    assert not [n for n in multi_word if any(f" {' '.join(n)} " in line for line in lines)]
    for split in ("dev", "test"):
        for template in book.templates[split]:
            ending = " ".join(word for word in template[-3:] if isinstance(word, str))
            if len(ending.split()) == 3:
                assert not [line for line in lines if line.endswith(f" {ending} ")]


def test_parallel_sentences_translate_each_other():
    pairs = parallel_sentences("en", "de", num_sentences=400)
    assert len(pairs) == 400
    sentences = {" ".join(first): " ".join(second) for first, second in pairs}
    assert (
        sentences["Nobody was injured in the accident ."]
        == "Bei dem Unfall wurde niemand verletzt ."
    )
    with_munich = [second for first, second in pairs if "Munich" in first]
    assert with_munich
    assert all("München" in second for second in with_munich)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_pairs_with_english(language):
    assert len(parallel_sentences("en", language, num_sentences=10)) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"language": "fr", "split": "train"}, "`language` must be one of .*'fr'"),
        ({"language": "en", "split": "valid"}, "`split` must be one of .*'valid'"),
        ({"language": "en", "split": "dev", "num_sentences": -1}, "`num_sentences >= 0`.*-1"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        generate(**arguments)
