"""Ctrl-C once: end cleanly. Ctrl-C twice: end now. SIGTERM counts as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping_cleanly(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` at the first signal to end, and raise KeyboardInterrupt at the second.

    Outside of the main thread, where signals cannot be taken, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
