"""A target language without a single label: everything runs, what cannot be scored is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import tiny

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.errors import UserError
from prokd.training.run import StageRun, data_fingerprints
from tests import preloaded


def _weights(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[str, str]:
    found = {}
    for stage in ("teacher", "student"):
        with StageRun(stage, config, runtime) as run:
            run.run()
            run.report()
            weights = run.folder.path / "weights.safetensors"
            found[run.folder.path.name] = hashlib.sha256(weights.read_bytes()).hexdigest()
    return found


def test_labels_of_the_target_change_nothing_but_the_report(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    without = tiny_runtime.model_copy(
        update={
            "data_dirs": (tiny.take_labels_away(tiny.write_corpus(tmp_path / "bare"), "xx"),),
            "runs_dir": tmp_path / "bare-runs",
        }
    )
    assert _weights(few_config, without) == _weights(few_config, tiny_runtime)
    with StageRun("student", few_config, without) as run:
        scores, known = run.report(), run.folder.report()
        assert not run.folder.counts("xx").exists()
    assert {name.rpartition("/")[0] for name in scores} >= {"test/en", "estimate/xx"}
    assert all(name.startswith(("test/en/", "estimate/xx/")) for name in scores)
    assert known is not None
    assert list(known["not_scored"]) == ["xx"]
    assert "split 'test' must be a file" in known["not_scored"]["xx"]
    # Labels that come later are scored, and nothing is trained.
    later = without.model_copy(update={"data_dirs": tiny_runtime.data_dirs})
    with StageRun("student", few_config, later) as run:
        assert run.done
        assert "test/xx/entity_f1" in run.report()
        assert not any(name.startswith("estimate/") for name in run.report())
        assert run.folder.counts("xx").exists()


def test_the_command_finishes_and_says_what_is_not_scored(
    tiny_encoder: Path, tiny_data: Path, tmp_path: Path
) -> None:
    tiny.take_labels_away(tiny_data, "xx")
    (tiny_data / "en" / "test.txt").unlink()
    settings = tiny.settings(tiny_encoder) | tiny.FEWER
    flags = [f"--set={path}={value}" for path, value in settings.items() if path != "target"]
    command = ["-m", "prokd.cli", "train-student", "--lang", "xx", *flags]
    done = preloaded.run([*command, "--data-dir", str(tiny_data), "--export", "out"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for language in ("en", "xx"):
        assert f"test/{language}" in done.stdout
    assert done.stdout.count("not scored: ") == 4  # two languages, teacher and student
    assert (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("split", [("xx", "test"), ("en", "dev"), ("en", "test")])
def test_types_that_the_source_lacks_are_told_before_training(
    split: tuple[str, str],
    tiny_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    tiny_data: Path,
) -> None:
    path = tiny_data / split[0] / f"{split[1]}.txt"
    path.write_text("amsterdam\tB-CITY\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{split[1]}\.txt: the entity types must be .* CITY"):
        data_fingerprints(tiny_config, tiny_runtime)


def test_a_source_without_entities_is_told_before_training(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tiny_data: Path
) -> None:
    (tiny_data / "en" / "train.txt").write_text("paris\tO\n", encoding="utf-8")
    with pytest.raises(UserError, match="the labelled source must have an entity"):
        data_fingerprints(tiny_config, tiny_runtime)
