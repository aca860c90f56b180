"""What relays between clients and a server have in common: one thread that waits for all their sockets."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class SelectingRelay:
    """Listens on 127.0.0.1 and leads each client to a server, in one thread; a context manager.

    Args:
        host, port: the server.
        listen: the port to listen on; 0 for any.

    Attributes:
        port: where it listens.
        accepted: how many connections were made to it.
    """

    def __init__(self, host: str, port: int, *, listen: int = 0) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", listen), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._others: dict[socket.socket, socket.socket] = {}  # the client of each server, the server of each client
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        for sock in (*self._others, self._listener, self._woken):
            sock.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._others) // 2

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._woken:
                    return
                with self._lock:
                    if sock is self._listener:
                        self._accept()
                    elif sock in self._others:
                        self.carry(sock)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._others[client], self._others[server] = server, client
        self.opened(client, server)
        for sock in (client, server):
            self._selector.register(sock, selectors.EVENT_READ)

    def unwatch(self, sock: socket.socket) -> None:
        """Wait for a socket no more."""
        if sock in self._selector.get_map():
            self._selector.unregister(sock)

    def drop(self, sock: socket.socket) -> None:
        """Close a socket and the one on its other side."""
        for each in (sock, self._others[sock]):
            self._others.pop(each)
            self.unwatch(each)
            each.close()

    def opened(self, client: socket.socket, server: socket.socket) -> None:
        """A new client was led to the server."""
        raise NotImplementedError

    def carry(self, sock: socket.socket) -> None:
        """Something can be read from a socket."""
        raise NotImplementedError


def reset_when_closed(sock: socket.socket) -> None:
    """Have a connection end by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
