"""Postgres in a WebSocket: binary messages both ways that together are one stream (RFC 6455, by wsproto)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable
from contextlib import suppress

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ..protocol.backend import BackendKeyData, BackendParser, ProtocolError, ReadyForQuery
from ..protocol.frontend import CancelRequest, Terminate
from .cleanup import to_the_end, within
from .http import CHUNK, WATCH_SECONDS, Headers, HTTPConnection, HTTPError, Request, has_gone
from .upstream import Stream

#: How long the client may take to answer a close, in seconds.
CLOSE_TIMEOUT = 2.0

# Close codes (RFC 6455 7.4.1)
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011

#: How many frames of a client are read before others have their turn.
TURN = 100

#: How long a login can get, in bytes; what is longer is none that we can read.
MAX_BEGIN = 65536

_TERMINATE = Terminate().encode()
_N = ord("N")


class CancelKey:
    """Watches a session begin, to learn what a request to cancel its statements has to show.

    Attributes:
        request: the bytes of that request, once they are known.
    """

    def __init__(self) -> None:
        self.request = b""
        self._parser: BackendParser | None = BackendParser()
        self._begin = b""

    @property
    def watching(self) -> bool:
        """Whether the session has still to begin, as far as can be seen."""
        return self._parser is not None

    def watch(self, data: bytes) -> None:
        """Look at what the server has sent."""
        if self._parser is None:
            return
        if not self._parser.pending:
            # A client may have asked for TLS or GSSAPI first. Both are refused by an N, which no message follows
            # that begins with NUL, as the length of a notice does.
            data = self._begin + data
            while data[0] == _N and data[1:2] > b"\0":
                data = data[1:]
            self._begin = data if data == b"N" else b""
            if self._begin:
                return
        self._parser.feed(data)
        if self._parser.pending > MAX_BEGIN:
            self._parser = None
            return
        try:
            while (message := self._parser.next_message()) is not None:
                if isinstance(message, BackendKeyData):
                    self.request = CancelRequest(*message).encode()
                if isinstance(message, (BackendKeyData, ReadyForQuery)):
                    self._parser = None
                    return
        except ProtocolError:
            # Nobody can see what a client says that has TLS of its own inside the tunnel.
            self._parser = None


class Tunnel:
    """A WebSocket of a client, for a connection to Postgres.

    Args:
        http: the connection that the request for the WebSocket has come on.
        request: that request.
        login_timeout: seconds in which the session in it has to begin. After that it may be idle for ever.

    Raises:
        HTTPError: it does not ask for a WebSocket in the right way.
    """

    def __init__(self, http: HTTPConnection, request: Request, login_timeout: float) -> None:
        self._http = http
        self._reader, self._writer = http.reader, http.writer
        self._login_timeout = login_timeout
        self._ws = WSConnection(ConnectionType.SERVER)
        self._close_code, self._close_reason = GOING_AWAY, "the gateway shuts down"
        self._postgres_ended = False
        self._terminated = False
        self._gone = False
        self._deaf = False
        try:
            self._ws.initiate_upgrade_connection(plain_headers(request), request.head.target)
            for _ in self._ws.events():
                pass
        except (RemoteProtocolError, UnicodeError) as error:
            hint = getattr(error, "event_hint", None)
            status = hint.status_code if isinstance(hint, RejectConnection) else 400
            raise no_handshake(str(error), status) from None

    async def run(self, postgres: Stream, headers: Headers, begun: Callable[[], object]) -> None:
        """Accept the WebSocket, with `headers`, and carry bytes both ways until one side ends it.

        Args:
            begun: is called when the session has begun.
        """
        key = CancelKey()
        lines = [(name.encode(), value.encode()) for name, value in headers]
        self._writer.write(self._ws.send(AcceptConnection(extra_headers=lines)))
        tasks = [
            asyncio.ensure_future(self._carry_up(postgres)),
            asyncio.ensure_future(self._carry_down(postgres, key, begun)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._login_timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done and key.watching:
                self._close_code, self._close_reason = POLICY_VIOLATION, "the login has not been completed in time"
                return
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except LocalProtocolError:
            pass  # the client has closed it while something was on its way to it
        except Exception:
            self._close_code, self._close_reason = INTERNAL_ERROR, "a mistake in the gateway; its log says more"
            raise
        finally:
            await to_the_end(self._leave(postgres, key, tasks))

    async def _carry_up(self, postgres: Stream) -> None:
        """Carry from the client to Postgres, until the client ends it."""
        await self._hear(postgres)
        if self._gone and self._terminated:
            with suppress(OSError):
                await postgres.writer.drain()  # what it has asked for before is done, however long that takes

    async def _hear(self, postgres: Stream) -> None:
        data = self._http.ahead
        while True:
            self._ws.receive_data(data)
            ping = None
            for number, event in enumerate(self._ws.events(), 1):
                if isinstance(event, BytesMessage):
                    postgres.writer.write(event.data)
                    self._terminated = event.data[-5:] == _TERMINATE
                elif isinstance(event, Ping):
                    ping = event  # only the last one has to be answered (RFC 6455 5.5.3)
                elif isinstance(event, TextMessage):
                    self._deaf = True
                    self._close_code, self._close_reason = UNSUPPORTED_DATA, "Postgres takes no text messages"
                    return
                elif isinstance(event, CloseConnection):
                    # Also what wsproto makes of a client that breaks the protocol, and then it understands no more.
                    self._deaf = self._ws.state is ConnectionState.OPEN
                    self._close_code, self._close_reason = event.code, event.reason or ""
                    return
                if number % TURN == 0:
                    await asyncio.sleep(0)
            if ping is not None:
                self._writer.write(self._ws.send(ping.response()))
            with suppress(OSError):  # of Postgres's going the other direction hears, after its last words
                await self._let_read(postgres)
            try:
                await self._writer.drain()
                data = await self._reader.read(CHUNK)
            except OSError:
                return
            if not data:
                return

    async def _let_read(self, postgres: Stream) -> None:
        """Wait for Postgres to read what it was sent, or for the client to go: then no more comes than has arrived."""
        while not self._gone and postgres.writer.transport.get_write_buffer_size():
            with suppress(asyncio.TimeoutError):
                await within(WATCH_SECONDS, postgres.writer.drain())
                return
            self._gone = has_gone(self._writer)

    async def _carry_down(self, postgres: Stream, key: CancelKey, begun: Callable[[], object]) -> None:
        """Carry from Postgres to the client, until Postgres ends it."""
        while True:
            code, reason = NORMAL_CLOSURE, ""
            try:
                data = await postgres.reader.read(CHUNK)
            except OSError:
                data = b""
                code, reason = INTERNAL_ERROR, "the connection to Postgres is lost"
            if not data:
                self._postgres_ended = True
                self._close_code, self._close_reason = code, reason
                return
            if key.watching:
                key.watch(data)
                if not key.watching:
                    begun()
            self._writer.write(self._ws.send(BytesMessage(data)))
            await self._writer.drain()

    async def _leave(self, postgres: Stream, key: CancelKey, tasks: Iterable[asyncio.Future[None]]) -> None:
        """Leave both sides, now that one of them, or the gateway, has ended it."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The client is told at once: a Postgres that does not answer could take long.
        await asyncio.gather(self._leave_postgres(postgres, key), self._close())

    async def _leave_postgres(self, postgres: Stream, key: CancelKey) -> None:
        if not self._postgres_ended and not self._terminated and key.request:
            await postgres.cancel(key.request)
        await postgres.close()

    async def _close(self) -> None:
        """Say goodbye, and wait for the client to do so too."""
        with suppress(LocalProtocolError, OSError, asyncio.TimeoutError):
            self._writer.write(self._ws.send(CloseConnection(self._close_code, self._close_reason)))
            await within(CLOSE_TIMEOUT, self._until_closed())

    async def _until_closed(self) -> None:
        await self._writer.drain()
        if self._deaf:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            while await self._reader.read(CHUNK):
                pass
            return
        understood = True
        while self._ws.state is not ConnectionState.CLOSED:
            data = await self._reader.read(CHUNK)
            if not data:
                return
            if understood:  # what comes behind a mistake wsproto would keep
                self._ws.receive_data(data)
                understood = not any(isinstance(event, CloseConnection) for event in self._ws.events())


def wants_websocket(request: Request) -> bool:
    """Whether a request is for a WebSocket, perhaps among other protocols."""
    return "websocket" in tokens(request, "upgrade")


def plain_headers(request: Request) -> list[tuple[bytes, bytes]]:
    """The headers of a request in a form that wsproto understands.

    Of `Connection` and `Upgrade` it looks at the last line only, and it does not know that the other one is a list.
    """
    lines = [(name, value) for name, value in request.head.headers if name not in (b"connection", b"upgrade")]
    if "upgrade" in tokens(request, "connection"):
        lines.append((b"connection", b"Upgrade"))
    if wants_websocket(request):
        lines.append((b"upgrade", b"websocket"))
    return lines


def tokens(request: Request, name: str) -> set[str]:
    """What a header lists, in lower case."""
    return {token.strip().lower() for token in request.headers.get(name, "").split(",")}


def check_handshake(request: Request) -> None:
    """See to what wsproto does not look at (RFC 6455 4.2.1).

    Raises:
        HTTPError: a request for a WebSocket is not one.
    """
    if request.method != "GET":
        raise no_handshake("the method is not GET")
    if request.head.http_version < b"1.1":
        raise no_handshake("it is not HTTP/1.1")
    if (version := request.headers.get("sec-websocket-version")) is not None and version.strip() != "13":
        raise no_handshake("the version is not 13", 426)
    try:
        nonce = base64.b64decode(request.headers.get("sec-websocket-key", ""), validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16:
        raise no_handshake("Sec-WebSocket-Key is not 16 bytes in base64")


def no_handshake(reason: str, status: int = 400) -> HTTPError:
    """The answer to a request for a WebSocket that is not one."""
    headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")] if status == 426 else []
    return HTTPError(status, {"msg": f"this is no WebSocket handshake: {reason}"}, headers)
