"""The gateway's sockets: takes connections, and finds who answers the requests on them."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import ssl
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import uuid4

from ..endpoint import is_loopback
from .cleanup import to_the_end
from .http import Headers, HTTPConnection, HTTPError, Request
from .sqlhttp import parse_batch, parse_login
from .upstream import Upstream
from .websocket import Tunnel

T = TypeVar("T")

logger = logging.getLogger("neonps.gateway")

#: The longest request and response, in bytes. The services have the same limits (64 MB and 10 MB).
MAX_REQUEST = 64 << 20
MAX_RESPONSE = 10 << 20

#: How many requests are at work in Postgres; the others wait. It takes 100 sessions unless told otherwise.
MAX_SESSIONS = 50

#: Seconds that a client may be silent between requests or within one.
IDLE_TIMEOUT = 60.0

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
        idle_timeout: seconds that a client may be silent between requests or within one.
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
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self.upstream = upstream
        self.host = host
        self.port = port
        self._tls = tls
        self._max_request = max_request
        self._max_response = max_response
        self._idle_timeout = idle_timeout
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._sessions = asyncio.Semaphore(MAX_SESSIONS)

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
        self._server = await asyncio.start_server(self._take_client, self.host, self.port, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, cancel what runs for clients, and leave them."""
        if self._server is None:
            return
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    async def _take_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._clients.add(task)
        try:
            await self._serve(HTTPConnection(reader, writer, idle_timeout=self._idle_timeout))
        except (asyncio.CancelledError, OSError):
            pass  # the gateway stops, or the client is gone: nobody waits for an answer
        except Exception:
            logger.exception("a client had to be left because of a mistake in the gateway")
        finally:
            writer.close()
            try:
                await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT)
            except (asyncio.TimeoutError, asyncio.CancelledError, OSError):
                writer.transport.abort()
            finally:
                self._clients.discard(task)

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
            except HTTPError as error:
                await http.respond(error.status, json.dumps(error.body, ensure_ascii=False), headers)

    async def _answer(self, http: HTTPConnection, request: Request, headers: Headers) -> bool:
        """Answer one request; gives whether there can be another after it.

        Raises:
            HTTPError: an error is the answer.
            OSError: the client is gone.
        """
        body = await http.body(request, self._max_request)
        if request.path in ("/v1", "/v2") and request.headers.get("upgrade", "").lower() == "websocket":
            await self._tunnel(http, request, headers)
            return False
        if request.path != "/sql" or request.method not in ("POST", "OPTIONS"):
            raise HTTPError(400, "query is not supported")
        if request.method == "OPTIONS":
            await http.respond(200, "", (*headers, *PREFLIGHT_HEADERS))
        else:
            await http.respond(200, await unless_gone(http, self._sql(request, body)), headers)
        return True

    async def _sql(self, request: Request, body: bytes) -> str:
        """The answer to what `POST /sql` asks for.

        Raises:
            HTTPError: an error is the answer.
        """
        login = parse_login(request.headers)
        batch = parse_batch(request.headers, body)
        async with self._sessions:
            try:
                return await self.upstream.run(login, batch, self._max_response)
            except HTTPError:
                raise
            except Exception:
                logger.exception("a request has failed because of a mistake in the gateway")
                raise HTTPError(500, {"msg": "a mistake in the gateway; its log says more"}) from None

    async def _tunnel(self, http: HTTPConnection, request: Request, headers: Headers) -> None:
        """Be a WebSocket from now on.

        Raises:
            HTTPError: an error is the answer.
        """
        tunnel = Tunnel(http, request)
        address = dict(parse_qsl(request.query, keep_blank_values=True)).get("address")
        if address is None and request.path == "/v1":
            raise HTTPError(400, {"msg": "the URL does not say where to go: /v1?address=HOST:PORT"})
        await tunnel.run(await self.upstream.open(address), headers)


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
        await to_the_end(ignore(task, gone))


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
