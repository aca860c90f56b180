"""Connecting again: after which failures, how often, and for how long.

Only that is tried again of which it is certain that nothing was executed, and which may be better in a moment: nobody
listened, the database is starting, the gateway says that it cannot take us now.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from .. import errors as e
from ..events import INFO, log
from ..hosts import is_socket
from ..protocol.websocket_end import UpgradeRefused, WebSocketClosed
from ..settings import Settings
from .requests import Clock, Flow, Pause

#: For how long a database that is waking up is tried again if `connect_timeout` was not given, in seconds.
WAKING_PATIENCE = 10.0

#: The first pause and the longest, in seconds. Each is up to twice as long as the one before, by chance down to half of
#: that, so that many clients of a server that comes back do not all come at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

#: What the system says when nobody listens, by whether it is at a Unix socket.
_NOBODY_LISTENS = {False: errno.ECONNREFUSED, True: errno.ENOENT}

#: The SQLSTATE of a server that is starting, stopping or recovering.
CANNOT_CONNECT_NOW = "57P03"

#: The HTTP status of a service that cannot take a request now (RFC 9110 15.6.4).
UNAVAILABLE = 503

#: WebSocket close codes: service restart, try again later (RFC 6455, registry).
_LATER = frozenset({1012, 1013})


class Retries:
    """The failures of one attempt to connect after the other, and whether there is to be another.

    Args:
        settings: of the connection; `patience` is for how long to go on.

    Attributes:
        attempts: how many there have been, the current one included.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._began = self._end = 0.0
        self._pause = _FIRST_PAUSE
        self._final = False  # something has failed for good
        self._refused = self._waking = False  # something has failed that may be better in a moment
        self._after = 0.0  # when to come again, as far as the server has said so, in seconds
        self.attempts = 1

    def start(self) -> Flow[None]:
        """Begin to count the time."""
        self._began = yield Clock()

    def note(self, error: BaseException) -> None:
        """Take note of why an attempt has failed."""
        if isinstance(error, OSError) and error.errno == _NOBODY_LISTENS[is_socket(self._settings.host)]:
            self._refused = True
        elif isinstance(error, UpgradeRefused) and error.status == UNAVAILABLE:
            self.note_unavailable(error.headers)
        elif (isinstance(error, WebSocketClosed) and error.code in _LATER) or is_waking(error):
            self._waking = True
        else:
            self._final = True

    def note_unavailable(self, headers: Mapping[str, str]) -> None:
        """Take note that a service cannot take us now, and of when it can."""
        self._waking = True
        after = headers.get("retry-after", "").strip()
        if after.isdecimal() and after.isascii():  # otherwise it is a date, which says nothing to a clock of our own
            self._after = max(self._after, float(after[:9]))

    def limit(self) -> Flow[float | None]:
        """How long the next attempt may take, in seconds; the first one for each address has `connect_timeout`."""
        timeout = self._settings.connect_timeout
        if self.attempts == 1:
            return timeout
        now: float = yield Clock()
        left = max(self._end - now, 0.001)
        return left if timeout is None else min(left, timeout)

    def again(self) -> Flow[bool]:
        """Wait for the right moment to try again; False if there is none."""
        if self._final or not (self._refused or self._waking):
            return False
        patience = self._settings.patience
        if patience is None:
            patience = WAKING_PATIENCE if self._waking else 0.0
        self._end = self._began + patience
        now: float = yield Clock()
        pause = max(self._after, _jittered(self._pause))
        if now + pause >= self._end:
            return False
        log(INFO, "connecting again", self._settings, attempt=self.attempts + 1, pause=round(pause, 3))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._final = self._refused = self._waking = False
        self._after = 0.0
        self.attempts += 1
        yield Pause(pause)
        return True

    def explained(self, error: e.Error) -> e.Error:
        """The same error, which has ended all attempts; it says so if there were several."""
        if self.attempts > 1:
            error.args = (f"{error}\nThis was attempt {self.attempts}.",)
        return error


def is_waking(error: BaseException) -> bool:
    """Whether a server has refused to begin a session because it is starting, stopping or recovering."""
    if not isinstance(error, e.Error) or error.sqlstate != CANNOT_CONNECT_NOW:
        return False
    return error.diag.severity_nonlocalized in ("FATAL", None)  # otherwise a statement has raised it


def _jittered(seconds: float) -> float:
    from random import uniform  # takes long to import, and is seldom needed

    return uniform(seconds / 2, seconds)
