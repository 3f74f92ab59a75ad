"""Labelled corpora of several languages as one source."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import yaml

from prokd.config import RuntimeConfig
from prokd.data import load_corpus
from prokd.errors import UserError
from prokd.methods import build_config, lacking
from prokd.training.exports import export
from prokd.training.run import StageRun

FEW = {"data.source_train_limit": 40, "data.target_train_limit": 30, "data.evaluation_limit": 20}


def test_sentences_come_in_turns() -> None:
    whole = load_corpus("phrasebook", "en.de.nl", "train", limit=7)
    parts = [load_corpus("phrasebook", code, "train", limit=3) for code in ("en", "de", "nl")]
    in_turns = [parts[place % 3].words[place // 3] for place in range(7)]
    assert (whole.language, whole.words) == ("en.de.nl", in_turns)
    assert whole.tags == [(parts[place % 3].tags or [])[place // 3] for place in range(7)]
    assert load_corpus("phrasebook", "en.de", "train", labelled=False, limit=4).tags is None


def test_the_longer_one_goes_on_alone(tmp_path: Path) -> None:
    for code, number in (("en", 1), ("de", 3)):
        (tmp_path / code).mkdir()
        (tmp_path / code / "train.txt").write_text(f"Ada\tB-PER\n{code}\tO\n\n" * number)
    found = load_corpus("wikiann", "en.de", "train", data_dirs=[tmp_path])
    assert [words[1] for words in found.words] == ["en", "de", "de", "de"]
    (tmp_path / "de" / "train.txt").write_text("Ada\tB-PERSON\n")
    with pytest.raises(UserError, match=r"entity types must be those of .* \(PER\)"):
        load_corpus("wikiann", "en.de", "train", data_dirs=[tmp_path])
    with pytest.raises(UserError, match="language 'fr' must be a folder"):
        load_corpus("wikiann", "en.fr", "train", data_dirs=[tmp_path])


def test_one_teacher_learns_from_all(tmp_path: Path, tiny_encoder: Path) -> None:
    learned = {
        key: value for key, value in tiny.settings(tiny_encoder).items() if "collapse" not in key
    }
    config = build_config(
        "mini", overrides=FEW | learned | {"source": "en.de", "target": "nl"}, method="tsl"
    )
    runtime = RuntimeConfig(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu")
    for stage in ("teacher", "student"):
        with StageRun(stage, config, runtime) as run:
            run.run()
            report = run.report()
    assert "dev/en.de/entity_f1" in run.history[-1]
    assert {"test/en.de/entity_f1", "test/nl/entity_f1"} <= set(report)
    folder = export(run.folder, tmp_path / "export", runtime, config=config)
    _, head, _ = (folder / "README.md").read_text(encoding="utf-8").split("---", 2)
    assert yaml.safe_load(head)["language"] == ["nl", "en", "de"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("en..de", "codes such as zh or zh-min-nan, several between commas, but got 'en..de'"),
        ("en/de", "codes such as zh or zh-min-nan"),
        ("en.de.en", "each language must be named once, but got 'en.de.en'"),
        ("en.nl", r"nl is among the sources \(en,nl\): its labels would be learned"),
    ],
)
def test_what_no_source_is(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        StageRun(
            "teacher",
            build_config("mini", overrides={"source": source, "target": "nl"}),
            RuntimeConfig(device="cpu"),
        )


def test_who_translates_takes_one_source() -> None:
    config = build_config("mini", overrides={"source": "en.de", "target": "nl"}, method="unitrans")
    reason = lacking(config, RuntimeConfig(dictionaries=(Path("en-nl.tsv"),)))
    assert reason is not None
    assert "several (en.de) have none together: name one" in reason
