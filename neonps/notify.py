"""Notifications that the server sends to who has asked for them by LISTEN (PostgreSQL docs, NOTIFY)."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from .events import logger

T = TypeVar("T")


class Notify(NamedTuple):
    """A notification that has arrived."""

    channel: str
    payload: str
    #: The process ID of the session that has sent it.
    pid: int


Notify.__module__ = "neonps"

NotifyHandler = Callable[[Notify], None]


class Notifications:
    """What becomes of notifications: handlers get them, or they are kept for `Connection.notifies()`.

    Attributes:
        handlers: the functions that get each notification.
        waiting: `notifies()` is under way, and gets them too.
    """

    def __init__(self) -> None:
        self.handlers: list[NotifyHandler] = []
        self.waiting = False
        self._kept: deque[Notify] = deque()

    def take(self, notification: Notify) -> None:
        """Take a notification that has arrived."""
        if self.waiting or not self.handlers:
            self._kept.append(notification)
        call_each(self.handlers, notification)

    def __len__(self) -> int:
        return len(self._kept)

    def give_out(self, count: int) -> Iterator[Notify]:
        """Give the first `count` that are kept. Each is kept until it is asked for: a loop that is left loses none."""
        for _ in range(count):
            if not self._kept:  # another generator has had them
                return
            yield self._kept.popleft()

    def wait(self) -> None:
        """Keep them from now on, for `notifies()`."""
        self.waiting = True
        if self.handlers:
            warnings.warn(
                "using 'notifies()' together with notifies handlers: both get what arrives while the generator runs",
                RuntimeWarning,
                stacklevel=3,
            )


def call_each(handlers: Sequence[Callable[[T], None]], argument: T) -> None:
    """Call the user's handlers; what they raise must not reach into the middle of a statement."""
    for handler in handlers:
        try:
            handler(argument)
        except Exception:
            logger().exception("error in the handler %r", handler)


class NotifyWait:
    """When to stop to wait for notifications.

    Attributes:
        goes_on: not yet.

    Args:
        timeout: after so many seconds; None for never.
        stop_after: after so many notifications; None for never.
    """

    def __init__(self, timeout: float | None, stop_after: int | None) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._wanted = stop_after
        self.goes_on = True

    def remaining(self) -> float | None:
        """How long to wait for the next ones, in seconds."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def take(self, count: int) -> None:
        """Take note of how many have come in the time that remained."""
        if self._wanted is not None:
            self._wanted -= count
        self.goes_on = count > 0 and (self._wanted is None or self._wanted > 0)
