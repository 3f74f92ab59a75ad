"""How fast a training goes, told on the log: nobody waits for minutes without a word."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

logger = logging.getLogger(__name__)
Item = TypeVar("Item")

FIRST_SECONDS = 5.0
"""When an epoch says for the first time how long it may take."""
EVERY_SECONDS = 60.0
"""Pause between two lines of an epoch that goes on."""
WARM_UP = 1
"""Steps at the beginning that tell too much: they fill caches and allocate memory."""


def paced(batches: Sequence[Item], name: str, epoch: int, num_epochs: int) -> Iterator[Item]:
    """Yield the batches of an epoch; say now and then how far it is and how long it may take.

    The first line comes after some seconds, the others a minute apart; a short epoch says nothing.

    Args:
        batches: All of the epoch.
        name: Of the stage: ``teacher`` or ``student``.
        epoch: Number of finished epochs.
        num_epochs: Of the run.
    """
    begun = time.monotonic()
    warm = begun
    line = begun + FIRST_SECONDS
    for step, batch in enumerate(batches):
        now = time.monotonic()
        if step == WARM_UP:
            warm = now
        if step > WARM_UP and now >= line:
            whole = warm - begun + (now - warm) / (step - WARM_UP) * (len(batches) - WARM_UP)
            left = whole - (now - begun)
            logger.info(
                "%s: epoch %d of %d, step %d of %d; about %s left of the epoch, %s of the run",
                name,
                epoch + 1,
                num_epochs,
                step,
                len(batches),
                shown_time(left),
                shown_time(left + (num_epochs - epoch - 1) * whole),
            )
            line = now + EVERY_SECONDS
        yield batch


def shown_time(seconds: float) -> str:
    """Return a time as a person says it.

    >>> shown_time(42), shown_time(400), shown_time(9000), shown_time(400000)
    ('42 s', '7 min', '2.5 h', '4.6 days')
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
