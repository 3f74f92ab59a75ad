"""Dictionaries from files: every form, cleaning, merging, and each mistake in one sentence."""

import gzip
import lzma
from pathlib import Path

import pytest

from prokd.data.translation.cleaning import clean_source, clean_target
from prokd.data.translation.lexicon import (
    Lexicon,
    merged,
    normalised,
    read_lexicon,
    write_lexicon,
)
from prokd.errors import UserError

WIKTIONARY = """\
# English :: Dutch dictionary extracted from http://en.wiktionary.org/
# Version :: 20150102
a {article} (an) SEE: an ::
a {n} /eɪ/ (name of the letter A, a) :: a {f}
an {article} (indefinite article) :: een
bank {n} (institution) :: bank {f} {m}, geldhuis [rare] {n}
bank {n} (edge of river) :: oever {m} /ˈuvər/
bank {n} (of a stream) :: oever {m}, waterkant
lava {adj} (a form of lava flow) :: scherpe lava {m} {f}
]] ::
wine {n} :: w\u0133n {m}
"""


def read(path: Path, target: str = "nl", source: str = "en") -> Lexicon:
    return read_lexicon([path], source=source, target=target)


def best(lexicon: Lexicon) -> dict[str, str]:
    return {word: targets[0][0] for word, targets in lexicon.entries.items()}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_word_is_looked_up_normalised_and_keeps_its_targets_case(tmp_path):
    lexicon = read(write(tmp_path / "x.tsv", "House\tHaus\nhouse\tGebäude\nIS\tist\n"), "de")
    assert lexicon.entries["house"] == (("Haus", 1.0), ("Gebäude", 0.5))
    assert (lexicon.best("HOUSE"), lexicon.best("ｉｓ"), lexicon.best("tree")) == (
        "Haus",
        "ist",
        None,
    )
    assert len(lexicon) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("house\thuis\nhouse\twoning\n", {"house": "huis"}),
        ("house\twoning\t0.5\nhouse\thuis\t0.75\n", {"house": "huis"}),
        ("house huis\r\ntree boom\r\n", {"house": "huis", "tree": "boom"}),
        ("huis @ house\nop zoek @ looking\nboom @ tree\n", {"house": "huis", "tree": "boom"}),
    ],
    ids=["tabs", "scores", "blanks", "hunalign"],
)
def test_each_form_of_lines_is_detected(tmp_path, text, expected):
    assert best(read(write(tmp_path / "x.txt", text))) == expected


def test_wiktionarys_marks_fall_off_and_the_sense_named_most_often_leads(tmp_path):
    lexicon = read(write(tmp_path / "en-nl-enwiktionary.txt", WIKTIONARY))
    assert [target for target, _ in lexicon.entries["bank"]] == [
        "oever",
        "bank",
        "geldhuis",
        "waterkant",
    ]
    assert lexicon.best("a") == "een"  # as `SEE: an` says
    assert lexicon.best("wine") == "wijn"
    assert "lava" not in lexicon.entries  # two words


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_files_may_be_packed(tmp_path, pack):
    path = tmp_path / "en-nl.tsv.packed"
    path.write_bytes(pack(b"house\thuis\n"))
    assert best(read(path)) == {"house": "huis"}


@pytest.mark.parametrize(
    ("word", "language", "expected"),
    [
        ("\u0132sland", "nl", "IJsland"),
        ("كِتَابـ", "ar", "كتاب"),
        ("छोड़~देना", "hi", None),
        ("the", "hi", None),
        ("NATO", "zh", None),
        ("NATO", "de", "NATO"),
        ("2004", "ar", "2004"),
        ("op zoek", "nl", None),
        ("...के", "hi", "के"),
        ("huis-", "nl", None),
        ("-", "de", None),
        ("e\u0301te\u0301", "fr", "été"),
    ],
)
def test_targets_are_cleaned_by_language(word, language, expected):
    assert clean_target(word, language) == expected


def test_sources_are_single_words_in_their_normal_form():
    assert clean_source("As Well") is None
    assert clean_source("un-") is None
    assert normalised("ＦＩＮＥ") == clean_source(" Fine") == "fine"


def test_what_is_written_is_read_again_bit_for_bit(tmp_path):
    lexicon = Lexicon({"b": (("x", 1 / 3), ("y", 0.1)), "a": (("Z", 2.0), ("w", 2.0))}, "by hand")
    path = tmp_path / "deep" / "en-de.tsv"
    write_lexicon(path, lexicon)
    again = read(path.parent, "de")
    assert again.entries == lexicon.entries
    assert again.fingerprint == lexicon.fingerprint
    assert [item.name for item in path.parent.iterdir()] == ["en-de.tsv"]


def test_the_fingerprint_is_of_the_content_alone():
    lexicon = Lexicon({"a": (("x", 1.0), ("y", 0.5)), "b": (("z", 1.0),)}, "one")
    turned = Lexicon({"b": (("z", 1.0),), "a": (("x", 1.0), ("y", 0.5))}, "two")
    assert lexicon.fingerprint == turned.fingerprint
    assert len(lexicon.fingerprint) == 16
    int(lexicon.fingerprint, 16)
    others = [
        Lexicon({"a": (("y", 1.0), ("x", 0.5)), "b": (("z", 1.0),)}, "one"),
        Lexicon({"a": (("x", 1.0), ("y", 0.25)), "b": (("z", 1.0),)}, "one"),
        Lexicon({"a": (("x", 1.0), ("y", 0.5))}, "one"),
    ]
    assert len({lexicon.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_the_first_file_with_a_word_gives_all_its_targets(tmp_path):
    first = write(tmp_path / "first.tsv", "house\thuis\n")
    second = write(tmp_path / "second.tsv", "house\twoning\ntree\tboom\n")
    both = read_lexicon([first, second], source="en", target="nl")
    assert both.entries == {"house": (("huis", 1.0),), "tree": (("boom", 1.0),)}
    assert both.origin == "first.tsv + second.tsv"
    assert merged([read(second), read(first)]).best("house") == "woning"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("en-nl.tsv", "nl"),
        ("en-nl.dict", "nl"),
        ("en-cmn-enwiktionary.txt", "zh"),
        ("en-arb.txt.gz", "ar"),
        ("freedict-eng-hin.tsv", "hi"),
    ],
)
def test_a_folder_gives_the_dictionary_of_the_pair(tmp_path, name, target):
    write(tmp_path / "en-es.tsv", "house\tcasa\n")
    write(tmp_path / f"en-{target}.md", "no dictionary")
    content = b"house\t2004\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert read(tmp_path, target).origin == name


@pytest.mark.parametrize("names", [[], ["en-nl.tsv", "en-nl.txt"], ["nl-en.tsv"]])
def test_a_folder_without_exactly_one_is_refused(tmp_path, names):
    for name in names:
        write(tmp_path / name, "house\thuis\n")
    with pytest.raises(UserError, match="must hold exactly one dictionary en-nl"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must have content, but it is empty"),
        (b" \n\n", "holds no text"),
        (b"house\thuis\nhaus\xff\tx\n", "must be UTF-8, but byte 15 is 0xff"),
        (b"\x1f\x8bhouse", "gzip file must be whole"),
        (b"\xfd7zXZ\0house", "xz file must be whole"),
        (b"house\thuis\ntree\n", r":2: a line must be source<TAB>target .*got 'tree'"),
        (b"house\thuis\n\tboom\n", r":2: a line must be source<TAB>target"),
        (b"house\thuis\tmuch\n", r":1: a score must be a finite number, but got 'much'"),
        (b"house\thuis\tnan\n", r":1: a score must be a finite number, but got 'nan'"),
        (b"house huis\na b c\n", r":2: a line must be source and target.*got 'a b c'"),
        (b"huis @ house\nboom\n", r":2: a line must be `target @ source`.*got 'boom'"),
        (b"a {n} :: b\nc {n} d\n", r":2: a line must be `word \{pos\} .*got 'c \{n\} d'"),
        (b"as well\took\n", "must have entries of one word to one word, but got none"),
    ],
)
def test_a_damaged_or_malformed_file_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "en-nl.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as raised:
        read(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_none_and_no_language_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.tsv: must be a file to read"):
        read(tmp_path / "absent.tsv")
    with pytest.raises(UserError, match="one file or more"):
        read_lexicon([], source="en", target="nl")
    with pytest.raises(UserError, match="a language must be a code"):
        read(write(tmp_path / "x.tsv", "a\tb\n"), "Dutch!")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["nl", "de", "es", "ar", "hi", "zh"])
def test_real_dictionaries_of_muse_and_wiktionary(prokd_data, target):
    folder = prokd_data / "dictionaries"
    if not folder.is_dir():
        pytest.skip("the folder that PROKD_DATA names has no dictionaries/")
    muse, wiktionary = (read(folder / name, target) for name in ("muse", "wiktionary"))
    both = read_lexicon([folder / "muse", folder / "wiktionary"], source="en", target=target)
    assert len(both) == len(set(muse.entries) | set(wiktionary.entries)) > 20_000
    assert all(
        clean_target(word, target) == word and score > 0
        for targets in both.entries.values()
        for word, score in targets
    )
    book = {"nl": "boek", "de": "Buch", "es": "libro", "ar": "كتاب", "hi": "किताब", "zh": "書"}
    known = {word.lower() for word, _ in wiktionary.entries["book"]}
    assert book[target].lower() in known
