"""`ServerCursor` as the `cursor_factory` of a connection: cursors without a name, as libraries ask for them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from transports import Connect, on_sessions, over_http

import neonps


def declared(conn: neonps.Connection[Any]) -> list[str]:
    """The cursors that there are on the server, but for the one that looks."""
    rows = neonps.Cursor(conn).execute("select name from pg_cursors where name <> '' order by creation_time").fetchall()
    return [name for (name,) in rows]


@on_sessions
def test_each_cursor_has_a_name_of_its_own(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    with conn.cursor() as one, conn.cursor() as other:
        assert isinstance(one, neonps.ServerCursor)
        assert isinstance(other, neonps.ServerCursor)
        for cursor in (one, other):
            cursor.execute("select n, n * 2 as double from generate_series(1, %s) n", [5])
            assert [column.name for column in cursor.description or ()] == ["n", "double"]
        assert one.fetchmany(2) == [(1, 2), (2, 4)]
        assert other.fetchmany(3) == [(1, 2), (2, 4), (3, 6)]
        assert one.fetchall() == [(3, 6), (4, 8), (5, 10)]
        assert declared(conn) == [one.name, other.name]
    assert declared(conn) == []


@on_sessions
def test_without_a_name_it_needs_no_closing(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    cursors = [conn.cursor().execute("select generate_series(1, 5)")]
    assert len(declared(conn)) == 1
    cursors.clear()
    gc.collect()
    assert declared(conn) == []


@on_sessions
def test_one_that_has_failed_needs_no_closing(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    with pytest.raises(neonps.errors.UndefinedTable):
        conn.cursor().execute("select * from missing")
    gc.collect()
    conn.rollback()
    assert conn.cursor().execute("select 1").fetchall() == [(1,)]


@on_sessions
def test_in_autocommit_mode_the_server_asks_for_a_transaction(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor, autocommit=True)
    with pytest.raises(neonps.errors.NoActiveSqlTransaction, match="DECLARE CURSOR"):
        conn.cursor().execute("select 1")
    with conn.transaction():
        assert conn.cursor().execute("select 1").fetchall() == [(1,)]


@on_sessions
def test_what_returns_no_rows_is_refused(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    with pytest.raises(neonps.ProgrammingError):
        conn.execute("create table never (a int)")
    conn.rollback()
    assert neonps.Cursor(conn).execute("select to_regclass('never')").fetchone() == (None,)


@on_sessions
def test_raw_server_cursor(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.RawServerCursor)
    assert conn.cursor().execute("select $1::int", [3]).fetchall() == [(3,)]


@over_http
def test_over_http(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    with pytest.raises(neonps.NotSupportedError, match="a server-side cursor"):
        conn.cursor().execute("select 1")


@on_sessions
def test_on_asyncio(url: str, transport: str) -> None:
    async def main() -> list[Any]:
        connection = await neonps.AsyncConnection.connect(
            url, transport=transport, cursor_factory=neonps.AsyncServerCursor
        )
        async with connection as conn:
            cursor = conn.cursor()
            await cursor.execute("select generate_series(1, 5)")
            return await cursor.fetchmany(2)

    assert asyncio.run(main()) == [(1,), (2,)]
