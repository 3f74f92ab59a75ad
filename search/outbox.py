"""What is to be told to a store that may be away: told at once, or kept in order and told later.

Each message is an action that reads what it needs when it is carried out, and that may be carried
out twice. Nothing has to survive the driver: the run folders and the study hold the truth, and the
next start tells the store whatever it lacks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

RETRY_SECONDS = 5.0
"""Pause between two looks at a store that was away."""


@dataclass(frozen=True)
class Message:
    """Something to tell.

    Args:
        action: Tells it.
        key: Of the thing that is told of; a message that waits already is not put in twice.
        time: Seconds since 1970 when it came up.
    """

    action: Callable[[], object]
    key: Hashable | None
    time: float


class Outbox:
    """Messages in order.

    Args:
        why_away: What an error says of a store that cannot take a message for now, as the end of
            a sentence; None = it says something else, and is raised.
        say: Tells a person.
        clock: Seconds that never run back.
        sleep: Waits.
    """

    def __init__(
        self,
        why_away: Callable[[BaseException], str | None],
        say: Callable[[str], object],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Start empty."""
        self.why_away, self.say, self.clock, self.sleep = why_away, say, clock, sleep
        self.waiting: deque[Message] = deque()
        self.told_at = time.time()
        """When the message that is being told came up, in seconds since 1970."""
        self.why = ""
        """Why the store took nothing when it was asked last."""
        self._kept = 0
        self._retry_at = 0.0

    def tell(self, action: Callable[[], object], key: Hashable | None = None) -> None:
        """Carry an action out, or keep it while the store is away."""
        if key is None or all(message.key != key for message in self.waiting):
            self.waiting.append(Message(action, key, time.time()))
        if self._kept:
            self._kept += 1
        self.flush()

    def flush(self, patience: float = 0.0) -> int:
        """Tell what waits.

        Args:
            patience: Seconds to wait for a store that is away.

        Returns:
            The number of messages that are left.
        """
        end = self.clock() + patience
        while self.waiting:
            if self._kept and self.clock() < self._retry_at:
                if self.clock() >= end:
                    break
                self.sleep(min(0.5, max(0.0, self._retry_at - self.clock())))
                continue
            if not self._tell_first() and self.clock() >= end:
                break
        return len(self.waiting)

    def _tell_first(self) -> bool:
        message = self.waiting[0]
        self.told_at = message.time
        try:
            message.action()
        except Exception as error:
            why = self.why_away(error)
            if why is None:
                self.waiting.popleft()
                raise
            self.why = why
            if not self._kept:
                self._kept = len(self.waiting)
                self.say(f"MLflow {why}; its records are kept and sent when it does")
            self._retry_at = self.clock() + RETRY_SECONDS
            return False
        self.waiting.popleft()
        if self._kept and not self.waiting:
            self.say(f"MLflow answers again; {self._kept} records that were kept are sent")
            self._kept = 0
        return True
