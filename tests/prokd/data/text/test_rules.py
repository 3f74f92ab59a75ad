"""What of a raw text is not kept, rule by rule."""

import pytest

from prokd.data.text.boilerplate import paragraph_fault, sentence_fault
from prokd.data.text.duplicates import Seen, skeleton
from prokd.data.text.rules import TextRules, text_rules
from prokd.errors import UserError


@pytest.mark.parametrize(
    ("paragraph", "fault"),
    [
        ("Home > News > Sport", "menu"),
        ("• Start • Kontakt • Impressum", "menu"),
        ("Asha anaishi Nairobi | Kenya", None),
        ("布兰科·米兰诺维奇和约瑟夫·斯蒂格利茨都是什么人?", None),
        ("约瑟夫•熊彼特和诺曼•安吉尔的作品多产期是什么时候？", None),
        ("« Le Monde » et « Le Figaro » ont cité « Libération ».", None),
        ("2001 Days of our Lives – als taxichauffeur – 1 afl.", None),
        ("The first entry is a whole sentence of its own | and so is the second one here | and "
         "the third, which is no shorter", None),
    ],
)  # fmt: skip
def test_menus(paragraph, fault):
    assert paragraph_fault(paragraph) == fault


@pytest.mark.parametrize(
    ("sentence", "fault"),
    [
        ("Asha anaishi Nairobi .", None),
        ("Asha anaishi", "too short"),
        ("1 2 3 Asha 4 5 6 7", "few letters"),
        ("Asha Juma Otieno 1997-1999", None),
        ("नई दिल्ली में", None),
        ("Andika kwa asha@example.org leo", "web address"),
        ("Tazama https://example.org leo", "web address"),
        ("Asha anaishi Nair\ufffdbi .", "broken characters"),
        ("a b c d e f", "too long"),
    ],
)
def test_sentences(sentence, fault):
    assert sentence_fault(sentence, sentence.split(), TextRules(max_words=5)) == fault


def test_a_paragraph_is_repeated_whatever_its_case_digits_and_marks():
    seen = Seen(1)
    assert seen.paragraph_fault("Habari za leo, 12 Mei") is None
    assert seen.paragraph_fault("HABARI ZA LEO - 13 mei!") == "repeated line"
    assert seen.sentence_fault("Habari za leo, 12 Mei") is None
    assert seen.sentence_fault("Habari za leo, 13 Mei.") == "duplicate"


def test_marks_of_letters_count_when_words_are_compared():
    assert skeleton("दिल्ली") != skeleton("दलल")


@pytest.mark.parametrize(("similarity", "fault"), [(0.8, "near-duplicate"), (1, None)])
def test_near_duplicates(similarity, fault):
    seen = Seen(similarity)
    first = "the quick brown fox jumps over the lazy dog near the bank of the river"
    assert seen.sentence_fault(first) is None
    assert seen.sentence_fault(f"{first} today") == fault
    # Sentences of one form with other names are what a tagger learns from.
    assert seen.sentence_fault("Asha Juma lives in Nairobi with her sister") is None
    assert seen.sentence_fault("Omar Karim lives in Mombasa with her sister") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_words": 0}, "min_words: input should be greater than or equal to 1, but got 0"),
        ({"similarity": 2.0}, "similarity: input should be less than or equal to 1, but got 2.0"),
        ({"min_words": 9, "max_words": 8}, "`min_words <= max_words` must hold, but got 9 and 8"),
    ],
)
def test_rules_that_cannot_be(given, message):
    with pytest.raises(UserError, match=message):
        text_rules(**given)
