"""Which language a text looks like; the model lies in the library."""

from itertools import pairwise

import pytest

from prokd.data import load_corpus
from prokd.data.text.languages import LanguageSample, known_languages, language_line

SWAHILI = (
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri, "
    "hivyo yapasa watendeane kindugu. Kila mtu anastahili kuwa na haki zote na uhuru wote ambao "
    "umeelezwa katika taarifa hii bila ya ubaguzi wa aina yo yote."
)


def shares_of(*texts):
    sample = LanguageSample()
    for text in texts:
        sample.add(text)
    return sample.shares()


def test_the_language_that_was_named():
    assert language_line("sw", shares_of(SWAHILI)) == "language   sw 1.00"


def test_another_language_is_a_warning():
    line = language_line("nl", shares_of(SWAHILI))
    assert line == "warning: only 0.00 of the text looks like nl (sw 1.00)"


def test_a_language_that_the_model_does_not_know():
    assert {"sw", "ar", "zh", "th"} <= known_languages()
    line = language_line("xh", shares_of(SWAHILI))
    assert line.startswith("language   cannot be told: xh is none of the 176 that are known")


def test_too_little_text():
    line = language_line("sw", shares_of("Habari za leo."))
    assert line == "language   cannot be told of less than 200 characters"


def test_the_pieces_of_a_long_text_are_few_and_come_from_all_of_it():
    sample = LanguageSample()
    for number in range(5000):
        sample.add(f"{number:0200}")
    places = [int(piece) for piece in sample.pieces]
    assert 1000 <= len(places) < 2000
    assert {b - a for a, b in pairwise(places)} == {4}
    assert places[-1] > 4990


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["wikiann/nl", "wikiann/de", "wikiann/es", "wikiann/mr", "news/ar", "news/hi"]
)
def test_real_text_looks_like_its_language(prokd_data, place):
    folder, language = place.split("/")
    corpus = load_corpus(
        "wikiann",
        language,
        "train",
        data_dirs=[prokd_data / "data" / folder],
        labelled=False,
        limit=2000,
    )
    assert shares_of(*(" ".join(words) for words in corpus.words))[language] > 0.95
