"""Notifications that the server sends to who has asked for them by LISTEN (PostgreSQL docs, NOTIFY)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple


class Notify(NamedTuple):
    """A notification that has arrived."""

    channel: str
    payload: str
    #: The process ID of the session that has sent it.
    pid: int


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

    def take(self, came: Sequence[Notify]) -> None:
        """Take note of those that came, if any did in the time that remained."""
        if self._wanted is not None:
            self._wanted -= len(came)
        self.goes_on = bool(came) and (self._wanted is None or self._wanted > 0)
