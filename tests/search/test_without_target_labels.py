"""A search for a language that has no labelled file at all ends like any other, twice."""

import csv
import hashlib
import re

import pytest
from optuna.distributions import CategoricalDistribution

from prokd.errors import UserError
from search.experiments import DataDescriptions
from search.launch import run_searches
from tests.search.conftest import tiny_config, tiny_spec, write_corpus

SPACE = {"student.fusion_weight": CategoricalDistribution((0.7, 0.9))}


def _weights(runs_dir):
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in runs_dir.glob("*/weights.safetensors")
    }


@pytest.fixture
def bare(tmp_path):
    """The tiny corpus, of whose target nothing is left but words to train on."""
    folder = write_corpus(tmp_path / "bare")
    train = folder / "ar" / "train.txt"
    words = [line.partition(" ")[0] for line in train.read_text("utf-8").split("\n")]
    train.write_text("\n".join(words), "utf-8")
    for split in ("dev", "test"):
        (folder / "ar" / f"{split}.txt").unlink()
    return folder


@pytest.mark.ray
def test_a_search_without_target_labels(bare, open_engine, runtime, output, tmp_path, capsys):
    spec = tiny_spec(2, grid=True, space=SPACE)
    other = tmp_path / "labelled"
    labelled = runtime.model_copy(update={"runs_dir": other / "runs"})
    run_searches(open_engine(runtime=labelled, output=other), [spec], other)
    runtime = runtime.model_copy(update={"data_dirs": (bare,)})
    capsys.readouterr()
    for start in range(2):
        engine = open_engine(runtime=runtime, output=output)
        (summary,) = run_searches(engine, [spec], output)
        said = capsys.readouterr().out
        assert "ar test is not scored: " in said
        assert "not scored" in said[said.index("rank") : said.index("leaderboard:")]
        (estimate,) = re.findall(r"first place: its entity F1 is estimated as (0\.\d\d) \(0", said)
        assert f"about {estimate}?" in said[said.index("rank") : said.index("leaderboard:")]
        card = (summary.exports[0] / "README.md").read_text(encoding="utf-8")
        assert f"its entity F1 is estimated as {estimate} (" in card
        assert (engine.reuse.epochs == 0) == (start == 1)
        assert len(summary.standings) == 2
        assert len(summary.exports) == 1
        assert not summary.failed
        with summary.csv.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["target_test_entity_f1_mean"] for row in rows] == ["", ""]
        assert f"{float(rows[0]['estimated_target_entity_f1_mean']):.2f}" == estimate
        assert [row["state"] for row in rows] == ["complete", "complete"]
    # What raw text is made into is the same to all runs, and nothing else of the target is needed.
    sources = write_corpus(tmp_path / "sources", languages=("en",))
    as_text = runtime.model_copy(update={"data_dirs": (sources,), "texts": {"ar": bare}})
    engine = open_engine(runtime=as_text, output=output)
    run_searches(engine, [spec], output)
    assert engine.reuse.epochs == 0
    assert _weights(runtime.runs_dir) == _weights(labelled.runs_dir)
    assert [s.trial for s in summary.standings] == [
        int(row["trial"]) for row in _rows(other, summary.study)
    ]


def _rows(output, study):
    path = output / "exports" / study / "leaderboard.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("language", "split"), [("ar", "test"), ("en", "dev"), ("en", "test")])
def test_types_that_the_source_lacks_are_told_before_anything_starts(
    language, split, runtime, tmp_path
):
    folder = write_corpus(tmp_path / "strange")
    (folder / language / f"{split}.txt").write_text("Leiden B-CITY\n", "utf-8")
    runtime = runtime.model_copy(update={"data_dirs": (folder,)})
    with pytest.raises(UserError, match=rf"{split}\.txt: the entity types must be .* CITY"):
        DataDescriptions(runtime).training(tiny_config())


def test_an_oracle_needs_labels_and_says_so_before_anything_starts(bare, runtime):
    runtime = runtime.model_copy(update={"data_dirs": (bare,)})
    with pytest.raises(UserError, match="split 'dev' must be a file"):
        DataDescriptions(runtime).oracle(tiny_config())
