"""A byte stream to a Postgres server: straight through a socket, or inside a WebSocket."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..endpoint import Endpoint
from ..protocol.backend import ProtocolError
from .requests import TLS, Close, Deadline, DeadlinePassed, Flow, KeepAlive, NotSilent, Pings, Poll, Receive, Send
from .way import open_way

if TYPE_CHECKING:
    from ..protocol.websocket import WebSocketTunnel
    from ..protocol.websocket_end import WebSocketClosed
    from ..proxies import Proxy

#: How long a polite farewell may take, in seconds.
_FAREWELL = 2.0

#: So many bytes the other side of a WebSocket reads even while Postgres takes nothing from it. Behind more than these a
#: ping may wait for as long as Postgres works, and says nothing.
_READ_IN_ANY_CASE = 1 << 15

#: What has arrived is taken in so many pieces at most before something else is done. TLS gives each record alone.
LOOKS = 1000


class Channel:
    """The stream straight through the runner's connection, which is open already.

    Attributes:
        end: how the other side has ended the stream, as far as it said so; None otherwise.
        closed: this side has closed it.
        torn: what was to be sent may not have left whole; nothing more can be sent.
        unanswered: how many bytes were sent since this was set to 0.
        certificate: that of the server (DER), if TLS reaches from here to there.
        request_id: what the service calls the request by which the stream was opened, if it says so.
    """

    certificate: bytes | None = None
    request_id: str | None = None

    def __init__(self) -> None:
        self.end: WebSocketClosed | None = None
        self.closed = self.torn = False
        self.unanswered = 0

    def send(self, *messages: bytes, idle: bool = False) -> Flow[None]:
        """Send `messages` in one go. Where the stream has borders, each is a message of its own.

        Args:
            messages: what to send.
            idle: nothing is under way, so that nothing should have arrived.

        Raises:
            NotSilent: something has, or the end; nothing was sent.
            OSError, WebSocketClosed: the connection has ended.
        """
        yield Send(messages[0] if len(messages) == 1 else b"".join(messages), idle=idle)

    def receive(self) -> Flow[bytes]:
        """Wait for the next bytes; b"" means that the stream has ended, see `end`."""
        data: bytes = yield Receive()
        return data

    def poll(self) -> Flow[bytes | None]:
        """The bytes that are here already, None if there are none, b"" if the stream has ended."""
        data: bytes | None = yield Poll()
        return data

    def close(self) -> Flow[None]:
        """Close the stream and the connection. Never fails."""
        self.closed = True
        yield Close()


class WebSocketChannel(Channel):
    """The stream in the binary messages of a WebSocket."""

    def __init__(self, tunnel: WebSocketTunnel, pings: Pings) -> None:
        super().__init__()
        self._tunnel = tunnel
        self._pings = pings
        self._receive = Receive(pings.interval)
        self.request_id = tunnel.request_id

    def send(self, *messages: bytes, idle: bool = False) -> Flow[None]:
        if idle and self._tunnel.closed:
            raise NotSilent
        data = b"".join([self._tunnel.wrap(message) for message in messages])
        self.unanswered += len(data)
        self.torn = True
        try:
            yield Send(data, idle=idle)
        except NotSilent:
            self.unanswered -= len(data)
            self.torn = False
            raise
        self.torn = False

    def receive(self) -> Flow[bytes]:
        while not self._tunnel.closed:
            data: bytes | None = yield self._receive
            if data is None:
                data = yield from self._ask_whether_it_lives()
            payload = yield from self._unwrap(data)
            if payload is not None:
                return payload
        return b""

    def _ask_whether_it_lives(self) -> Flow[bytes]:
        """Send a ping and wait for what comes then, which need not be the answer to it: any byte is a sign of life."""
        if self.unanswered > _READ_IN_ANY_CASE:
            data: bytes = yield Receive()
            return data
        yield from self._send_aside(self._tunnel.ping())
        answer: bytes | None = yield Receive(self._pings.timeout)
        if answer is None:
            raise OSError(f"it has not answered a ping within {self._pings.timeout:g} seconds")
        return answer

    def _send_aside(self, data: bytes) -> Flow[None]:
        """Send what is no part of the stream. Whoever is interrupted here does not know how much of it has left."""
        self.torn = True
        with suppress(OSError):  # what the other side has said counts even if it does not listen any more
            yield Send(data, asks=False)
        self.torn = False

    def poll(self) -> Flow[bytes | None]:
        for _ in range(LOOKS):
            if self._tunnel.closed:
                return b""
            data: bytes | None = yield Poll()
            if data is None:
                return None
            payload = yield from self._unwrap(data)
            if payload is not None:
                return payload
        return None

    def _unwrap(self, data: bytes) -> Flow[bytes | None]:
        """The payload in `data`; None if it holds none, b"" if the stream has ended."""
        tunnel = self._tunnel
        payload = tunnel.receive(data)
        if tunnel.outgoing:
            outgoing, tunnel.outgoing = bytes(tunnel.outgoing), bytearray()
            yield from self._send_aside(outgoing)
        if tunnel.closed:
            self.end = tunnel.closed
            return payload
        return payload or None

    def close(self) -> Flow[None]:
        self.closed = True
        farewell = b"" if self.torn else self._tunnel.close()  # it would be taken for the rest of a message
        try:
            if farewell:
                yield Deadline(_FAREWELL)
                yield Send(farewell)
        except (OSError, DeadlinePassed):
            pass  # the other side is gone or does not listen any more
        except GeneratorExit:
            raise
        except BaseException:  # interrupted once more
            yield Close()
            raise
        yield Close()


def open_websocket(
    endpoint: Endpoint, tls: TLS | None, keepalive: KeepAlive, pings: Pings, proxy: Proxy | None = None
) -> Flow[WebSocketChannel]:
    """Open a connection to `endpoint`, through `proxy` if there is one, and a WebSocket on it.

    Raises:
        UpgradeRefused, ProtocolError, OSError: it did not come to a WebSocket.
    """
    from ..protocol.websocket import WebSocketTunnel

    yield from open_way(endpoint.host, endpoint.port, tls, keepalive, proxy)
    tunnel = WebSocketTunnel(endpoint)
    yield Send(tunnel.handshake())
    while not tunnel.is_open:
        if tunnel.receive((yield Receive())):
            raise ProtocolError("the server has spoken before it was asked")
    return WebSocketChannel(tunnel, pings)
