"""A relay that holds back what the first client says until others have come and gone, as a busy network may do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class HoldingRelay:
    """Carries bytes between clients and a server on 127.0.0.1, in threads; a context manager.

    Args:
        host, port: the server.

    Attributes:
        port: where it listens.
        held: how many bytes of the first client are being held back.
        cancelled: how many other clients have come and gone since `hold()`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.held = 0
        self.cancelled = 0
        self._until = 0
        self._first: socket.socket | None = None
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> HoldingRelay:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        with self._changed:
            self._until = 0
            self._changed.notify_all()
        for sock in self._sockets:
            _end(sock)
        for thread in self._threads[1:]:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def hold(self, *, until: int) -> None:
        """From now on hold back what the first client says, until so many others have come and gone."""
        with self._changed:
            self.cancelled, self._until = 0, until

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="holding", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            self._first = self._first or client
            self._start(self._carry, client, server, client is self._first)
            self._start(self._carry, server, client, False)

    def _carry(self, source: socket.socket, target: socket.socket, holds: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if holds:
                    self._hold_back(len(data))
                target.sendall(data)
        _end(target)
        if self._sockets.index(source) % 2 == 1 and target is not self._first:
            with self._changed:  # a server has ended the connection of another client
                self.cancelled += 1
                self._changed.notify_all()

    def _hold_back(self, size: int) -> None:
        with self._changed:
            self.held = size
            self._changed.wait_for(lambda: self.cancelled >= self._until)
            self.held = 0


def _end(sock: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        sock.shutdown(socket.SHUT_RDWR)
