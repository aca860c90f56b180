"""The gateway: finds who answers the requests of its clients, and how many of them there can be."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import socket
import ssl
import traceback
from collections.abc import Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import uuid4

from ..endpoint import is_loopback
from ..flows.requests import KeepAlive
from ..net.addresses import set_keepalive
from .cleanup import Aside, acquired, to_the_end, within
from .http import Headers, HTTPConnection, HTTPError, Request, reset, unavailable
from .listener import Listener, allowed_connections
from .room import Room, Share
from .sqlhttp import parse_batch, parse_login
from .upstream import Upstream
from .values import memory_for
from .websocket import Tunnel, check_handshake, wants_websocket

T = TypeVar("T")

logger = logging.getLogger("neonps.gateway")

#: The longest request and response, in bytes. The services have the same limits (64 MB and 10 MB).
MAX_REQUEST = 64 << 20
MAX_RESPONSE = 10 << 20

#: The longest request that is none for SQL, in bytes.
MAX_OTHER = 65536

#: How many requests are at work in Postgres; the others wait. It takes 100 sessions unless told otherwise.
MAX_SESSIONS = 50

#: How many WebSockets there are whose clients have not logged in; the others wait. With those requests they leave some
#: of Postgres's sessions to whoever has logged in.
MAX_LOGINS = 30

#: Seconds that they wait.
QUEUE_TIMEOUT = 30.0

#: How many clients there are, if the system allows as many open files. Others are sent away by a 503.
MAX_CONNECTIONS = 1000

#: How many of those are heard at the same time, to be sent away, and for how many seconds.
MAX_SHED = 64
SHED_TIMEOUT = 2.0

#: A client of which nothing was heard for two minutes, not even by its system, is gone.
KEEPALIVE = KeepAlive(idle=60, interval=10, probes=6)

#: How many requests of the greatest length find room in memory, and how many answers with results of that length.
LARGEST_REQUESTS = 4
LARGEST_ANSWERS = 32

#: Seconds that a client may be silent between requests or within one, and that a login over a WebSocket may take.
IDLE_TIMEOUT = 60.0

#: Seconds that the head of a request, and a TLS handshake, may take.
HEAD_TIMEOUT = 10.0

#: Seconds that closing a connection may take.
CLOSE_TIMEOUT = 2.0

#: What a browser wants to know before it sends a request from another site's page.
PREFLIGHT_HEADERS = (
    ("Allow", "OPTIONS, POST"),
    ("Access-Control-Allow-Methods", "OPTIONS, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, "
        "Neon-Pool-Opt-In, Neon-Batch-Isolation-Level, Neon-Batch-Read-Only, Neon-Batch-Deferrable",
    ),
    ("Access-Control-Max-Age", "86400"),
)


class Gateway:
    """A server that puts SQL over HTTP (`/sql`) and Postgres in WebSockets (`/v1`, `/v2`) before a Postgres.

    Args:
        upstream: that Postgres.
        host, port: where to listen; with port 0 the system picks one.
        tls: speak HTTPS and WSS, with this.
        max_request, max_response: the longest bodies, in bytes; longer ones are answered by 413 and 507.
        max_connections: how many clients there can be; others are answered by 503. By default 1,000, or as many as
            the limit of the system on open files allows.
        max_sessions: how many requests over HTTP can be at work in Postgres; the others wait, and are answered by
            503 when that takes more than `queue_timeout` seconds.
        max_logins: how many clients can be logging in over WebSockets; the others wait in the same way. How many
            there can be that are logged in is up to Postgres.
        idle_timeout: seconds that a client may be silent between requests or within one, and that a login over a
            WebSocket may take.
        head_timeout: seconds that the head of a request may take, and a TLS handshake.
    """

    def __init__(
        self,
        upstream: Upstream,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        max_request: int = MAX_REQUEST,
        max_response: int = MAX_RESPONSE,
        max_connections: int | None = None,
        max_sessions: int = MAX_SESSIONS,
        max_logins: int = MAX_LOGINS,
        idle_timeout: float = IDLE_TIMEOUT,
        head_timeout: float = HEAD_TIMEOUT,
        queue_timeout: float = QUEUE_TIMEOUT,
    ) -> None:
        self.upstream = upstream
        self.host = host
        self.port = port
        self._tls = tls
        self._max_request = max_request
        self._max_response = max_response
        self._max_connections = max_connections
        self._max_sessions = max_sessions
        self._max_logins = max_logins
        self._idle_timeout = idle_timeout
        self._head_timeout = head_timeout
        self._queue_timeout = queue_timeout
        self._listener: Listener | None = None
        self._connections = 0
        self._sessions = asyncio.Semaphore(max_sessions)
        self._logins = asyncio.Semaphore(max_logins)
        self._room = Room(LARGEST_REQUESTS * max_request)
        self._aside = Aside()
        self._answers = Room(LARGEST_ANSWERS * max_response)

    @property
    def url(self) -> str:
        """Its base URL, such as `http://127.0.0.1:4444`; from the time on that it listens."""
        return f"{'https' if self._tls else 'http'}://{reachable(self.host)}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Whether nobody can listen to what is said: it has TLS, or can be reached from this machine only."""
        return self._tls is not None or is_loopback(self.host)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: it cannot listen there.
        """
        allowed = allowed_connections()
        if self._max_connections is None:
            self._max_connections = min(MAX_CONNECTIONS, allowed)
        elif self._max_connections > allowed:
            logger.warning(
                "the limit on open files (ulimit -n) is too low for %d connections: it is good for %d",
                self._max_connections,
                allowed,
            )
        self._listener = Listener(self._take_client, self._max_connections + MAX_SHED)
        self.port = await self._listener.start(self.host, self.port)
        if not is_loopback(self.host):
            logger.warning(
                "the gateway listens on %s, where other machines can reach it%s",
                self.host,
                "" if self._tls else "; there is no TLS, so whoever listens on the way gets to know passwords",
            )

    async def stop(self) -> None:
        """Stop listening, cancel what runs for clients, and leave them."""
        if self._listener is not None:
            await self._listener.stop()

    async def _take_client(self, sock: socket.socket) -> None:
        """Do what a client wants, or tell it that there are too many."""
        assert self._max_connections is not None
        shed = self._connections >= self._max_connections
        self._connections += not shed
        head_timeout = min(self._head_timeout, SHED_TIMEOUT) if shed else self._head_timeout
        writer = None
        try:
            reader, writer = await begin(sock, self._tls, head_timeout)
            if shed:
                await self._shed(HTTPConnection(reader, writer, idle_timeout=head_timeout, head_timeout=head_timeout))
            else:
                await self._serve(
                    HTTPConnection(reader, writer, idle_timeout=self._idle_timeout, head_timeout=head_timeout)
                )
        except (asyncio.CancelledError, OSError):
            pass  # the gateway stops, or the client is gone: nobody waits for an answer
        except Exception as error:
            log_mistake("a client had to be left because of a mistake in the gateway", error)
        finally:
            self._connections -= not shed
            if writer is not None:
                await leave(writer)

    async def _shed(self, http: HTTPConnection) -> None:
        """Send a client away."""
        try:
            request = await http.next_request()
            if request is None:
                return
            error = unavailable(f"the gateway has {self._max_connections} clients, and takes no more")
        except HTTPError as other:
            error = other
        await http.respond(error.status, to_text(error.body), error.headers)

    async def _serve(self, http: HTTPConnection) -> None:
        """Answer the requests on one connection."""
        going_on = True
        while going_on:
            headers = (("neon-request-id", str(uuid4())), ("Access-Control-Allow-Origin", "*"))
            try:
                request = await http.next_request()
                if request is None:
                    return
                going_on = await self._answer(http, request, headers)
                continue
            except HTTPError as error:
                answer = (error.status, to_text(error.body), (*headers, *error.headers))
            # Not before the error is gone, and with it the calls in which the request and its results are.
            await http.respond(*answer)

    async def _answer(self, http: HTTPConnection, request: Request, headers: Headers) -> bool:
        """Answer one request; gives whether there can be another after it.

        Raises:
            HTTPError: an error is the answer.
            OSError: the client is gone.
        """
        is_sql = request.path == "/sql" and request.method == "POST"
        with self._room.share() as share, self._answers.share() as answers:
            body = await http.body(request, self._max_request if is_sql else min(self._max_request, MAX_OTHER), share)
            if is_sql:
                # Nothing here keeps the text: it can be large, and a client slow.
                await http.respond(200, await unless_gone(http, self._sql(request, body, share, answers)), headers)
                return True
        if request.path in ("/v1", "/v2") and wants_websocket(request):
            await self._tunnel(http, request, headers)
            return False
        if request.path != "/sql" or request.method != "OPTIONS":
            raise HTTPError(400, "query is not supported")
        await http.respond(200, "", (*headers, *PREFLIGHT_HEADERS))
        return True

    async def _sql(self, request: Request, body: bytearray, share: Share, answers: Share) -> str:
        """The answer to what `POST /sql` asks for.

        Args:
            request, body: the request.
            share: of the memory for requests.
            answers: of that for answers.

        Raises:
            HTTPError: an error is the answer.
        """
        login = parse_login(request.headers)
        size = len(body)
        memory = size + await self._aside.do(size, partial(memory_for, body))
        if memory > self._room.size:
            raise HTTPError(413, {"message": "request is too large: it has too many values"})
        share.grow(memory)
        batch = await self._aside.do(size, partial(parse_batch, request.headers, body))
        body.clear()
        if not await acquired(self._sessions, self._queue_timeout):
            raise unavailable(f"all {self._max_sessions} sessions of the gateway are at work; try again later")
        try:
            return await self.upstream.run(login, batch, self._max_response, answers, self._aside)
        except HTTPError:
            raise
        except Exception as error:
            log_mistake("a request has failed because of a mistake in the gateway", error)
            raise HTTPError(500, {"msg": "a mistake in the gateway; its log says more"}) from None
        finally:
            self._sessions.release()

    async def _tunnel(self, http: HTTPConnection, request: Request, headers: Headers) -> None:
        """Be a WebSocket from now on.

        Raises:
            HTTPError: an error is the answer.
        """
        check_handshake(request)
        tunnel = Tunnel(http, request, self._idle_timeout)
        address = dict(parse_qsl(request.query, keep_blank_values=True)).get("address")
        if address is None and request.path == "/v1":
            raise HTTPError(400, {"msg": "the URL does not say where to go: /v1?address=HOST:PORT"})
        if not await unless_gone(http, acquired(self._logins, self._queue_timeout)):
            raise unavailable(f"{self._max_logins} clients of the gateway are logging in; try again later")
        with ExitStack() as place:
            place.callback(self._logins.release)
            await tunnel.run(await self.upstream.open(address), headers, place.close)


async def begin(
    sock: socket.socket, tls: ssl.SSLContext | None, timeout: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin to talk to a client.

    Args:
        timeout: seconds that the TLS handshake may take.

    Raises:
        OSError: the client does not speak TLS, or is gone.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        set_keepalive(sock, KEEPALIVE)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=tls, ssl_handshake_timeout=timeout if tls else None
        )
    except BaseException:
        sock.close()
        raise
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close a connection, in a way that takes its time but ends."""
    if not writer.is_closing():  # to close TLS twice is no good: asyncio forgets what it has there
        writer.close()
    try:
        await within(CLOSE_TIMEOUT, writer.wait_closed())
    except (asyncio.TimeoutError, asyncio.CancelledError, OSError):
        reset(writer)


def to_text(body: object) -> str:
    """A body as JSON."""
    return json.dumps(body, ensure_ascii=False)


def log_mistake(what: str, error: Exception) -> None:
    """Log an exception that should not have been; without its message, which might quote what a client has sent."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", what, type(error).__name__, where.rstrip())


async def unless_gone(http: HTTPConnection, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, but drop it as soon as the client has closed the connection.

    Raises:
        OSError: the client has.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(http.until_gone())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ConnectionResetError("the client has not waited for the answer")
    finally:
        for each in (task, gone):
            each.cancel()
        del each
        await to_the_end(ignore(task, gone))
        del task, gone  # see `to_the_end`


async def ignore(*tasks: asyncio.Future[Any]) -> None:
    """Wait until tasks have ended, in whatever way."""
    await asyncio.gather(*tasks, return_exceptions=True)


def reachable(host: str) -> str:
    """The host of a URL for a server on this machine that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"[{address}]" if address.version == 6 else str(address)
