"""What docs/python.md prints: a tagger of raw text, and training without the command line."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import prokd
from prokd import Tagger
from prokd.errors import UserError
from prokd.scoring.tagging import STREAMED

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SMALL = {
    "target": "nl",
    "data.source_train_limit": 100,
    "data.target_train_limit": 16,
    "data.evaluation_limit": 24,
    "encoder.frozen_layers": 2,
    "teacher.epochs": 2,
    "teacher.batch_sentences": 8,
    "teacher.learning_rate": 5e-3,
    "student.epochs": 1,
    "teacher.collapse_fall": 0,
    "student.collapse_agreement": 0,
    "student.start": "teacher",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the page's programs print, on a few sentences, and their folder."""
    tagging, training = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    small, changed = re.subn(r"settings = \{.*\}", f"settings = {SMALL}", training)
    assert changed == 1
    folder = tmp_path_factory.mktemp("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(small, str(PAGE), "exec"), {})
        exec(compile(tagging, str(PAGE), "exec"), {})
    return folder


def test_what_the_page_prints_runs_as_it_is(told):
    assert {path.name.partition("-")[0] for path in (told / "runs").iterdir()} == {
        "teacher",
        "student",
    }
    assert (told / "my-student" / "config.json").is_file()


def test_entities_of_raw_text_are_those_of_its_words(told):
    tagger = Tagger(str(told / "my-student"))
    texts = ["Anna woont in Leiden.", "", "  De heer De Vries werkt bij Philips  "]
    found = tagger(texts)
    alone = [entity for text in texts for entity in tagger(text)]
    together = [entity for entities in found for entity in entities]
    assert [replace(entity, score=0) for entity in alone] == [
        replace(entity, score=0) for entity in together
    ]
    assert [e.score for e in alone] == pytest.approx([e.score for e in together], abs=1e-5)
    assert found[0]
    assert found[1] == []
    for text, entities in zip(texts, found, strict=True):
        for entity in entities:
            assert text[entity.start : entity.end] == entity.text
            assert entity.type in tagger.tag_set.entity_types
            assert 0 < entity.score <= 1
    with pytest.raises(UserError, match="a language must be a code"):
        tagger("Anna", "../x")


def test_many_texts_are_read_as_entities_are_asked_for(told):
    tagger = Tagger(str(told / "my-student"))
    read = []

    def texts():
        for number in range(2 * STREAMED + 1):
            read.append(number)
            yield f"Anna {number} woont in Leiden."

    found = tagger.stream(texts())
    first = next(found)
    assert len(read) == STREAMED
    assert [entity.text for entity in first] == [e.text for e in tagger("Anna 0 woont in Leiden.")]
    assert len(list(found)) == 2 * STREAMED
    with pytest.raises(UserError, match="texts must be several, but got one: 'Anna'"):
        tagger.stream("Anna")
    with pytest.raises(UserError, match="a language must be a code"):
        tagger.stream([], "../x")


def test_the_package_has_nothing_else():
    with pytest.raises(AttributeError, match="no attribute 'Taggers'"):
        _ = prokd.Taggers
