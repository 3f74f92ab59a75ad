"""No method sees a label of the target: scrambled or taken away, they change nothing."""

import pytest

from prokd.config import with_overrides
from prokd.methods import in_method, methods
from tests import tiny
from tests.methods.training import same, trained

QUICK = {
    "colada": {"rounds": 1},
    "composed": {
        "teacher.corpora": "paired",
        "teacher.heads_weight": 0.1,
        "teacher.contrast.labels": 0.1,
        "student.heads_weight": 0.1,
        "student.mmd_language": 0.001,
        "student.main_teacher": "mean",
        "student.voted_weight": 0.3,
    },
}


@pytest.mark.parametrize("name", list(methods()))
def test_target_labels_are_not_looked_at(name, tiny_config, runtime, tiny_data, tmp_path):
    settings = {"encoder.precision": "fp32", "encoder.dropout": 0.1, **tiny.FEW}
    settings |= QUICK.get(name, {})
    config = with_overrides(in_method(tiny_config, name), settings)
    before = trained(config, runtime)
    for change in (tiny.scramble_labels, tiny.take_labels_away):
        change(tiny_data, "xx")
        runs_dir = tmp_path / change.__name__
        for stage, run in trained(
            config, runtime.model_copy(update={"runs_dir": runs_dir})
        ).items():
            assert run.folder.path.name == before[stage].folder.path.name
            assert same(run, before[stage]), (change.__name__, stage)
