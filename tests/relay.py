"""A TCP relay between a client and a server, for tests that look at what goes by, or that cut the line."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from types import TracebackType


class Relay:
    """Listens on 127.0.0.1 and carries bytes to and from a server, in a thread; a context manager.

    Args:
        host, port: the server.
        listen: the port to listen on; 0 for any.

    Attributes:
        port: where it listens.
        sent: what clients have sent, one item for each time that they took the word.
        accepted: how many connections were made to it.
    """

    def __init__(self, host: str, port: int, *, listen: int = 0) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", listen))
        self.port: int = self._listener.getsockname()[1]
        self.sent: list[bytes] = []
        self.accepted = 0
        self._answered = True
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._mute = False
        self._cut_at = b""
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        for sock in (*self._pairs, self._listener, self._woken):
            sock.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._clients)

    def clear(self) -> None:
        """Forget what was sent."""
        self.sent.clear()
        self._answered = True

    def mute(self) -> None:
        """From now on nothing gets from the server to the clients, not even its end."""
        self._mute = True

    def cut_at(self, mark: bytes) -> None:
        """Carry what has `mark` in it to the server, and close both lines when the server has answered it."""
        self._cut_at = mark

    def cut(self, *, reset: bool = False) -> None:
        """Close all connections, or reset them so that the clients' next bytes are an error."""
        with self._lock:
            for client in list(self._clients):
                self._drop(client, reset=reset)

    def _run(self) -> None:
        cutting = False
        while True:
            for key, _ in self._selector.select():
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._woken:
                    return
                with self._lock:
                    if sock is self._listener:
                        self._accept()
                    elif sock in self._pairs:
                        cutting = self._carry(sock, cutting)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._clients.add(client)
        self._pairs[client], self._pairs[server] = server, client
        for sock in (client, server):
            self._selector.register(sock, selectors.EVENT_READ)

    def _carry(self, sock: socket.socket, cutting: bool) -> bool:
        from_client = sock in self._clients
        try:
            data = sock.recv(1 << 16)
        except OSError:
            data = b""
        other = self._pairs[sock]
        if not from_client and cutting:
            self._drop(other)
            return False
        if self._mute and not from_client:
            if not data:
                self._selector.unregister(sock)
            return cutting
        if not data:
            self._drop(sock if from_client else other)
            return cutting
        if from_client:
            if self._answered:
                self.sent.append(b"")
            self.sent[-1] += data
            if self._cut_at and self._cut_at in self.sent[-1]:
                self._cut_at, cutting = b"", True
        self._answered = not from_client
        try:
            other.sendall(data)
        except OSError:
            self._drop(other if not from_client else sock)
        return cutting

    def _drop(self, client: socket.socket, *, reset: bool = False) -> None:
        self._clients.discard(client)
        server = self._pairs.pop(client)
        self._pairs.pop(server)
        for sock in (client, server):
            if sock in self._selector.get_map():
                self._selector.unregister(sock)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server.close()
