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


@pytest.fixture(scope="module")
def runtimes(kept):
    """The corpus with the target's labels, with them scrambled, and without; runs of each."""
    found = {"as it is": kept}
    for change in (tiny.scramble_labels, tiny.take_labels_away):
        folder = kept.runs_dir.with_name(change.__name__)
        change(tiny.write_corpus(folder / "data"), "xx")
        paths = {"data_dirs": (folder / "data",), "runs_dir": folder / "runs"}
        found[change.__name__] = kept.model_copy(update=paths)
    return found


@pytest.mark.parametrize("name", list(methods()))
def test_target_labels_are_not_looked_at(name, few_config, runtimes):
    settings = {"encoder.precision": "fp32", "encoder.dropout": 0.1, **QUICK.get(name, {})}
    config = with_overrides(in_method(few_config, name), settings)
    # What methods have in common is one run, in each of the three.
    runs = {change: trained(config, runtime) for change, runtime in runtimes.items()}
    before = runs.pop("as it is")
    for change, after in runs.items():
        for stage, run in after.items():
            assert run.folder.path.name == before[stage].folder.path.name
            assert same(run, before[stage]), (change, stage)
