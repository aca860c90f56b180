"""`info.round_trips`, against what a relay sees: how many connections, and how often the client took the word."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import psycopg
import pytest
import trustme
from gateway_client import running, wait_for
from odd_websocket import OddWebSocket
from relay import Relay
from tls_postgres import TLSPostgres
from transports import Connect, Connection, on_sessions, over_http, over_tcp, over_websocket

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway, Upstream
from neonps.local import serve

AsyncConnection = neonps.AsyncConnection[Any]


def check(conn: Connection | AsyncConnection, relay: Relay, expected: int) -> None:
    """Both the driver and the relay have counted so many round trips since the connection was begun."""
    assert (conn.info.round_trips, relay.accepted + len(relay.sent)) == (expected, expected)


# Connecting

#: What it takes to open a TCP connection, and what is on it.
OPENING = {"tcp": 1, "websocket": 2}


@on_sessions
@pytest.mark.parametrize(
    ("keywords", "login"),
    [
        ({}, 3),
        ({"lazy": True}, 2),
        ({"pipeline_connect": "scram"}, 2),
        ({"pipeline_connect": "scram", "lazy": True}, 1),
    ],
)
def test_logging_in(relayed: Connect, relay: Relay, transport: str, keywords: dict[str, Any], login: int) -> None:
    conn = relayed(**keywords)
    check(conn, relay, OPENING[transport] + login)
    conn.execute("select 1")
    check(conn, relay, OPENING[transport] + login + 1)


@pytest.fixture(scope="module")
def trusting() -> Iterator[EmbeddedPostgres]:
    """A Postgres that asks for passwords in clear text."""
    with EmbeddedPostgres() as server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            (path,) = admin.execute("show hba_file").fetchone() or ()
            admin.execute("copy (select 'host all all 127.0.0.1/32 password') to '" + path + "'")
            admin.execute("select pg_reload_conf()")

        def reloaded() -> bool:
            try:
                neonps.connect(server.url, require_auth="password").close()
            except neonps.OperationalError:
                return False
            return True

        wait_for(reloaded)
        yield server


@on_sessions
@pytest.mark.parametrize(
    ("keywords", "login"),
    [
        ({}, 2),
        ({"lazy": True}, 1),
        ({"pipeline_connect": "password"}, 1),
        ({"pipeline_connect": "password", "lazy": True}, 0),
    ],
)
def test_logging_in_by_a_password(
    trusting: EmbeddedPostgres, transport: str, keywords: dict[str, Any], login: int
) -> None:
    with serve(trusting.url) as local:
        server = trusting if transport == "tcp" else local.gateway
        with Relay(server.host, server.port) as relay:
            way = {"port": relay.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"}
            arguments = {"transport": transport, "require_auth": "password", **way, **keywords}
            with neonps.connect(trusting.url, **arguments) as conn:
                assert conn.info.round_trips == OPENING[transport] + login
                conn.execute("select 1")
                check(conn, relay, OPENING[transport] + login + 1)


class Secured(NamedTuple):
    """Servers that speak TLS: the ports, and the path of their CA."""

    postgres: int
    gateway: int
    ca: str


@pytest.fixture(scope="module")
def secured(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    path = tmp_path_factory.mktemp("secured") / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(path))
    contexts = [ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2)]
    for context in contexts:
        context.num_tickets = 0  # which the server would send while the client takes the word
        authority.issue_cert("127.0.0.1").configure_cert(context)
    contexts[0].set_alpn_protocols(["postgresql"])
    gateway = Gateway(Upstream(postgres.url), tls=contexts[1])
    with closing(TLSPostgres(postgres, contexts[0])) as server, running(gateway):
        yield Secured(server.port, gateway.port, str(path))


@pytest.mark.parametrize(("version", "handshake"), [("TLSv1.3", 1), ("TLSv1.2", 2)])
@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_tls(dsn: str, secured: Secured, version: str, handshake: int, negotiation: str) -> None:
    with Relay("127.0.0.1", secured.postgres) as relay:
        keywords = {"sslmode": "require", "sslrootcert": secured.ca, "sslnegotiation": negotiation}
        keywords |= {"channel_binding": "disable", "ssl_max_protocol_version": version}
        with neonps.connect(dsn, port=relay.port, transport="tcp", **keywords) as conn:
            check(conn, relay, 1 + (negotiation == "postgres") + handshake + 3)


@pytest.mark.parametrize(
    ("transport", "keywords", "expected"),
    [
        ("websocket", {}, 7),
        ("websocket", {"pipeline_connect": "scram"}, 6),
        ("websocket", {"pipeline_connect": "scram", "lazy": True}, 5),
        ("http", {}, 3),
        ("tcp", {}, 7),
        ("tcp", {"pipeline_connect": "scram", "lazy": True}, 5),
        ("tcp", {"sslnegotiation": "direct"}, 6),
        ("tcp", {"sslnegotiation": "direct", "pipeline_connect": "scram", "lazy": True}, 4),
    ],
)
def test_the_first_row_with_tls(
    dsn: str, secured: Secured, transport: str, keywords: dict[str, Any], expected: int
) -> None:
    """From opening the socket to the first row, the statement being one of them."""
    with Relay("127.0.0.1", secured.postgres if transport == "tcp" else secured.gateway) as relay:
        way: dict[str, Any] = {"gateway": f"https://127.0.0.1:{relay.port}"}
        if transport == "tcp":
            way = {"port": relay.port, "sslmode": "require", "channel_binding": "disable"}
        arguments = {"transport": transport, "sslrootcert": secured.ca, "autocommit": True, **way, **keywords}
        with neonps.connect(dsn, **arguments) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
            check(conn, relay, expected)
            conn.execute("select 1")
            check(conn, relay, expected + 1)


@over_tcp
def test_servers_that_are_not_taken(relayed: Connect, relay: Relay) -> None:
    """They had to be waited for too: the first login is one too many, as there is no standby."""
    check(relayed(target_session_attrs="prefer-standby"), relay, 4 + 4)


@over_websocket
def test_pongs_do_not_count(transport: str, dsn: str, postgres: EmbeddedPostgres) -> None:
    with OddWebSocket(postgres.host, postgres.port, pings=True, fragment=7) as server:
        with neonps.connect(dsn, gateway=server.gateway, transport=transport, autocommit=True) as conn:
            assert conn.info.round_trips == 5
            conn.execute("select repeat('x', 1000)")
            assert conn.info.round_trips == 6
        assert len(server.pongs) > 10


# What is done with a connection


class Use(NamedTuple):
    """Something to do with a connection in autocommit mode, blocking and asyncio, and its round trips."""

    on: Callable[[Connection], Any]
    on_async: Callable[[AsyncConnection], Awaitable[Any]]
    session: int
    http: int | None = None


def transaction(conn: Connection) -> None:
    with conn.transaction():
        conn.execute("select 1")
        conn.execute("select 2")


async def transaction_async(conn: AsyncConnection) -> None:
    async with conn.transaction():
        await conn.execute("select 1")
        await conn.execute("select 2")


def commit(conn: Connection) -> None:
    conn.autocommit = False
    conn.execute("select pg_notify('nobody', 'x')")
    conn.commit()


async def commit_async(conn: AsyncConnection) -> None:
    await conn.set_autocommit(False)
    await conn.execute("select pg_notify('nobody', 'x')")
    await conn.commit()


def pipeline(conn: Connection) -> None:
    with conn.pipeline():
        cursors = [conn.execute("select %s::int", [n]) for n in range(10)]
    assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(10)]


async def pipeline_async(conn: AsyncConnection) -> None:
    async with conn.pipeline():
        cursors = [await conn.execute("select %s::int", [n]) for n in range(10)]
    assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(10)]


def copy_in(conn: Connection) -> None:
    conn.execute("create temporary table copied (a text)")
    with conn.cursor().copy("copy copied from stdin") as copy:
        for _ in range(100):
            copy.write_row(["x" * 100])


async def copy_in_async(conn: AsyncConnection) -> None:
    await conn.execute("create temporary table copied (a text)")
    async with conn.cursor().copy("copy copied from stdin") as copy:
        for _ in range(100):
            await copy.write_row(["x" * 100])


def copy_out(conn: Connection) -> None:
    with conn.cursor().copy("copy (select generate_series(1, 10000)) to stdout") as copy:
        assert len(list(copy)) == 10000


async def copy_out_async(conn: AsyncConnection) -> None:
    async with conn.cursor().copy("copy (select generate_series(1, 10000)) to stdout") as copy:
        assert len([row async for row in copy]) == 10000


def failing(conn: Connection) -> None:
    with pytest.raises(neonps.DataError):
        conn.execute("select 1 / 0")


async def failing_async(conn: AsyncConnection) -> None:
    with pytest.raises(neonps.DataError):
        await conn.execute("select 1 / 0")


def server_cursor(conn: Connection) -> None:
    with conn.transaction(), conn.cursor("rows") as cursor:
        cursor.execute("select generate_series(1, 10)")
        assert len(cursor.fetchall()) == 10


async def server_cursor_async(conn: AsyncConnection) -> None:
    async with conn.transaction(), conn.cursor("rows") as cursor:
        await cursor.execute("select generate_series(1, 10)")
        assert len(await cursor.fetchall()) == 10


MANY = "select %s::int", [(n,) for n in range(10)]

USES = {
    "query": Use(lambda conn: conn.execute("select 1"), lambda conn: conn.execute("select 1"), 1, 1),
    "many rows": Use(
        lambda conn: conn.execute("select repeat('x', 1000) from generate_series(1, 10000)"),
        lambda conn: conn.execute("select repeat('x', 1000) from generate_series(1, 10000)"),
        1,
        1,
    ),
    "a large parameter": Use(
        lambda conn: conn.execute("select length(%s)", ["x" * 1000000]),
        lambda conn: conn.execute("select length(%s)", ["x" * 1000000]),
        1,
        1,
    ),
    "an error": Use(failing, failing_async, 1, 1),
    "executemany": Use(
        lambda conn: conn.cursor().executemany(*MANY), lambda conn: conn.cursor().executemany(*MANY), 1, 1
    ),
    "batch": Use(
        lambda conn: conn.batch(["select 1", "select 2"]), lambda conn: conn.batch(["select 1", "select 2"]), 1, 1
    ),
    "commit": Use(commit, commit_async, 2, 1),
    "transaction": Use(transaction, transaction_async, 3, 1),
    "pipeline": Use(pipeline, pipeline_async, 1, 1),
    "copy in": Use(copy_in, copy_in_async, 3),
    "copy out": Use(copy_out, copy_out_async, 1),
    # DECLARE, FETCH, and COMMIT with CLOSE before it
    "server-side cursor": Use(server_cursor, server_cursor_async, 3),
}

each_use = pytest.mark.parametrize(
    ("use", "transport"),
    [
        pytest.param(use, transport, id=f"{name}, {transport}")
        for name, use in USES.items()
        for transport in ("tcp", "websocket", "http")
        if transport != "http" or use.http is not None
    ],
)


def expected_of(use: Use, transport: str) -> int:
    return use.session if transport != "http" else use.http or 0


@each_use
def test_uses(relayed: Connect, relay: Relay, transport: str, use: Use) -> None:
    conn = relayed(autocommit=True)
    conn.execute("select 1")
    before = conn.info.round_trips
    check(conn, relay, before)
    use.on(conn)
    check(conn, relay, before + expected_of(use, transport))


@each_use
def test_uses_on_asyncio(url: str, relay: Relay, transport: str, use: Use) -> None:
    way = {"port": relay.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{relay.port}"}

    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True, **way) as conn:
            await conn.execute("select 1")
            before = conn.info.round_trips
            check(conn, relay, before)
            await use.on_async(conn)
            check(conn, relay, before + expected_of(use, transport))

    asyncio.run(main())


@on_sessions
def test_many_statements_are_sent_without_waiting(relayed: Connect) -> None:
    """The server answers in between, so that the relay has no say in it."""
    conn = relayed(autocommit=True)
    before = conn.info.round_trips
    conn.cursor().executemany("select %s", [("x" * 1000,) for _ in range(3000)])
    assert conn.info.round_trips == before + 1
    with conn.pipeline():
        for _ in range(3000):
            conn.execute("select %s", ["x" * 1000])
    assert conn.info.round_trips == before + 2


@on_sessions
def test_what_the_server_says_of_its_own_accord(relayed: Connect, relay: Relay, admin: Any) -> None:
    conn = relayed(autocommit=True)
    conn.execute("listen news")
    before = conn.info.round_trips
    admin.execute("notify news")
    assert len(list(conn.notifies(timeout=30, stop_after=1))) == 1
    check(conn, relay, before)


@over_http
def test_requests(relayed: Connect, relay: Relay) -> None:
    conn = relayed(autocommit=True)
    check(conn, relay, 0)
    conn.execute("select 1")
    check(conn, relay, 2)
    conn.execute("select 1")
    check(conn, relay, 3)
    relay.cut()
    conn.execute("select 1")
    check(conn, relay, 5)
    conn.close()
    assert conn.info.round_trips == 5
