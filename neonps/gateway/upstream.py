"""The Postgres behind the gateway: sessions for SQL over HTTP, and byte streams for WebSockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from contextlib import suppress
from functools import partial

from .. import errors as e
from ..conninfo import conninfo_to_dict
from ..endpoint import is_loopback
from ..flows.connect import check_tls_answer, open_session
from ..flows.failures import describe
from ..flows.requests import TLS
from ..hosts import is_socket
from ..net.addresses import unix_address
from ..net.aio import AsyncRunner
from ..net.tls import check_alpn, failure, ssl_context
from ..protocol import frontend as f
from ..protocol.backend import ProtocolError
from ..settings import Settings, resolve
from .cleanup import Aside, within
from .execution import commit, most_received, run_batch
from .http import HTTPError, unavailable
from .room import Share, no_room
from .sqlhttp import Batch, Login, answer, bad_request, error_fields, postgres_error

#: Seconds that it may take to reach Postgres.
CONNECT_TIMEOUT = 10.0

#: Seconds that it may take to have Postgres take a cancel request.
CANCEL_TIMEOUT = 5.0

#: Seconds that Postgres may take to take the last bytes of a stream.
CLOSE_TIMEOUT = 2.0

#: How many times as much as its rows and the descriptions of columns an answer can have: names come with each row.
_AS_JSON = 4

#: What the flow of a login says (as libpq does) when the server wants a password and there is none.
NO_PASSWORD = "no password supplied"

#: What Postgres says when it takes no more sessions for now: there are too many, or it starts or shuts down.
UNAVAILABLE = ("53300", "57P01", "57P02", "57P03")

#: Names of this machine, which are as good as each other.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Stream:
    """A connection to Postgres on which nothing was said yet.

    Attributes:
        reader, writer: its two directions.
    """

    def __init__(self, settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._settings = settings
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, settings: Settings) -> Stream:
        """Connect to the server of `settings`, with TLS if they say so.

        Raises:
            OSError, ProtocolError: there is no way to it.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.Transport
        host = settings.hostaddr or settings.host
        if address := unix_address(host, settings.port):
            transport, _ = await loop.create_unix_connection(lambda: protocol, address)
        else:
            transport, _ = await loop.create_connection(lambda: protocol, host, settings.port)
            peer = transport.get_extra_info("peername")  # None if it has ended already
            if peer and is_loopback(host) and not is_loopback(peer[0]):
                transport.abort()  # the resolver has led us there
                raise ProtocolError(f"host {host!r} leads to another machine")
        if settings.tls is not None:
            try:
                reader, protocol, transport = await secure(reader, transport, settings.tls, direct=settings.direct_tls)
            except BaseException:
                transport.abort()
                raise
        # Only now: a writer that is dropped takes its transport with it.
        return cls(settings, reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def cancel(self, request: bytes) -> None:
        """Send a CancelRequest to the same server, on a connection of its own. Never fails."""
        with suppress(OSError, ProtocolError, asyncio.TimeoutError):
            await within(CANCEL_TIMEOUT, self._cancel(request))

    async def _cancel(self, request: bytes) -> None:
        stream = await self.open(self._settings)
        try:
            stream.writer.write(request)
            await stream.reader.read()  # the server closes when it has seen to it (PostgreSQL docs 53.2.8)
        finally:
            await stream.close()

    def drop(self) -> None:
        """Close the connection at once."""
        self.writer.transport.abort()

    async def close(self) -> None:
        """Send what is left to send, as far as the server takes it, and close the connection. Never fails."""
        self.writer.close()
        try:
            await within(CLOSE_TIMEOUT, self.writer.wait_closed())
        except (OSError, asyncio.TimeoutError):
            self.writer.transport.abort()


async def secure(
    reader: asyncio.StreamReader, transport: asyncio.Transport, tls: TLS, *, direct: bool = False
) -> tuple[asyncio.StreamReader, asyncio.StreamReaderProtocol, asyncio.Transport]:
    """Begin TLS on a new connection to Postgres (PostgreSQL docs 53.2.10); gives what takes the place of it.

    Args:
        direct: do not ask the server first.

    Raises:
        OSError, ProtocolError: the server does not want it, or is not the one that it should be.
    """
    if not direct:
        transport.write(f.SSLRequest().encode())
        check_tls_answer(await reader.read(2))
    secure_reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(secure_reader)
    try:
        secured = await asyncio.get_running_loop().start_tls(
            transport, protocol, ssl_context(tls), server_hostname=tls.server_hostname
        )
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        raise failure(error) from None
    assert secured is not None
    check_alpn(tls, secured.get_extra_info("ssl_object").selected_alpn_protocol())
    protocol.connection_made(secured)
    return secure_reader, protocol, secured


class Upstream:
    """A Postgres server, and how to get to it.

    Args:
        url: where it is, as `neonps.connect` takes it. It is the clients who bring users and passwords.
        allow: other servers, as "HOST:PORT", that clients may want their WebSockets to lead to.

    Raises:
        ProgrammingError: the URL is not valid.
        NotSupportedError: it names a proxy.
    """

    def __init__(self, url: str, *, allow: Collection[str] = ()) -> None:
        if conninfo_to_dict(url).get("proxy", "none") not in ("", "none"):
            raise e.NotSupportedError("proxy: the gateway connects to Postgres without one")
        settings = resolve(url, {"transport": "tcp", "proxy": ""})
        # Clients try again by themselves, and know for how long.
        self.settings = settings._replace(connect_timeout=settings.connect_timeout or CONNECT_TIMEOUT, patience=0.0)
        self._servers: dict[str, Settings] = {}
        for host in self.settings.hosts:
            names = LOOPBACK if is_socket(host.host) or is_loopback(host.host) else (host.host,)
            for name in names:
                self._servers.setdefault(f"{name}:{host.port}".lower(), self.settings.at(host))
        for address in allow:
            name, _, port = address.rpartition(":")
            there = {"transport": "tcp", "proxy": "", "host": name.strip("[]"), "hostaddr": "", "port": port}
            self._servers[address.lower()] = resolve(url, there)

    async def open(self, address: str | None = None) -> Stream:
        """A new connection, for a WebSocket, to the server at `address`, or to our own.

        Raises:
            HTTPError: nobody may go there, or it cannot be reached.
        """
        if address is None:
            servers = [self.settings.at(host) for host in self.settings.hosts]
        elif settings := self._servers.get(address.lower()):
            servers = [settings]
        else:
            raise HTTPError(403, {"msg": f"this gateway does not lead to {address}"})
        reasons = []
        for settings in servers:
            try:
                return await within(CONNECT_TIMEOUT, Stream.open(settings), Stream.drop)
            except asyncio.TimeoutError:
                reasons.append(f"{settings.where} does not answer")
            except (OSError, ProtocolError) as error:
                # asyncio puts the address into the message, instead of what is wrong.
                number = getattr(error, "errno", None)
                reason = os.strerror(number) if number else describe(error)
                reasons.append(f"connection to {settings.where} failed: {reason}")
        raise unavailable(f"Postgres cannot be reached: {'; '.join(reasons)}")

    async def run(self, login: Login, batch: Batch, max_size: int, share: Share, aside: Aside) -> str:
        """Log in, run a batch, and give the answer. If the task is cancelled, so is the statement that runs.

        Args:
            max_size: how large the rows and the descriptions of columns may be all together, in bytes; the answer can
                have `_AS_JSON` times as much.
            share: of the memory that there is for answers.
            aside: what makes large answers.

        Raises:
            HTTPError: an error is the answer.
        """
        # All that may come from our own URL and environment is replaced: the client has neither.
        settings = self.settings._replace(
            user=login.user,
            password=login.password,
            dbname=login.dbname,
            hosts=tuple(host._replace(password=login.password) for host in self.settings.hosts),
            options=login.parameters.get("options"),
            application_name=login.parameters.get("application_name"),
            client_encoding="UTF8",
            replication=None,
            session_settings={},
            pipeline_connect="off",
            lazy=False,
        )

        def grow(size: int, committed: bool) -> None:
            try:
                share.grow(size)
            except HTTPError:
                if batch.transaction is not None and not committed:
                    raise
                raise no_room() from None  # something may have been done for good

        runner = AsyncRunner()
        runner.most_ahead = most_received(batch, max_size)
        try:
            try:
                session = await runner.run(open_session(settings))
            except e.Error as error:
                if error.sqlstate in UNAVAILABLE:
                    raise unavailable(error_fields(error)) from None
                if error.sqlstate is not None:
                    raise
                if NO_PASSWORD in str(error):
                    reason = f'password authentication failed for user "{login.user}": there is no password'
                    raise bad_request(reason) from None
                raise unavailable(str(error)) from None
            try:
                found = await runner.run(session.guard(run_batch(session, batch, max_size, grow), None))
                make = partial(answer, batch, found.results, found.array_types, _AS_JSON * max_size)
                body = await aside.do(found.size, make)
                grow(found.size + len(body), found.committed)
                await runner.run(session.guard(commit(session, batch), None))
                return body
            finally:
                await runner.run(session.close())
        except e.OperationalError as error:
            if error.sqlstate is None:  # the connection is lost, or what comes on it makes no sense
                raise HTTPError(502, {"msg": str(error)}) from None
            raise postgres_error(error) from None
        except e.Error as error:
            raise postgres_error(error) from None
        finally:
            runner.close()
