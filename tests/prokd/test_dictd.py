"""Dictionaries in the form of dictd: a text and its index."""

import gzip
from pathlib import Path

import pytest

from prokd.data.translation.lexicon import Lexicon, read_lexicon
from prokd.errors import UserError


def read(path: Path) -> Lexicon:
    return read_lexicon([path], source="en", target="de")


def base64(number: int) -> str:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = ""
    while True:
        number, digit = divmod(number, 64)
        text = digits[digit] + text
        if number == 0:
            return text


def write_dictd(folder: Path, entries: dict[str, str], *, packed: bool = True) -> Path:
    content, index = b"", ""
    for headword, text in entries.items():
        index += f"{headword}\t{base64(len(content))}\t{base64(len(text.encode()))}\n"
        content += text.encode()
    (folder / "eng-deu.index").write_text(index, encoding="utf-8")
    path = folder / ("eng-deu.dict.dz" if packed else "eng-deu.dict")
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_dictd_is_read_by_its_index(tmp_path, packed):
    entries = {
        "00databaseinfo": "About this.\n  nothing\n",
        "house": "house /hˈaʊs/\nHaus <neut>, Gebäude <neut> [arch.]\n"
        '      "at home"  - zu Hause\n see: {houses}\n\n',
        "able": "able <Adj>\n1. fähig\n2. tüchtig, fähig zu\n",
        "long hedge": "long hedge\nAbsicherung\n",
    }
    lexicon = read(write_dictd(tmp_path, entries, packed=packed))
    assert {word: [t for t, _ in targets] for word, targets in lexicon.entries.items()} == {
        "house": ["Haus", "Gebäude"],
        "able": ["fähig", "tüchtig"],
    }


def test_a_dictd_text_without_its_index_or_with_a_wrong_one_is_refused(tmp_path):
    path = write_dictd(tmp_path, {"house": "house\nHaus\n"})
    index = tmp_path / "eng-deu.index"
    for line, sentence in [
        ("house\tA\n", r":1: a line must be headword<TAB>offset<TAB>length"),
        ("house\tA\t!\n", "both numbers in base 64"),
        ("house\tA\tBAA\n", "must lie within the 11 bytes"),
    ]:
        index.write_text(line, encoding="utf-8")
        with pytest.raises(UserError, match=sentence):
            read(path)
    index.unlink()
    with pytest.raises(UserError, match=r"must have its index beside it"):
        read(path)
