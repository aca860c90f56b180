"""A TCP relay between a client and a server, for tests that look at what goes by, or that cut the line."""

from __future__ import annotations

import socket

from relaying import SelectingRelay, reset_when_closed


class Relay(SelectingRelay):
    """Carries bytes to and from a server, and takes down what clients say; a context manager.

    Args:
        host, port: the server.
        listen: the port to listen on; 0 for any.

    Attributes:
        sent: what clients have sent, one item for each time that they took the word.
    """

    def __init__(self, host: str, port: int, *, listen: int = 0) -> None:
        super().__init__(host, port, listen=listen)
        self.sent: list[bytes] = []
        self._answered = True
        self._clients: set[socket.socket] = set()
        self._mute = False
        self._cut_at = b""
        self._cutting = False

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
                if reset:
                    reset_when_closed(client)
                self.drop(client)

    def cut_answers(self) -> None:
        """End the ways to the clients; what they say is still carried to the server."""
        with self._lock:
            for client in self._clients:
                client.shutdown(socket.SHUT_WR)

    def say(self, data: bytes) -> None:
        """Say something to the clients that the server has not said."""
        with self._lock:
            for client in self._clients:
                client.sendall(data)

    def opened(self, client: socket.socket, server: socket.socket) -> None:
        self._clients.add(client)

    def drop(self, sock: socket.socket) -> None:
        self._clients -= {sock, self._others[sock]}
        super().drop(sock)

    def carry(self, sock: socket.socket) -> None:
        from_client = sock in self._clients
        try:
            data = sock.recv(1 << 16)
        except OSError:
            data = b""
        if not from_client and self._cutting:
            self._cutting = False
            self.drop(sock)
            return
        if self._mute and not from_client:
            if not data:
                self.unwatch(sock)
            return
        if not data:
            self.drop(sock)
            return
        if from_client:
            if self._answered:
                self.sent.append(b"")
            self.sent[-1] += data
            if self._cut_at and self._cut_at in self.sent[-1]:
                self._cut_at, self._cutting = b"", True
        self._answered = not from_client
        try:
            self._others[sock].sendall(data)
        except OSError:
            self.drop(sock)
