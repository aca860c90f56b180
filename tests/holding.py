"""A relay that holds back what the first client says until others have come and gone, as a busy network may do."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

from threaded_server import ThreadedRelay


class HoldingRelay(ThreadedRelay):
    """Carries bytes between clients and a server, and holds some back when it is told to; a context manager.

    Args:
        host, port: the server.

    Attributes:
        held: how many bytes of the first client are being held back.
        cancelled: how many other clients have come and gone since `hold()`.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.held = 0
        self.cancelled = 0
        self._until = 0
        self._first: socket.socket | None = None
        self._changed = threading.Condition()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._until = 0
            self._changed.notify_all()
        super().__exit__(kind, error, traceback)

    def hold(self, *, until: int) -> None:
        """From now on hold back what the first client says, until so many others have come and gone."""
        with self._changed:
            self.cancelled, self._until = 0, until

    def take(self, client: socket.socket) -> None:
        self._first = self._first or client
        super().take(client)

    def goes_on(self, data: bytes, source: socket.socket, of_client: bool) -> bool:
        if source is self._first:
            with self._changed:
                self.held = len(data)
                self._changed.wait_for(lambda: self.cancelled >= self._until)
                self.held = 0
        return True

    def ended(self, target: socket.socket, of_client: bool) -> None:
        super().ended(target, of_client)
        if not of_client and target is not self._first:
            with self._changed:  # a server has ended the connection of another client
                self.cancelled += 1
                self._changed.notify_all()
