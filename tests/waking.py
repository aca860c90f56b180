"""Servers that do not do at once what is asked: one that is not ready yet, and one that is gone in the middle."""

from __future__ import annotations

import socket
from contextlib import suppress

from relaying import reset_when_closed
from threaded_server import ThreadedRelay, ThreadedServer
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request


class WakingServer(ThreadedRelay):
    """Refuses the first clients, and leads the others to a real server; a context manager.

    Args:
        host, port: the real server.
        refusal: what the first clients hear once they have said something, before the connection is closed.
        refusals: how many clients hear it.
    """

    def __init__(self, host: str, port: int, refusal: bytes, refusals: int = 2) -> None:
        super().__init__(host, port)
        self._refusal = refusal
        self._refusals = refusals

    def take(self, client: socket.socket) -> None:
        if self.accepted <= self._refusals:
            self.start(self._refuse, client)
        else:
            super().take(client)

    def _refuse(self, client: socket.socket) -> None:
        with suppress(OSError):
            client.recv(1 << 16)
            client.sendall(self._refusal)
            client.shutdown(socket.SHUT_WR)


class ClosingWebSocket(WakingServer):
    """Takes the first clients' WebSockets and closes them, and leads the others to a real gateway; a context manager.

    Args:
        host, port: the gateway.
        code: the close code.
        moment: when it closes: together with the answer to the "handshake", "after it", or in answer to the client's
            "first message".
    """

    def __init__(self, host: str, port: int, code: int, moment: str) -> None:
        super().__init__(host, port, b"")
        self._code = code
        self._moment = moment

    def _refuse(self, client: socket.socket) -> None:
        ws = WSConnection(ConnectionType.SERVER)
        with suppress(OSError):
            ws.receive_data(client.recv(1 << 16))
            assert any(isinstance(event, Request) for event in ws.events())
            accepted = ws.send(AcceptConnection())
            closed = ws.send(CloseConnection(self._code, "later"))
            if self._moment == "handshake":
                client.sendall(accepted + closed)
            else:
                client.sendall(accepted)
                if self._moment == "first message":
                    client.recv(1 << 16)
                client.sendall(closed)
            while client.recv(1 << 16):
                pass
            client.shutdown(socket.SHUT_WR)


class TakingServer(ThreadedServer):
    """An HTTP server that answers the first request, takes the second, and then is gone; a context manager.

    Args:
        answer: the answer to the first request.
        taken: how much of the second request is taken: as many bytes, or all of it if None.
        last: what is said then.
        reset: the connection ends by a reset.

    Attributes:
        requests: how many requests have come, as a whole or in part.
    """

    def __init__(self, answer: bytes, *, taken: int | None, last: bytes, reset: bool) -> None:
        super().__init__()
        self._answer = answer
        self._taken = taken
        self._last = last
        self._reset = reset
        self.requests = 0

    take = ThreadedServer.take_alone

    def serve(self, client: socket.socket) -> None:
        while data := client.recv(1 if self.requests % 2 else 1 << 16):
            self.requests += 1
            second = self.requests % 2 == 0
            wanted = self._taken if second else None
            while not _is_whole(data) if wanted is None else len(data) < wanted:
                data += client.recv(1 << 16 if wanted is None else wanted - len(data))
            client.sendall(self._last if second else self._answer)
            if second:
                if self._reset:
                    reset_when_closed(client)
                return


def _is_whole(data: bytes) -> bool:
    """Whether an HTTP request is complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return bool(end) and len(body) >= int(length)
