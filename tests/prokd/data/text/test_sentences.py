"""Paragraphs to sentences and words."""

import pytest

from prokd.common.text import cleaned
from prokd.data.inputs import raw_sentence
from prokd.data.text.sentences import PHRASES, split_sentences, words_of
from prokd.errors import UserError


def test_persian_and_indic_joiners_stay():
    assert cleaned("می\u200cخواهم") == "می\u200cخواهم"
    assert cleaned("\u202bשלום\u202c\u200bעולם") == "שלום עולם"


@pytest.mark.parametrize(
    ("language", "paragraph", "sentences"),
    [
        ("sw", "Asha anaishi Nairobi. Je, unamjua? Ndiyo!", 3),
        ("en", "Anna met us at 9 a.m. on Monday. He left.", 2),
        ("ar", "هل أنت هنا؟ نعم. هو في القاهرة.", 3),
        ("hi", "आप कैसे हैं। राम दिल्ली में है।", 2),
        ("ja", "東京に住んでいる。寒いですか？", 2),
        ("zh-min-nan", "他住在北京。她也是！", 2),
        ("zh_yue", "他住在北京。她也是！", 2),
    ],
)
def test_sentences_end_as_the_script_has_it(language, paragraph, sentences):
    found = list(split_sentences(paragraph, language))
    assert len(found) == sentences
    assert "".join(found).replace(" ", "") == paragraph.replace(" ", "")


def test_thai_is_cut_at_blanks_for_nothing_else_ends_a_sentence():
    phrase = "ผมชื่อสมชายอยู่ที่กรุงเทพมหานคร"
    found = list(split_sentences(" ".join([phrase] * 12), "th"))
    assert len(found) == 4
    assert all(len(sentence) <= PHRASES for sentence in found)
    assert words_of(phrase, "th")[-3:] == ["อยู่", "ที่", "กรุงเทพมหานคร"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("nl", "Anna's broer, Jan-Piet, kocht 1.000 boeken in 's-Hertogenbosch."),
        ("zh", "他住在北京。"),
        ("th", "ผมชื่อสมชาย อยู่ที่กรุงเทพ"),
    ],
)
def test_words_are_those_of_prediction(language, text):
    predicted = raw_sentence(text, language=language)
    words = [
        word
        for part in split_sentences(cleaned(text), language)
        for word in words_of(part, language)
    ]
    assert words == [word.text for word in predicted.words]


def test_a_language_must_be_a_code():
    with pytest.raises(UserError, match="a language must be a code"):
        list(split_sentences("a", "../x"))
