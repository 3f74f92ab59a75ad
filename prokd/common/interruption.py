"""Ctrl-C and SIGTERM: a command ends with one sentence and status 130, whatever it is doing.

It imports next to nothing, so that a command can call it before its slow imports.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SENTENCE = "interrupted; running the same command again goes on from here."
IS_OVER = "interrupted."
"""The sentence of commands that do not go on where they were."""
STATUS = 130
TRAINING = ("train", "train-teacher", "train-student")
"""The commands for one run that go on after their last epoch."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS = 5.0
"""Most seconds that each part of the ending may take."""


def end_at_once_on_signals(*after: Callable[[], object], sentence: str = SENTENCE) -> None:
    """From now on Ctrl-C and SIGTERM end the process by `end_now`.

    Outside of the main thread, where signals cannot be taken, nothing changes; a signal that is
    ignored, by a job in the background, stays so.

    Args:
        after: As `end_now` takes it.
        sentence: As `end_now` takes it.
    """

    def end(number: int, frame: FrameType | None) -> None:
        end_now(*after, sentence=sentence)

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end)


def sentence_of(arguments: Sequence[str]) -> str:
    """Return what the command ``prokd`` says at Ctrl-C, from its arguments.

    >>> sentence_of(["predict", "model"])
    'interrupted.'
    """
    return SENTENCE if any(name in TRAINING for name in arguments[:1]) else IS_OVER


@contextmanager
def ending_at_once(*after: Callable[[], object]) -> Iterator[None]:
    """Do as `end_at_once_on_signals` for as long as the block lasts."""
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    end_at_once_on_signals(*after)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in previous.items():
                signal.signal(number, handler)


def raise_on_signals() -> None:
    """Take `end_at_once_on_signals` back: Ctrl-C raises KeyboardInterrupt again."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_now(
    *after: Callable[[], object],
    before: Callable[[], object] = bool,
    sentence: str = SENTENCE,
) -> NoReturn:
    """Write the sentence and leave; nothing else is written from then on.

    No exception is raised: on its way it would make libraries and their threads write lines of
    their own. Processes that Ray has started for this one end with it.

    Args:
        after: Are called one after the other when nothing is shown any more, for `SECONDS` each
            at most.
        before: Is called before the sentence is written, for so long at most.
        sentence: What is written.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _within_seconds(before)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may have been closed from the start
            _within_seconds(stream.flush)
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    line_end = "\n" if on_terminal else ""  # the terminal shows ^C before
    os.write(2, f"{line_end}{sentence}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for handle in (1, 2):
        os.dup2(nowhere, handle)
    for action in (*after, _remove_parts):
        _within_seconds(action)
    os._exit(STATUS)


def _remove_parts() -> None:
    """Remove what is half written, where anything can be by now."""
    if (files := sys.modules.get("prokd.common.files")) is not None:
        files.remove_parts()


def _within_seconds(action: Callable[[], object]) -> None:
    """Call an action; not in this thread, which may hold what the action waits for."""
    thread = threading.Thread(target=_quietly, args=(action,), daemon=True)
    thread.start()
    thread.join(SECONDS)


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:  # what is left undone is put in order by the next start
        return
