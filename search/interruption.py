"""Ctrl-C once: end cleanly. Ctrl-C twice: end now. SIGTERM counts as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prokd.common.interruption import SIGNALS, end_now


@contextmanager
def stopping_cleanly(
    stop: Callable[[], object], *after: Callable[[], object], before: Callable[[], object] = bool
) -> Iterator[None]:
    """Call ``stop`` at the first signal to end, and leave by `end_now` at the second.

    Outside of the main thread, where signals cannot be taken, nothing changes.

    Args:
        stop: Asks what is at work to end.
        after: As `end_now` takes them.
        before: As `end_now` takes it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            end_now(*after, before=before)
        asked = True
        stop()

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
