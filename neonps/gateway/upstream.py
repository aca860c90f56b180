"""The Postgres behind the gateway: sessions for SQL over HTTP, and byte streams for WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from .. import errors as e
from ..flows.connect import describe, open_session
from ..flows.requests import TLS
from ..net.addresses import unix_address
from ..net.aio import AsyncRunner
from ..net.tls import failure, ssl_context
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..settings import Settings, resolve
from .execution import run_batch
from .http import HTTPError
from .sqlhttp import Batch, Login, bad_request, postgres_error

#: Seconds that it may take to reach Postgres, or to have it take a cancel request.
CONNECT_TIMEOUT = 10.0

#: What the flow of a login says (as libpq does) when the server wants a password and there is none.
NO_PASSWORD = "no password supplied"

#: Names of this machine, which are as good as each other.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Stream:
    """A connection to Postgres on which nothing was said yet.

    Attributes:
        reader, writer: its two directions.
    """

    def __init__(
        self, settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._settings = settings
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, settings: Settings) -> Stream:
        """Connect to the server of `settings`, with TLS if they say so.

        Raises:
            OSError, ProtocolError: there is no way to it.
        """
        host = settings.hostaddr or settings.host
        if address := unix_address(host, settings.port):
            reader, writer = await asyncio.open_unix_connection(address)
        else:
            reader, writer = await asyncio.open_connection(host, settings.port)
        if settings.tls is not None:
            try:
                reader, writer = await secure(reader, writer, settings.tls)
            except BaseException:
                writer.transport.abort()
                raise
        return cls(settings, reader, writer)

    async def cancel(self, request: bytes) -> None:
        """Send a CancelRequest to the same server, on a connection of its own. Never fails."""
        with suppress(OSError, ProtocolError, asyncio.TimeoutError):
            await asyncio.wait_for(self._cancel(request), CONNECT_TIMEOUT)

    async def _cancel(self, request: bytes) -> None:
        stream = await self.open(self._settings)
        try:
            stream.writer.write(request)
            await stream.reader.read()  # the server closes when it has seen to it (PostgreSQL docs 53.2.8)
        finally:
            stream.close()

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()


async def secure(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: TLS
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin TLS on a new connection to Postgres (PostgreSQL docs 53.2.10), and give its two directions.

    Raises:
        OSError, ProtocolError: the server does not want it, or is not whom it should be.
    """
    writer.write(f.SSLRequest().encode())
    if await reader.read(1) != b"S":
        raise ProtocolError("the server does not support TLS, which is required")
    loop = asyncio.get_running_loop()
    secure_reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(secure_reader)
    try:
        transport = await loop.start_tls(
            writer.transport, protocol, ssl_context(tls), server_hostname=tls.server_hostname
        )
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        raise failure(error) from None
    assert transport is not None
    protocol.connection_made(transport)
    return secure_reader, asyncio.StreamWriter(transport, protocol, secure_reader, loop)


class Upstream:
    """A Postgres server, and how to get to it.

    Args:
        url: where it is, as `neonps.connect` takes it. It is the clients who bring users and passwords.
        allow: other servers, as "HOST:PORT", that clients may want their WebSockets to lead to.

    Raises:
        ProgrammingError: the URL is not valid.
    """

    def __init__(self, url: str, *, allow: Collection[str] = ()) -> None:
        self._url = url
        self.settings = self._resolve({})
        self._servers = {address.lower(): self._at(address) for address in allow}
        for host in self.settings.hosts:
            local = host.host.startswith(("/", "@")) or host.host in ("localhost", "127.0.0.1", "::1")
            settings = replace(self.settings, host=host.host, hostaddr=host.hostaddr, port=host.port)
            for name in LOOPBACK if local else (host.host,):
                self._servers.setdefault(f"{name}:{host.port}".lower(), settings)

    def _resolve(self, more: Mapping[str, str]) -> Settings:
        return resolve(self._url, {"connect_timeout": str(int(CONNECT_TIMEOUT)), **more, "transport": "tcp"})

    def _at(self, address: str) -> Settings:
        host, _, port = address.rpartition(":")
        return self._resolve({"host": host.strip("[]"), "hostaddr": "", "port": port})

    async def open(self, address: str | None = None) -> Stream:
        """A new connection, for a WebSocket, to the server at `address`, or to our own.

        Raises:
            HTTPError: nobody may go there, or it cannot be reached.
        """
        if address is None:
            servers = [
                replace(self.settings, host=host.host, hostaddr=host.hostaddr, port=host.port)
                for host in self.settings.hosts
            ]
        elif settings := self._servers.get(address.lower()):
            servers = [settings]
        else:
            raise HTTPError(403, {"msg": f"this gateway does not lead to {address}"})
        reasons = []
        for settings in servers:
            try:
                return await asyncio.wait_for(Stream.open(settings), CONNECT_TIMEOUT)
            except asyncio.TimeoutError:
                reasons.append(f"{settings.where} does not answer")
            except (OSError, ProtocolError) as error:
                reasons.append(f"connection to {settings.where} failed: {describe(error)}")
        raise HTTPError(503, {"msg": f"Postgres cannot be reached: {'; '.join(reasons)}"})

    async def run(self, login: Login, batch: Batch, max_size: int) -> str:
        """Log in, run a batch, and give the answer. If the task is cancelled, so is the statement that runs.

        Args:
            max_size: how large the rows may be all together, in bytes.

        Raises:
            HTTPError: an error is the answer.
        """
        # Not by way of `resolve`, to which no password is a reason to look for one in the environment.
        settings = replace(
            self._resolve({"user": login.user, "dbname": login.dbname, **login.parameters}),
            password=login.password or "",
        )
        runner = AsyncRunner()
        try:
            try:
                session = await runner.run(open_session(settings))
            except e.Error as error:
                if error.sqlstate is not None:
                    raise
                if NO_PASSWORD in str(error):
                    reason = f'password authentication failed for user "{login.user}": there is no password'
                    raise bad_request(reason) from None
                raise HTTPError(503, {"msg": str(error)}) from None
            try:
                return await runner.run(session.guard(run_batch(session, batch, max_size), None))
            finally:
                await runner.run(session.close())
        except e.Error as error:
            raise postgres_error(error) from None
        finally:
            runner.close()
