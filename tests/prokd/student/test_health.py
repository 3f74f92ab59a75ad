"""When a student's run is called collapsed."""

import math

import pytest

from prokd.errors import CollapsedRun
from prokd.methods.prokd.student.health import check_health


def _metrics(**values):
    shares = {"": 0.9, "_on_outside": 0.9, "_on_entity": 0.9} | values
    return {f"student/agreement{name}": share for name, share in shares.items()}


def test_a_healthy_epoch_goes_on():
    check_health(_metrics(), 0.5, 1)


@pytest.mark.parametrize("name", ["", "_on_outside", "_on_entity"])
def test_pseudo_labels_that_left_the_teacher(name):
    with pytest.raises(CollapsedRun, match=r"collapsed in epoch 3: .* on 0\.40 of its"):
        check_health(_metrics(**{name: 0.4}), 0.5, 3)


def test_a_teacher_without_any_entity():
    metrics = _metrics(_on_entity=math.nan)
    with pytest.raises(CollapsedRun, match="takes none of the target's tokens for entity tokens"):
        check_health(metrics, 0.5, 1)
    check_health(metrics, 0.0, 1)
