"""What becomes of each entity, the groups of them, two models side by side, tags below words."""

import math

import numpy as np
import pytest
from rich.cells import cell_len

from prokd.cli.aligned import END_OF_ISOLATE, ISOLATE, WIDTH, sentence_lines, sentence_markdown
from prokd.data import Corpus
from prokd.data.labels import TagSet
from prokd.scoring import metrics
from prokd.scoring.differences import NEITHER, ONLY_FIRST, ONLY_SECOND, agreement
from prokd.scoring.entity_groups import (
    by_frequency,
    by_seen_words,
    by_sentence_length,
    group_scores,
    groupings,
    source_text,
)
from prokd.scoring.errors import (
    CORRECT,
    INVENTED,
    KINDS,
    MERGED,
    MISSED,
    SPLIT,
    WRONG_BOTH,
    WRONG_BOUNDARY,
    WRONG_TYPE,
    Cell,
    Entity,
    confusion,
    entities_of,
    outcomes,
    tags_of,
    totals,
)

TAGS = TagSet.of(["LOC", "ORG", "PER"])


def spans(text: str, sentence: int = 0) -> list[Entity]:
    """Read entities from tags such as "P p O L": a capital begins one, a small letter goes on."""
    kinds = {"L": "LOC", "O": "", "G": "ORG", "P": "PER"}
    found: list[list[int | str]] = []
    for place, mark in enumerate(text.split()):
        if mark.islower():
            found[-1][1] = place + 1
        elif kinds[mark]:
            found.append([place, place + 1, kinds[mark]])
    return [Entity(sentence, int(a), int(b), str(kind)) for a, b, kind in found]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("P p O", "P p O", [(CORRECT, "PER", "PER")]),
        ("P p O", "L l O", [(WRONG_TYPE, "PER", "LOC")]),
        ("P p O", "P O O", [(WRONG_BOUNDARY, "PER", "PER")]),
        ("P p O", "O G g", [(WRONG_BOTH, "PER", "ORG")]),
        ("P p O", "O O O", [(MISSED, "PER", "")]),
        ("O O O", "O L O", [(INVENTED, "", "LOC")]),
        ("P p L", "P p p", [(WRONG_BOUNDARY, "PER", "PER"), (MERGED, "LOC", "")]),
        ("P p p", "P P p", [(SPLIT, "", "PER"), (WRONG_BOUNDARY, "PER", "PER")]),
        # The same type goes before more shared words, those before what stands further left.
        ("L l P", "P p p", [(MERGED, "LOC", ""), (WRONG_BOUNDARY, "PER", "PER")]),
        ("L L l", "P p p", [(MERGED, "LOC", ""), (WRONG_BOTH, "LOC", "PER")]),
        ("L P", "G g", [(WRONG_BOTH, "LOC", "ORG"), (MERGED, "PER", "")]),
        ("P P", "P L", [(CORRECT, "PER", "PER"), (WRONG_TYPE, "PER", "LOC")]),
    ],
)
def test_each_kind_of_outcome(gold, predicted, expected):
    found = outcomes(spans(gold), spans(predicted))
    assert sorted(outcome.cell for outcome in found) == sorted(Cell(*cell) for cell in expected)


def random_labels(random: np.random.Generator, lengths: list[int]) -> np.ndarray:
    """Tags of no scheme: an I- may stand anywhere, as a model's do."""
    names = ["O", "O", "B-PER", "I-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"]
    return np.array([TAGS.index(str(tag)) for tag in random.choice(names, size=sum(lengths))])


def reference_outcomes(gold, predicted):
    """The rules of `outcomes`, one after another, over all entities of a corpus at once."""
    words = {entity: set(range(entity.first, entity.end)) for entity in [*gold, *predicted]}
    free_gold, free_predicted, result = list(gold), list(predicted), []
    conditions = [
        (CORRECT, lambda g, p: words[g] == words[p] and g.kind == p.kind),
        (WRONG_TYPE, lambda g, p: words[g] == words[p]),
        (WRONG_BOUNDARY, lambda g, p: bool(words[g] & words[p]) and g.kind == p.kind),
        (WRONG_BOTH, lambda g, p: bool(words[g] & words[p])),
    ]
    for kind, fits in conditions:
        while True:
            best, most = None, 0
            for g in free_gold:
                for p in free_predicted:
                    shared = len(words[g] & words[p])
                    if g.sentence == p.sentence and fits(g, p) and shared > most:
                        best, most = (g, p), shared
            if best is None:
                break
            result.append((kind, *best))
            free_gold.remove(best[0])
            free_predicted.remove(best[1])

    def touches(one, others):
        return any(one.sentence == e.sentence and words[one] & words[e] for e in others)

    result += [(MERGED if touches(g, predicted) else MISSED, g, None) for g in free_gold]
    result += [(SPLIT if touches(p, gold) else INVENTED, None, p) for p in free_predicted]
    return result


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("strict", [False, True])
def test_each_entity_counts_once_and_totals_are_those_of_the_scores(seed, strict):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 12, size=30).tolist()
    sentence_of = np.repeat(np.arange(30), lengths)
    labels = [random_labels(random, lengths) for _ in range(2)]
    copied = random.random(len(labels[0])) < 0.6  # some of it is right
    labels[1][copied] = labels[0][copied]
    gold, predicted = (entities_of(found, sentence_of, TAGS, strict=strict) for found in labels)
    found = outcomes(gold, predicted)
    assert sorted(o.gold for o in found if o.gold) == sorted(gold)
    assert sorted(o.predicted for o in found if o.predicted) == sorted(predicted)
    expected = reference_outcomes(gold, predicted)
    assert {tuple(outcome) for outcome in found} == set(expected)
    assert len(found) == len(expected)
    assert [o.one.sentence for o in found] == sorted(o.one.sentence for o in found)
    counts, cells = totals(found), confusion(found)
    assert sum(cells.values()) == sum(counts.values()) == len(found)
    for kind in KINDS:
        assert counts[kind] == sum(number for cell, number in cells.items() if cell.kind == kind)
    suffix = "_strict" if strict else ""
    scores = metrics.flat_report(*labels, sentence_of, TAGS)
    assert math.isclose(counts[CORRECT] / len(predicted), scores[f"entity_precision{suffix}"])
    assert math.isclose(counts[CORRECT] / len(gold), scores[f"entity_recall{suffix}"])
    for kind in TAGS.entity_types:
        right = cells.get(Cell(CORRECT, kind, kind), 0)
        whole = sum(e.kind == kind for e in gold) + sum(e.kind == kind for e in predicted)
        assert math.isclose(2 * right / whole, scores[f"entity_f1{suffix}/{kind}"])


def test_entities_lie_where_their_words_are():
    tags = ["O", "B-PER", "I-PER", "I-LOC", "O", "B-LOC", "I-PER"]
    labels, sentence_of = np.array(TAGS.indices(tags)), np.array([0, 0, 0, 2, 2, 2, 2])
    every = entities_of(labels, sentence_of, TAGS)
    assert every == [(0, 1, 3, "PER"), (2, 0, 1, "LOC"), (2, 2, 3, "LOC"), (2, 3, 4, "PER")]
    assert entities_of(labels, sentence_of, TAGS, strict=True) == [every[0], every[2]]
    assert tags_of(every[1:], 4) == ["B-LOC", "O", "B-LOC", "B-PER"]
    none = np.zeros(0, dtype=np.int64)
    assert entities_of(none, none, TAGS) == outcomes([], []) == []


SOURCE = Corpus(
    "en",
    "train",
    [["New", "Delhi", "and", "Paris"], ["Paris", "Hilton", "in", "Paris"], ["Paris"] * 6],
    [
        ["B-LOC", "I-LOC", "O", "B-LOC"],
        ["B-PER", "I-PER", "O", "B-LOC"],
        ["O", "O", *["B-LOC"] * 4],
    ],
    "memory",
    "IOB2",
)  # fmt: skip


def test_groups_by_hand():
    source = source_text([SOURCE])
    assert source.surfaces == {"New Delhi": 1, "Paris": 6, "Paris Hilton": 1}
    words = [["Paris"], ["New", "Delhi"], ["New", "York", "."], ["Oslo", "?", "Paris", "paris"]]
    gold = [Entity(0, 0, 1, "LOC"), Entity(1, 0, 2, "LOC"), Entity(2, 0, 2, "LOC")]
    predicted = [gold[0], Entity(1, 0, 2, "ORG"), Entity(3, 0, 1, "LOC"), Entity(3, 0, 4, "PER")]
    counts = {
        grouping.title: [
            (row.name, row.gold, row.predicted, row.correct)
            for row in group_scores(grouping, gold, predicted)
        ]
        for grouping in groupings(words, TAGS.entity_types, source)
    }
    assert counts == {
        "all entities": [("all", 3, 4, 1)],
        "type": [("LOC", 3, 2, 1), ("ORG", 0, 1, 0), ("PER", 0, 1, 0)],
        "words of the entity": [("1", 1, 2, 1), ("2", 2, 1, 0), ("3", 0, 0, 0), ("4+", 0, 1, 0)],
        "words of the sentence": [
            ("1", 1, 1, 1), ("2", 1, 1, 0), ("3", 1, 0, 0), ("4", 0, 2, 0),
        ],
        "times among the source's entities": [
            ("0", 1, 2, 0), ("1", 1, 1, 0), ("2-5", 0, 0, 0), ("6+", 1, 1, 1),
        ],
        "words seen in the source": [("none", 0, 1, 0), ("some", 1, 1, 0), ("all", 2, 2, 1)],
    }  # fmt: skip
    (row,) = group_scores(groupings(words, ["LOC"])[0], gold, predicted)
    assert (row.precision, row.recall, row.f1) == (1 / 4, 1 / 3, 2 / 7)
    assert len(groupings(words, ["LOC"])) == 4
    other = Corpus("de", "train", [["Oslo"] * 3], [["B-LOC"] * 3], "memory", "IOB2")
    both = source_text([SOURCE, other])
    assert by_frequency(words, both).group_of(Entity(3, 0, 1, "LOC")) == "2-5"
    assert by_seen_words(words, both).group_of(Entity(3, 0, 1, "LOC")) == "all"


def test_quarters_of_sentences_by_length():
    lengths = [5, 5, 5, 5, 5, 6, 9, 20]
    grouping = by_sentence_length(lengths)
    assert grouping.names == ("5", "6", "7-20")
    found = [grouping.group_of(Entity(i, 0, 1, "PER")) for i in range(len(lengths))]
    assert found == ["5"] * 5 + ["6", "7-20", "7-20"]
    assert by_sentence_length([3]).names == ("3",)


def test_two_models_by_sentence():
    gold = [*spans("P O", 0), *spans("L l", 1), *spans("G O", 3), *spans("P P", 4)]
    first = [*spans("P O", 0), *spans("L l", 1), *spans("O G", 2), *spans("L O", 3)]
    second = [*spans("P O", 0), *spans("L L", 1), *spans("P O", 3), *spans("P P", 4)]
    found = agreement(gold, first, second, 7)
    assert [tuple(difference) for difference in found.differences] == [
        (1, ONLY_FIRST), (2, ONLY_SECOND), (4, ONLY_SECOND), (3, NEITHER),
    ]  # fmt: skip
    assert (found.both_right, found.both_wrong_alike) == (3, 0)  # 0, and 5 and 6 without entities
    assert found.of_side(ONLY_SECOND) == [2, 4]
    alike = agreement(gold, first, first, 7)
    assert (alike.both_right, alike.both_wrong_alike, alike.differences) == (4, 3, [])


@pytest.mark.parametrize(
    "words",
    [["يعيش", "كِتَاب", "27", "Anna", "،"], ["他", "住在", "北京", "a\tb"], ["דוד", "בן", "."]],
)
def test_tags_stand_below_their_words_in_any_script(words):
    tags = ["O", "B-PER", *["I-PER"] * (len(words) - 2)]
    lines = sentence_lines(words, {"gold": tags, "predicted": ["O"] * len(words)})
    assert [line.split()[0] for line in lines] == ["words", "gold", "predicted"]
    found, place = lines[0], 0
    for word, tag in zip(words, tags, strict=True):
        place = found.index(word.replace("\t", "�"), place)
        above = cell_len(found[:place].replace(ISOLATE, "").replace(END_OF_ISOLATE, ""))
        assert lines[1][above:].split()[0] == tag
        assert lines[2][above] == "O"
        is_isolated = found[place - 1] == ISOLATE
        assert is_isolated == any(
            "\u0590" <= letter <= "\u06ff" for letter in word if letter != "،"
        )
    (header, _, gold, _) = sentence_markdown(words, {"gold": tags, "predicted": tags})
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    for word, cell, tag in zip(words, cells[1:], gold.strip("|").split("|")[1:], strict=True):
        assert word.replace("\t", "�") == cell.strip(ISOLATE + END_OF_ISOLATE)
        assert tag.strip().strip("*") == tags[words.index(word)]


def test_long_sentences_go_on_in_further_lines():
    words = [f"word{number}" for number in range(45)] + ["x" * 200]
    lines = sentence_lines(words, {"gold": ["B-LOC"] * 46})
    assert [line.split()[0] for line in lines] == ["words", "gold"] * (len(lines) // 2)
    assert [word for line in lines[::2] for word in line.split()[1:]] == words
    assert all(len(line) <= WIDTH for line in lines[:-2])
    heads = [line for line in sentence_markdown(words, {}) if line.startswith("| words")]
    assert [line.count("|") - 2 for line in heads] == [20, 20, 6]
    assert "| a\\|b |" in sentence_markdown(["a|b"], {})[0]
