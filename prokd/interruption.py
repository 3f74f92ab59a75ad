"""Ctrl-C of the commands for one run: one sentence and status 130, wherever it hits.

It imports next to nothing, so that it is in place before the slow imports begin.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STATUS = 130
"""How a shell names the end by SIGINT."""
GOES_ON = "interrupted; running the same command again goes on from here."
IS_OVER = "interrupted."
TRAINING = ("train-teacher", "train-student")
"""The commands that go on after their last epoch."""

_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


@contextmanager
def told_in_a_sentence(arguments: list[str]) -> Iterator[None]:
    """Answer the first Ctrl-C by a sentence at once, and end the block; the second ends all.

    An import that is interrupted half-way can turn KeyboardInterrupt into any error, or lose it:
    there is nothing to be put in order meanwhile, so the process ends on the spot. Where SIGINT is
    ignored (a job in the background) it stays so.

    Args:
        arguments: Of the command, which decide what the sentence promises.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    sentence = GOES_ON if any(name in TRAINING for name in arguments[:1]) else IS_OVER
    is_told = False

    def answer(number: int, frame: FrameType | None) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            line_end = "\n" if sys.stderr.isatty() else ""  # the terminal shows ^C before
            with suppress(OSError):
                os.write(2, f"{line_end}{sentence}\n".encode())
            # Where no caller can be told (a destructor), Python would print and go on.
            sys.unraisablehook = lambda _: _leave()
            if not _is_importing(frame):
                raise KeyboardInterrupt
        _leave()

    signal.signal(signal.SIGINT, answer)
    try:
        yield
    except BaseException:
        if is_told:  # whatever the interruption has become on its way
            raise SystemExit(STATUS) from None
        raise


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False


def _leave() -> None:
    with suppress(Exception):  # a write may be in progress, or nobody may read
        sys.stdout.flush()
    os._exit(STATUS)
