"""What holds a password, or a session that was opened with one, cannot be pickled, and not be copied either."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from shown import SECRET
from transports import Connection, on_sessions

import neonps
from neonps import pool
from neonps.hosts import Host
from neonps.proxies import parse_proxy
from neonps.settings import resolve

AsyncConnection = neonps.AsyncConnection[Any]


def check_refused(thing: object, name: str) -> None:
    """An object is not pickled, because it is, or leads to, one of the class `name`, which has a password in it."""
    message = rf"^cannot pickle {name}: there can be a password in it$"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=message):
            pickle.dumps(thing, protocol)
    for protocol in (0, 1):  # which do not know of slots, whatever is in them
        with pytest.raises(TypeError, match=rf"{message}|cannot be pickled with protocol|__slots__"):
            pickle.dumps(thing, protocol)
    with pytest.raises(TypeError, match=message):
        copy.deepcopy(thing)


#: What there is with a connection, and the class that refuses.
WITH_CONNECTION: dict[str, tuple[Callable[[Connection], Any], str]] = {
    "the connection": (lambda conn: conn, "Connection"),
    "a cursor": (lambda conn: conn.execute("select 1"), "Connection"),
    "a cursor that writes parameters": (lambda conn: neonps.ClientCursor(conn), "Connection"),
    "a raw cursor": (lambda conn: neonps.RawCursor(conn), "Connection"),
    "a method": (lambda conn: conn.execute, "Connection"),
    "info": (lambda conn: conn.info, "Settings"),
    "pgconn": (lambda conn: conn.pgconn, "Settings"),
    "settings": (lambda conn: conn._transport.settings, "Settings"),
    "the transport": (lambda conn: conn._transport, "Settings"),
    "a transaction": (lambda conn: conn.transaction(), "Connection"),
    "a pipeline": (lambda conn: conn.pipeline(), "Connection"),
}


@pytest.mark.parametrize("name", WITH_CONNECTION)
def test_with_a_connection(auto: Connection, name: str) -> None:
    make, refusing = WITH_CONNECTION[name]
    check_refused(make(auto), refusing)


@on_sessions
def test_with_a_session(auto: Connection) -> None:
    with auto.cursor("c") as cursor:
        check_refused(cursor, "Connection")
    check_refused(auto.cursor().copy("copy (select 1) to stdout"), "Connection")


def test_on_asyncio(url: str, transport: str) -> None:
    async def main() -> None:
        async with await AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            things = [conn, await conn.execute("select 1"), conn.transaction(), conn.pipeline(), conn.execute]
            if transport != "http":
                things.append(conn.cursor().copy("copy (select 1) to stdout"))
                async with conn.cursor("c") as cursor:
                    check_refused(cursor, "AsyncConnection")
            for thing in things:
                check_refused(thing, "AsyncConnection")
            check_refused(conn.info, "Settings")

    asyncio.run(main())


def test_a_connection_that_is_closed(url: str, transport: str) -> None:
    with neonps.connect(url, transport=transport) as conn:
        pass
    check_refused(conn, "Connection")
    check_refused(conn.info, "Settings")


def test_query_functions(url: str) -> None:
    with neonps.neon(url) as sql:
        for thing in (sql, sql.query, sql.transaction):
            check_refused(thing, "Settings")

    async def main() -> None:
        async with neonps.async_neon(url) as sql:
            for thing in (sql, sql.query, sql.transaction):
                check_refused(thing, "Settings")

    asyncio.run(main())


def test_settings() -> None:
    settings = resolve("host=db.example user=u", {"password": SECRET, "sslpassword": SECRET}, {})
    check_refused(settings, "Settings")
    check_refused(settings.hosts[0], "Host")
    check_refused(settings.tls, "TLS")
    check_refused(Host("h", None, 1, password=SECRET), "Host")
    check_refused(parse_proxy("http://u:x@p", "proxy"), "Proxy")


@pytest.mark.parametrize("name", ["ConnectionPool", "NullConnectionPool"])
def test_a_pool(name: str) -> None:
    connections = getattr(pool, name)(kwargs={"password": SECRET}, min_size=0, max_size=1, open=False)
    check_refused(connections, name)


@pytest.mark.parametrize("name", ["AsyncConnectionPool", "AsyncNullConnectionPool"])
def test_a_pool_on_asyncio(name: str) -> None:
    """One that is not open has nothing in it that could not be pickled but for that."""

    async def main() -> None:
        check_refused(getattr(pool, name)(kwargs={"password": SECRET}, min_size=0, max_size=1, open=False), name)

    asyncio.run(main())
