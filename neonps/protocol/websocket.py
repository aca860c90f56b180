"""A byte stream inside a WebSocket (RFC 6455, by wsproto), as the serverless endpoints carry Postgres in it."""

from __future__ import annotations

from collections.abc import Iterable

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError
from wsproto.utilities import ProtocolError as WebSocketError

from ..endpoint import Endpoint
from ..pattern import pattern
from ..version import __version__
from .backend import ProtocolError
from .websocket_end import UpgradeRefused, WebSocketClosed
from .websocket_frame import MAX_SMALL, FrameReader, masked_frame, whole_payload

#: What the head of an HTTP response ends with (RFC 9112 2.1).
_END_OF_HEAD = b"\r\n\r\n"

USER_AGENT = f"neonps/{__version__}"

#: How long the head of the answer to the handshake can be, in bytes.
MAX_HEAD = 16384

#: The end of a head as h11 takes it.
_blank_line = pattern(rb"\n\r?\n")

#: How much of the body of a refusal is kept for the error message, in bytes.
MAX_REFUSAL = 65536


class WebSocketTunnel:
    """The client's end of the tunnel.

    Write `handshake()`, then give everything that arrives to `receive`, and write what is in `outgoing`
    whenever it is not empty. From `is_open` on, `wrap` turns data into a message.

    Attributes:
        request_id: what the service calls the handshake, if it says so.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._refusal: tuple[int, dict[str, str]] | None = None
        self._refusal_body = bytearray()
        self._head = bytearray()  # what has come before it was taken
        self._frames: FrameReader | None = None  # once it is certain that what comes begins with a frame
        self.is_open = False
        self.outgoing = bytearray()  # which grows by many small pieces in linear time
        self.closed: WebSocketClosed | None = None
        self.request_id: str | None = None

    def handshake(self) -> bytes:
        """The request that asks for the upgrade (RFC 6455 4.1)."""
        headers = [(b"User-Agent", USER_AGENT.encode())]
        request = Request(host=self._endpoint.host_header, target=self._endpoint.target, extra_headers=headers)
        return bytes(self._ws.send(request))

    def wrap(self, data: bytes) -> bytes:
        """`data` as one binary message.

        Raises:
            WebSocketClosed: the tunnel has ended.
        """
        if self.closed:
            raise self.closed
        return masked_frame(data) if len(data) <= MAX_SMALL else bytes(self._ws.send(BytesMessage(data)))

    def ping(self) -> bytes:
        """A ping (RFC 6455 5.5.2), which the other side has to answer."""
        return bytes(self._ws.send(Ping()))

    def close(self) -> bytes:
        """The close frame to send before the connection is closed; b"" when it makes no sense any more."""
        if not self.is_open or self.closed:
            return b""
        try:
            return bytes(self._ws.send(CloseConnection(1000)))
        except LocalProtocolError:
            return b""

    def receive(self, data: bytes) -> bytes:
        """Take in what has arrived (b"" for the end) and give the payload in it, which can be b"".

        When the other side has ended the tunnel, `closed` is set.

        Raises:
            UpgradeRefused: the server does not want to open a WebSocket here.
            ProtocolError: the server broke the rules of HTTP or of WebSockets.
        """
        payload: list[bytes | bytearray] = []
        was_open = self.is_open
        rest = data
        if data and self._frames is not None:
            if self._frames.between and (small := whole_payload(data)) is not None:
                return small
            taken, rest = self._frames.split(data)
            if not rest:
                return taken
            payload.append(taken)
        if not self.is_open and self._refusal is None:
            self._check_head(data)
        try:
            self._ws.receive_data(rest or None)
            for event in self._ws.events():
                if isinstance(event, BytesMessage):
                    payload.append(event.data)
                else:
                    self._handle(event)
        except (WebSocketError, UnicodeDecodeError) as e:  # the latter for a header that is no ASCII
            if self._refusal:
                self._refuse()  # its body is cut off; its status says enough
            what = "WebSocket" if self.is_open else "WebSocket handshake"
            raise ProtocolError(f"the server broke the {what} protocol: {e}") from None
        if not data:
            self._end()
        # The first of them, with nothing behind it: a frame can end like this too.
        if was_open < self.is_open and data.partition(_END_OF_HEAD)[1:] == (_END_OF_HEAD, b""):
            self._frames = FrameReader()
        return bytes(payload[0]) if len(payload) == 1 else b"".join(payload)

    def _check_head(self, data: bytes) -> None:
        """See to it that the head is not too long, at whose length h11 looks only while it is not complete."""
        before = len(self._head)
        self._head += data
        blank = _blank_line.search(self._head, max(0, before - 2))
        if (blank.start() if blank else len(self._head)) > MAX_HEAD:
            raise ProtocolError(f"the head of the answer to the WebSocket handshake is longer than {MAX_HEAD} bytes")
        if blank:
            self._head.clear()

    def _handle(self, event: object) -> None:
        if isinstance(event, Ping):
            self.outgoing += self._ws.send(event.response())
        elif isinstance(event, Pong):
            pass  # answers nothing of ours, which is allowed (RFC 6455 5.5.3)
        elif isinstance(event, AcceptConnection):
            self.is_open = True
            self.request_id = _headers(event.extra_headers).get("neon-request-id")
        elif isinstance(event, CloseConnection):
            unreadable = self._ws.state is ConnectionState.OPEN  # then it is wsproto's own word for what it cannot read
            self.closed = self.closed or WebSocketClosed(int(event.code), event.reason or "", unreadable=unreadable)
            if event.code != 1006:
                self.outgoing += self._ws.send(event.response())
        elif isinstance(event, TextMessage):
            raise ProtocolError("the server has sent a text message, where only binary messages carry Postgres")
        elif isinstance(event, RejectConnection):
            self._refusal = (event.status_code, _headers(event.headers))
            if not event.has_body:
                self._refuse()
        elif isinstance(event, RejectData):
            self._refusal_body += event.data
            if event.body_finished or len(self._refusal_body) > MAX_REFUSAL:
                self._refuse()

    def _refuse(self) -> None:
        assert self._refusal is not None
        raise UpgradeRefused(*self._refusal, bytes(self._refusal_body[:MAX_REFUSAL]))

    def _end(self) -> None:
        if self._refusal:
            self._refuse()
        if not self.is_open:
            raise ProtocolError("the server closed the connection during the WebSocket handshake")
        self.closed = self.closed or WebSocketClosed(1006, "")


def _headers(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}
