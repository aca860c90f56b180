"""A WebSocket server before a Postgres that does what is allowed, but not usual, or that ends it at a bad time."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from threaded_server import ThreadedServer
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Pong, Request, TextMessage


class OddWebSocket(ThreadedServer):
    """Takes one client after the other; a context manager.

    Args:
        host, port: the Postgres.
        fragment: how many bytes a fragment of a message has; 0 for whole messages.
        pings: send one before every message.
        last: what to send, and then close, instead of the answer to the second message of the client.

    Attributes:
        pongs: the payloads of the answers to pings.
        messages: how long the messages of the client were.
        close_codes: the close codes of the clients.
        handshake: the head of the last handshake.
    """

    def __init__(self, host: str, port: int, *, fragment: int = 0, pings: bool = False, last: Event | None = None):
        super().__init__()
        self._target = (host, port)
        self._fragment = fragment
        self._pings = pings
        self._last = last
        self.pongs: list[bytes] = []
        self.messages: list[int] = []
        self.close_codes: list[int] = []
        self.handshake = b""

    @property
    def gateway(self) -> str:
        """What to give as `gateway`."""
        return f"http://127.0.0.1:{self.port}"

    take = ThreadedServer.take_alone

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(self._target) as postgres:
            self._lead(client, postgres)

    def _lead(self, client: socket.socket, postgres: socket.socket) -> None:
        ws = WSConnection(ConnectionType.SERVER)
        messages = 0
        for event in self._events(ws, client):
            if isinstance(event, Request):
                client.sendall(ws.send(AcceptConnection()))
            elif isinstance(event, CloseConnection):
                self.close_codes.append(int(event.code))
                client.sendall(ws.send(event.response()))
                return
            elif isinstance(event, Pong):
                self.pongs.append(bytes(event.payload))
            elif isinstance(event, BytesMessage) and event.message_finished:
                messages += 1
                self.messages.append(len(event.data))
                if self._last is not None and messages == 2:
                    client.sendall(ws.send(self._last))
                    return
                postgres.sendall(event.data)
                client.sendall(b"".join(self._frames(ws, postgres.recv(1 << 16))))

    def _events(self, ws: WSConnection, client: socket.socket) -> Iterator[Event]:
        while data := client.recv(1 << 16):
            if not self.handshake:
                self.handshake = data
            ws.receive_data(data)
            yield from ws.events()

    def _frames(self, ws: WSConnection, data: bytes) -> Iterator[bytes]:
        if self._pings:
            yield ws.send(Ping(payload=b"are you there?"))
        size = self._fragment or len(data) or 1
        for start in range(0, len(data), size):
            part = data[start : start + size]
            yield ws.send(BytesMessage(part, message_finished=start + size >= len(data)))
            if self._fragment and self._pings:
                yield ws.send(Ping(payload=b"between"))  # allowed between fragments (RFC 6455 5.4)


__all__ = ["CloseConnection", "OddWebSocket", "TextMessage"]
