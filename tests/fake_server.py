"""A server that says what it is told to, for tests of what a driver makes of servers that do not behave."""

from __future__ import annotations

import socket

from threaded_server import ThreadedServer


class FakeServer(ThreadedServer):
    """Waits until a client has said something, and gives one answer; a context manager.

    Args:
        answer: the answer; None for never any. `{request}` in it stands for what the client has said.
        close: close the connection after the answer; otherwise leave it open.
        first: say it before the client has said anything.

    Attributes:
        received: what clients have said.
    """

    def __init__(self, answer: bytes | None, *, close: bool = True, first: bool = False) -> None:
        super().__init__()
        self._answer = answer
        self._close = close
        self._first = first
        self.received = b""
        self._gone = 0

    @property
    def open(self) -> int:
        """How many connections the clients have not closed yet."""
        return self.accepted - self._gone

    def serve(self, client: socket.socket) -> None:
        with client:
            try:
                said = b"" if self._first else client.recv(1 << 16)
                self.received += said
                if self._answer is not None:
                    client.sendall(self._answer.replace(b"{request}", said))
                    if self._close:
                        client.shutdown(socket.SHUT_WR)
                while more := client.recv(1 << 16):
                    self.received += more
            except OSError:
                pass
            self._gone += 1
