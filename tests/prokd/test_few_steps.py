"""Timing a few steps: seconds of whole epochs, and nothing is left behind."""

import pytest
import tiny

from prokd.config import with_overrides
from prokd.training.few_steps import epoch_seconds
from prokd.training.run import StageRun


@pytest.mark.parametrize("alignment", [{}, {"teacher.alignment.weight": 0.0}])
def test_epochs_are_timed_without_a_trace(few_config, tiny_runtime, alignment):
    config = with_overrides(few_config, alignment)
    before = sorted(tiny_runtime.runs_dir.parent.rglob("*"))
    seconds = epoch_seconds(config, tiny_runtime)
    assert sorted(seconds) == ["student", "teacher"]
    assert all(0 < value < 60 for value in seconds.values())
    assert sorted(tiny_runtime.runs_dir.parent.rglob("*")) == before


def test_training_is_the_same_after_it(few_config, tiny_runtime, tmp_path):
    config = with_overrides(few_config, tiny.FAST)
    objectives = []
    for name in ("first", "second"):
        runtime = tiny_runtime.model_copy(update={"runs_dir": tmp_path / name})
        with StageRun("teacher", config, runtime) as run:
            objectives.append(run.run()["objective"])
        if name == "first":
            epoch_seconds(config, runtime)
    assert objectives[0] == objectives[1] > 0


def test_no_label_of_the_target_is_read(few_config, tiny_runtime):
    for path in tiny_runtime.data_dirs[0].glob(f"{few_config.target}/*"):
        lines = path.read_text(encoding="utf-8").splitlines()
        plain = [line.split()[0] + " O" if line.strip() else "" for line in lines]
        path.write_text("\n".join(plain) + "\n", encoding="utf-8")
    assert epoch_seconds(few_config, tiny_runtime)
