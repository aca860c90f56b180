"""Servers in threads: one that answers its clients, and one that carries what they say to a real server and back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class ThreadedServer:
    """Listens on 127.0.0.1 and has `serve()` answer each client, in a thread of its own; a context manager.

    Attributes:
        port: where it listens.
        accepted: how many connections were made to it.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            end(sock)
        for thread in self._threads[1:]:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def start(self, target: Callable[..., None], *args: object) -> None:
        """Run something in a thread, which has to end when the sockets do."""
        thread = threading.Thread(target=target, args=args, name=type(self).__name__, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(client)
            self.take(client)

    def take(self, client: socket.socket) -> None:
        """Do something with a new client, before the next one is let in: by default start `serve()`."""
        self.start(self.serve, client)

    def take_alone(self, client: socket.socket) -> None:
        """For `take`: serve this client to its end, and let no other one in meanwhile."""
        with client, suppress(OSError):  # when the client is gone
            self.serve(client)

    def serve(self, client: socket.socket) -> None:
        """Answer a client."""
        raise NotImplementedError


class ThreadedRelay(ThreadedServer):
    """Carries bytes between clients and a server, in two threads for each client; a context manager.

    Args:
        host, port: the server.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._target = (host, port)

    def take(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._sockets.append(server)
        self.start(self._carry, client, server, True)
        self.start(self._carry, server, client, False)

    def _carry(self, source: socket.socket, target: socket.socket, of_client: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if self.goes_on(data, source, of_client):
                    target.sendall(data)
        self.ended(target, of_client)

    def goes_on(self, data: bytes, source: socket.socket, of_client: bool) -> bool:
        """Whether what was said is carried on."""
        return True

    def ended(self, target: socket.socket, of_client: bool) -> None:
        """One side has ended, and `target` is the other one."""
        end(target)


def end(sock: socket.socket) -> None:
    """End a connection in both directions."""
    with suppress(OSError):  # it has ended already
        sock.shutdown(socket.SHUT_RDWR)
