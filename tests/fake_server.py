"""A server that says what it is told to, for tests of what a driver makes of servers that do not behave."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class FakeServer:
    """Listens on 127.0.0.1, waits until a client has said something, and gives one answer; a context manager.

    Args:
        answer: the answer; None for never any. `{request}` in it stands for what the client has said.
        close: close the connection after the answer; otherwise leave it open.
        first: say it before the client has said anything.

    Attributes:
        port: where it listens.
        accepted: how many connections were made to it.
        received: what clients have said.
    """

    def __init__(self, answer: bytes | None, *, close: bool = True, first: bool = False) -> None:
        self._answer = answer
        self._close = close
        self._first = first
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self.received = b""
        self._clients: list[socket.socket] = []
        self._gone = 0
        self._threads: list[threading.Thread] = []

    @property
    def open(self) -> int:
        """How many connections the clients have not closed yet."""
        return self.accepted - self._gone

    def __enter__(self) -> FakeServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for client in self._clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="fake server", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._clients.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
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
