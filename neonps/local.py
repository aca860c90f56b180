"""A server for development and tests: an embedded Postgres, or one of yours, behind the gateway."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from concurrent.futures import Future
from types import TracebackType
from urllib.parse import quote

from .embedded import EmbeddedPostgres
from .gateway import Gateway, Upstream
from .gateway.server import MAX_SESSIONS
from .settings import Settings


class LocalServerError(Exception):
    """The server cannot be started; the message says why."""


def serve(
    postgres: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls_cert: str | os.PathLike[str] | None = None,
    tls_key: str | os.PathLike[str] | None = None,
    max_connections: int | None = None,
    max_sessions: int = MAX_SESSIONS,
) -> LocalServer:
    """A Postgres that can be reached over HTTP and WebSockets while the context that this manages lasts.

    `with neonps.local.serve() as server: neonps.connect(server.url)` is all that it takes.

    Args:
        postgres: the URL of a Postgres; None is for an embedded one.
        data_dir: the directory where the embedded one keeps its data; None is for a temporary one.
        host, port: where the gateway listens; with port 0 the system picks one.
        tls_cert, tls_key: PEM files with a certificate and its key, for a gateway that speaks HTTPS and WSS.
            The key may be in the certificate's file.
        max_connections: how many clients the gateway has at a time; others are answered by 503. None is for 1,000,
            or as many as the limit of the system on open files allows.
        max_sessions: how many requests over HTTP are at work in Postgres at a time; the others wait.

    Raises:
        LocalServerError: on entering the context; the gateway cannot be started.
        EmbeddedPostgresError: on entering the context; the embedded Postgres cannot be started.
        ProgrammingError: on entering the context; `postgres` is not a valid URL.
    """
    return LocalServer(postgres, data_dir, host, port, tls_cert, tls_key, max_connections, max_sessions)


class LocalServer:
    """What `serve()` returns; its arguments are those of `serve()`.

    Attributes:
        url: for `neonps.connect`, `postgresql://USER:PASSWORD@HOST:PORT/DBNAME?gateway=http://HOST:PORT`.
        postgres: the embedded Postgres; None when there is none.
        gateway: the gateway, with a `url` of its own.
    """

    url: str
    gateway: Gateway

    def __init__(
        self,
        postgres: str | None,
        data_dir: str | os.PathLike[str] | None,
        host: str,
        port: int,
        tls_cert: str | os.PathLike[str] | None,
        tls_key: str | os.PathLike[str] | None,
        max_connections: int | None,
        max_sessions: int,
    ) -> None:
        self.postgres = EmbeddedPostgres(data_dir) if postgres is None else None
        self._postgres_url = postgres or ""
        self._host = host
        self._port = port
        self._tls_files = (tls_cert, tls_key)
        self._max_connections = max_connections
        self._max_sessions = max_sessions
        self._thread = GatewayThread()

    def __enter__(self) -> LocalServer:
        try:
            tls = self._tls_context()
            if self.postgres is not None:
                self.postgres.start()
                self._postgres_url = self.postgres.url
            upstream = Upstream(self._postgres_url)
            self.gateway = Gateway(
                upstream,
                host=self._host,
                port=self._port,
                tls=tls,
                max_connections=self._max_connections,
                max_sessions=self._max_sessions,
            )
            try:
                self._thread.start(self.gateway)
            except (OSError, OverflowError) as error:
                where = f"{self._host}:{self._port}"
                reason = getattr(error, "strerror", None) or error
                raise LocalServerError(f"the gateway cannot listen on {where}: {reason}") from None
            self.url = gateway_url(upstream.settings, self.gateway)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the gateway, and the embedded Postgres if there is one."""
        self._thread.stop()
        if self.postgres is not None:
            self.postgres.stop()

    def _tls_context(self) -> ssl.SSLContext | None:
        certificate, key = self._tls_files
        if certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:  # ssl.SSLError is one
            files = f"{certificate} and {key}" if key else str(certificate)
            raise LocalServerError(f"no certificate and key in {files}: {error.strerror or error}") from None
        return context


class GatewayThread:
    """Runs a gateway in a thread, with an event loop of its own."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self, gateway: Gateway) -> None:
        """Start `gateway`, and return once it listens.

        Raises:
            OSError: it cannot listen where it is to.
        """
        started: Future[None] = Future()
        # A daemon, so that a program that forgets to stop it can still end.
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._main(gateway, started),), name="neonps gateway", daemon=True
        )
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """Stop the gateway, and return once it is gone."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    async def _main(self, gateway: Gateway, started: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            await gateway.start()
        except BaseException as error:
            self._loop = None
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stopping.wait()
        await gateway.stop()
        self._loop = None


def gateway_url(settings: Settings, gateway: Gateway) -> str:
    """The URL by which `neonps.connect` gets to the server of `settings` through `gateway`."""
    host = settings.host if settings.host and settings.host[0] not in "/@" else "localhost"
    if ":" in host:
        host = f"[{host}]"
    login, dbname = quote(settings.user, safe=""), quote(settings.dbname, safe="")
    if settings.password is not None:
        login += f":{quote(settings.password, safe='')}"
    url = f"postgresql://{login}@{host}:{settings.port}/{dbname}?gateway={gateway.url}"
    # Whoever lets it listen to the network without TLS means it, and the client has to be told so.
    return url if gateway.is_private else f"{url}&sslmode=disable"
