import pytest
import yaml

from prokd.data.mini.templates import Slot, read_phrasebook
from prokd.errors import UserError


def content(**changes):
    row = ["a", "b", "c", "d", "e", "f g"]
    return {
        "language": "xx",
        "templates": {
            "train": ["{PER} met {PER|ORG} ."],
            "dev": ["No ."],
            "test": ["{LOC:ORG} !"],
        },
        "names": {"PER": [row], "LOC": [row], "ORG": [row]},
    } | changes


def one_for_all(rows):
    return {kind: rows for kind in ("PER", "LOC", "ORG")}


def written(tmp_path, text):
    path = tmp_path / "xx.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return path


def test_slots_and_rows_of_six(tmp_path):
    book = read_phrasebook(written(tmp_path, content()))
    assert book.templates["train"] == ((Slot(("PER",)), "met", Slot(("PER", "ORG")), "."),)
    assert book.templates["test"] == ((Slot(("LOC",), "ORG"), "!"),)
    assert book.names["LOC"]["train"] == (("a",), ("b",), ("c",), ("d",))
    assert book.names["LOC"]["dev"] == (("e",),)
    assert book.names["LOC"]["test"] == (("f", "g"),)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("a: [", "must be YAML"),
        ("[]", "must have the keys"),
        (content(language="yy"), "`language` must be the file's name"),
        (content(templates={"train": ["a"]}), "`templates` must have the keys"),
        (content(templates={"train": [], "dev": ["a"], "test": ["a"]}), "non-empty list"),
        (content(templates={"train": ["a", "a"], "dev": ["a"], "test": ["a"]}), "'a' is repeated"),
        (content(templates={"train": [1], "dev": ["a"], "test": ["a"]}), "must be a sentence"),
        (content(templates={"train": ["{GPE}"], "dev": ["a"], "test": ["a"]}), "'{GPE}'"),
        (content(templates={"train": ["{PER},"], "dev": ["a"], "test": ["a"]}), "'{PER},'"),
        (content(templates={"train": ["{PER:X}"], "dev": ["a"], "test": ["a"]}), "'{PER:X}'"),
        (content(names={"PER": []}), "`names` must have the keys"),
        (content(names={"PER": [], "LOC": [], "ORG": []}), "`names.PER` must be a non-empty list"),
        (content(names=one_for_all([["a"]])), "must hold 6 names"),
        (content(names=one_for_all([["a"] * 6])), "'a' is repeated"),
        (content(names=one_for_all([[True] * 6])), "must be text"),
    ],
)
def test_mistakes_name_the_file(tmp_path, mistake, message):
    path = written(tmp_path, mistake)
    with pytest.raises(UserError, match=message) as caught:
        read_phrasebook(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="must be readable"):
        read_phrasebook(tmp_path / "xx.yaml")
