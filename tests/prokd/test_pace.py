"""What a training says of its pace: soon, seldom, and about right."""

from __future__ import annotations

import logging
import time

import pytest

from prokd.stages import pace
from prokd.stages.pace import paced


def test_an_epoch_says_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pace, "FIRST_SECONDS", 0.2)
    caplog.set_level(logging.INFO, "prokd.stages.pace")
    seen = []
    for number in paced(list(range(150)), "teacher", 1, 4):
        seen.append(number)
        time.sleep(0.02)
    assert seen == list(range(150))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("teacher: epoch 2 of 4, step ")
    rest = float(caplog.messages[0].split("about ")[1].split(" s")[0])
    assert 2 <= rest <= 12  # 3 s and more, on a machine with other work too


def test_a_short_epoch_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "prokd.stages.pace")
    assert list(paced([1, 2, 3], "student", 0, 1)) == [1, 2, 3]
    assert not caplog.messages
