"""Dictionaries of parallel sentences: Dice, IBM model 1 and eflomal."""

import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from prokd.data.translation.aligner import (
    check_aligner,
    has_eflomal,
    lexicon_from_parallel,
    linked_scores,
)
from prokd.data.translation.dice import dice_scores, lexicon_by_dice
from prokd.data.translation.ibm1 import expected_scores, translation_table
from prokd.data.translation.lexicon import Lexicon
from prokd.data.translation.parallel import ParallelText, read_parallel
from prokd.errors import UserError

ADJECTIVES = {"the": "das", "a": "ein", "my": "mein", "your": "dein", "no": "kein"}
NOUNS = {
    "house": "Haus",
    "book": "Buch",
    "child": "Kind",
    "picture": "Bild",
    "animal": "Tier",
    "boat": "Boot",
}
VERBS = {"is": "ist", "was": "war", "becomes": "wird"}
ENDS = {"old": "alt", "big": "groß", "here": "hier", "new": "neu"}
WORDS = {**ADJECTIVES, **NOUNS, **VERBS, **ENDS}


def grammar() -> list[tuple[str, str]]:
    """All sentences of a small grammar, "the house is old", and their translations."""
    return [
        (
            f"{a.capitalize()} {n} {v} {e}.",
            f"{ADJECTIVES[a].capitalize()} {NOUNS[n]} {VERBS[v]} {ENDS[e]}.",
        )
        for a, n, v, e in itertools.product(ADJECTIVES, NOUNS, VERBS, ENDS)
    ]


def parallel(folder: Path, pairs: list[tuple[str, str]]) -> ParallelText:
    path = folder / "en-de.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    return read_parallel([path], source="en", target="de")


def best(lexicon: Lexicon) -> dict[str, str]:
    return {word: targets[0][0] for word, targets in lexicon.entries.items()}


def ibm1_by_loops(
    pairs: list[tuple[list[str], list[str]]], iterations: int
) -> tuple[dict[tuple[str | None, str], float], dict[tuple[str | None, str], float]]:
    """t(f|e) and the last expected counts, from the formulas in the plainest loops."""
    others = {f for _, target in pairs for f in target}
    t: dict[tuple[str | None, str], float] = defaultdict(lambda: 1 / len(others))
    count: dict[tuple[str | None, str], float] = {}
    for _ in range(iterations):
        count = defaultdict(float)
        for source, target in pairs:
            for f in target:
                total = sum(t[e, f] for e in [None, *source])
                for e in [None, *source]:
                    count[e, f] += t[e, f] / total
        totals: dict[str | None, float] = defaultdict(float)
        for (e, _), number in count.items():
            totals[e] += number
        t = {(e, f): number / totals[e] for (e, f), number in count.items()}
    return dict(t), dict(count)


@pytest.mark.parametrize("most", [1, 40, 10**6])
@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_ibm1_is_its_plain_loops(monkeypatch, iterations, most):
    monkeypatch.setattr("prokd.data.translation.ibm1._MOST_AT_ONCE", most)
    pairs = [
        (["the", "house"], ["das", "haus"]),
        (["the", "book"], ["das", "buch"]),
        (["a", "book"], ["ein", "buch"]),
        (["the", "the", "big", "house"], ["das", "große", "haus", "haus"]),
        (["yes"], ["ja"]),
    ]
    sources, targets = zip(*pairs, strict=True)
    table = translation_table(sources, targets, iterations=iterations)
    t, count = ibm1_by_loops(pairs, iterations)
    keys = [
        (table.words[e], table.others[f])
        for e, f in zip(table.source_P, table.target_P, strict=True)
    ]
    assert sorted(keys, key=str) == sorted(t, key=str)
    np.testing.assert_allclose(table.probability_P, [t[key] for key in keys], rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.count_P, [count[key] for key in keys], rtol=0, atol=1e-12)


def test_ibm1_of_das_haus_prefers_the_right_words():
    sources = [["the", "house"], ["the", "book"], ["a", "book"]]
    targets = [["das", "haus"], ["das", "buch"], ["ein", "buch"]]
    table = translation_table(sources, targets, iterations=30)
    found = dict(
        ((e, f), p)
        for e, f, p in zip(
            [table.words[e] for e in table.source_P],
            [table.others[f] for f in table.target_P],
            table.probability_P,
            strict=True,
        )
    )
    for e, f in [("the", "das"), ("house", "haus"), ("book", "buch"), ("a", "ein")]:
        assert found[e, f] == max(p for (word, _), p in found.items() if word == e)


def test_expected_links_are_scored_both_ways():
    sources, targets = [["the", "house"], ["the", "book"]], [["das", "haus"], ["das", "buch"]]
    table = translation_table(sources, targets, iterations=3)
    _, count = ibm1_by_loops(list(zip(sources, targets, strict=True)), 3)
    of_e = {e: sum(n for (x, _), n in count.items() if x == e) for e, _ in count}
    of_f = {f: sum(n for (_, x), n in count.items() if x == f) for _, f in count}
    expected = {
        (e, f): 2 * n / (of_e[e] + of_f[f]) for (e, f), n in count.items() if e is not None
    }
    found = {(e, f): s for e, f, s in expected_scores(table, min_count=0.0, min_dice=0.0)}
    assert found == pytest.approx(expected, abs=1e-12)
    kept = {(e, f) for e, f, _ in expected_scores(table, min_count=0.5, min_dice=0.4)}
    assert kept == {key for key, s in expected.items() if s >= 0.4 and count[key] >= 0.5}


@pytest.mark.parametrize("most", [1, 10**6])
def test_dice_by_hand(monkeypatch, tmp_path, most):
    monkeypatch.setattr("prokd.data.translation.dice._MOST_AT_ONCE", most)
    text = parallel(
        tmp_path,
        [("the house", "das haus"), ("the the book", "das buch"), ("a book", "ein buch buch")],
    )
    scores = {(e, f): score for e, f, score in dice_scores(text, min_count=1)}
    assert scores["the", "das"] == 1  # 2 * 2 / (2 + 2)
    assert scores["the", "haus"] == pytest.approx(2 / 3)  # 2 * 1 / (2 + 1)
    assert scores["book", "buch"] == 1
    assert scores["book", "das"] == 0.5  # 2 * 1 / (2 + 2)
    assert ("house", "buch") not in scores
    often = {(e, f) for e, f, _ in dice_scores(text, min_count=2)}
    assert often == {("the", "das"), ("book", "buch")}


def test_links_are_scored_by_dice_by_hand():
    text = ParallelText(
        [["the", "house"], ["the", "book"], ["the"]],
        [["das", "haus"], ["das", "buch"], ["die"]],
        {},
        "de",
        "by hand",
    )
    links = [[(0, 0), (1, 1)], [(0, 0), (1, 1)], [(0, 0)]]
    found = {(e, f): s for e, f, s in linked_scores(text, links, min_links=1, min_dice=0.0)}
    assert found == {
        ("the", "das"): 2 * 2 / (3 + 2),
        ("the", "die"): 2 * 1 / (3 + 1),
        ("house", "haus"): 1.0,
        ("book", "buch"): 1.0,
    }
    assert [f for _, f, _ in linked_scores(text, links, min_links=2, min_dice=0.0)] == ["das"]
    assert len(list(linked_scores(text, links, min_links=1, min_dice=0.9))) == 2


@pytest.mark.parametrize("aligner", ["dice", "ibm1", "eflomal"])
def test_each_aligner_finds_the_words_of_a_small_grammar(tmp_path, aligner):
    if aligner == "eflomal" and not has_eflomal():
        pytest.skip("eflomal is not installed (pip install eflomal==2.0.0)")
    lexicon = lexicon_from_parallel(parallel(tmp_path, grammar()), aligner)
    assert best(lexicon) == WORDS  # capitals of nouns kept, those of beginnings not
    assert "en-de.tsv" in lexicon.origin


def test_auto_takes_eflomal_where_it_is_and_ibm1_otherwise(tmp_path):
    lexicon = lexicon_from_parallel(parallel(tmp_path, grammar()))
    assert lexicon.origin.startswith("eflomal" if has_eflomal() else "IBM-1")


def test_an_unknown_aligner_and_one_that_is_not_there_are_refused():
    with pytest.raises(UserError, match="one of auto, eflomal, dice, ibm1, but got 'giza'"):
        check_aligner("giza")
    if not has_eflomal():
        with pytest.raises(UserError, match="eflomal must be installed"):
            check_aligner("eflomal")


def test_words_that_never_go_together_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="Dice must find words that go together often enough"):
        lexicon_by_dice(parallel(tmp_path, [("a house", "ein Haus")]))


@pytest.mark.slow
def test_real_sentences_give_words_that_a_real_dictionary_lists(prokd_data, tmp_path):
    from prokd.data.translation.lexicon import read_lexicon

    path = prokd_data / "text" / "parallel" / "en-hi.tsv.xz"
    if not path.is_file():
        pytest.skip("the folder that PROKD_DATA names has no text/parallel/")
    muse = read_lexicon([prokd_data / "dictionaries" / "muse"], source="en", target="hi")
    listed = {word: {target for target, _ in found} for word, found in muse.entries.items()}
    text = read_parallel([path], source="en", target="hi")
    found = best(lexicon_from_parallel(text, "ibm1"))
    known = [word for word in found if word in listed]
    assert len(known) > 2_500
    assert sum(found[word] in listed[word] for word in known) / len(known) > 0.7
