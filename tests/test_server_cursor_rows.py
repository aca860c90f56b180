"""No row of a server-side cursor is skipped: not by an interruption, and not by a row that cannot be loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from transports import Connect, Connection, on_sessions

import neonps
from neonps.adapt import Loader
from neonps.rows import scalar_row

#: Sleeps at 3, the first time, and does not let itself be cancelled.
NAP = """
create function pg_temp.nap(n int) returns int language plpgsql as $$
begin
    if n = 3 and current_setting('test.napped', true) is null then
        perform set_config('test.napped', 'yes', false);
        begin perform pg_sleep(100); exception when query_canceled then null; end;
    end if;
    return n;
end $$
"""

NUMBERS = "select pg_temp.nap(n) from generate_series(1, 7) n"

#: The second day is one that Python does not have.
DAYS = "select case n when 2 then 'infinity'::date else date '2000-01-01' + n end from generate_series(1, 4) n"

UNKNOWN = "it is unknown where the server has the cursor"


def day(number: int) -> date:
    return date(2000, 1, 1 + number)


class Picky(Loader):
    """Does not load an infinite day."""

    def load(self, data: Any) -> str:
        text = bytes(data).decode()
        if text == "infinity":
            raise neonps.DataError("no such day")
        return text


def interrupt(conn: Connection, call: Callable[[], object]) -> None:
    """Have the time of a call be over, though the server does all of it."""
    conn.timeout = 0.2
    with pytest.raises(neonps.OperationalError, match="had been completed before it could be cancelled"):
        call()
    conn.timeout = None


@on_sessions
@pytest.mark.parametrize("way", ["fetchone", "fetchmany", "fetchall", "next", "scroll"])
def test_an_interrupted_call(connect: Connect, way: str) -> None:
    conn = connect()
    conn.execute(NAP)
    with conn.cursor("numbers", scrollable=True, row_factory=scalar_row) as cursor:
        ways: dict[str, Callable[[], object]] = {
            "fetchone": cursor.fetchone,
            "fetchmany": lambda: cursor.fetchmany(2),
            "fetchall": cursor.fetchall,
            "next": lambda: next(cursor),
            "scroll": lambda: cursor.scroll(2),
        }
        cursor.execute(NUMBERS)
        assert cursor.fetchmany(2) == [1, 2]
        interrupt(conn, ways[way])
        for use in ways.values():
            with pytest.raises(neonps.OperationalError, match=UNKNOWN):
                use()
        assert cursor.rownumber == 2
        cursor.scroll(2, "absolute")
        assert cursor.fetchmany(2) == [3, 4]
        assert list(cursor) == [5, 6, 7]


@on_sessions
def test_what_has_come_before_can_still_be_fetched(connect: Connect) -> None:
    conn = connect()
    conn.execute(NAP)
    with conn.cursor("numbers", row_factory=scalar_row) as cursor:
        cursor.itersize = 2
        cursor.execute(NUMBERS)
        assert next(cursor) == 1
        interrupt(conn, lambda: cursor.fetchmany(3))
        assert (cursor.rownumber, cursor.fetchone()) == (1, 2)
        with pytest.raises(neonps.OperationalError, match=UNKNOWN):
            cursor.fetchone()


@on_sessions
def test_a_cursor_that_is_declared_anew(connect: Connect) -> None:
    conn = connect()
    conn.execute(NAP)
    with conn.cursor("numbers", row_factory=scalar_row) as cursor:
        interrupt(conn, cursor.execute(NUMBERS).fetchall)
        assert cursor.execute(NUMBERS).fetchall() == [1, 2, 3, 4, 5, 6, 7]


@on_sessions
def test_a_call_that_the_server_has_not_heard_of(connect: Connect) -> None:
    conn = connect()
    with conn.cursor("numbers", row_factory=scalar_row) as cursor:
        cursor.execute("select generate_series(1, 3)")
        with pytest.raises(neonps.NotSupportedError), conn.pipeline():
            cursor.fetchone()
        assert cursor.fetchall() == [1, 2, 3]


@on_sessions
def test_an_interrupted_call_with_asyncio(url: str, transport: str) -> None:
    async def use() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            await conn.execute(NAP)
            async with conn.cursor("numbers", scrollable=True, row_factory=scalar_row) as cursor:
                await cursor.execute(NUMBERS)
                assert await cursor.fetchmany(2) == [1, 2]
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(cursor.fetchmany(2), 0.2)
                with pytest.raises(neonps.OperationalError, match=UNKNOWN):
                    await cursor.fetchmany(2)
                with pytest.raises(neonps.OperationalError, match=UNKNOWN):
                    await cursor.__anext__()
                await cursor.scroll(2, "absolute")
                assert [number async for number in cursor] == [3, 4, 5, 6, 7]

    asyncio.run(use())


# Rows that cannot be loaded


@on_sessions
@pytest.mark.parametrize("way", ["fetchmany", "fetchall"])
def test_a_row_that_cannot_be_loaded(connect: Connect, way: str) -> None:
    """All is as before the call: the same rows come once they can be loaded."""
    with connect().cursor("days", row_factory=scalar_row) as cursor, pytest.MonkeyPatch.context() as patch:
        cursor.adapters.register_loader("date", Picky)
        cursor.execute(DAYS)
        for _ in range(2):
            with pytest.raises(neonps.DataError):
                cursor.fetchmany(3) if way == "fetchmany" else cursor.fetchall()
            assert cursor.rownumber == 0
        assert (cursor.fetchone(), cursor.rownumber) == ("2000-01-02", 1)
        patch.setattr(Picky, "load", lambda self, data: bytes(data).decode())
        assert cursor.fetchall() == ["infinity", "2000-01-04", "2000-01-05"]
        assert cursor.fetchone() is None


@on_sessions
def test_going_past_a_row_that_cannot_be_loaded(connect: Connect) -> None:
    """Forward only: the row is here already, so that the server need not go back."""
    with connect().cursor("days", scrollable=False, row_factory=scalar_row) as cursor:
        cursor.itersize = 3
        cursor.execute(DAYS)
        assert next(cursor) == day(1)
        for _ in range(2):
            with pytest.raises(neonps.DataError):
                next(cursor)
        cursor.scroll(1)
        assert (cursor.rownumber, next(cursor), next(cursor), next(cursor, None)) == (2, day(3), day(4), None)


@on_sessions
def test_rows_in_front_of_it_that_had_come(connect: Connect) -> None:
    def failing(cursor: Any) -> Callable[[Any], Any]:
        def make(values: Any) -> Any:
            if values[0] == 4:
                raise ZeroDivisionError
            return values[0]

        return make

    with connect().cursor("numbers", row_factory=failing) as cursor:
        cursor.itersize = 2
        cursor.execute("select generate_series(1, 6) as n")
        assert next(cursor) == 1
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                cursor.fetchmany(3)  # the first of them was fetched before
        assert cursor.rownumber == 1
        assert cursor.fetch_arrow_table()["n"].to_pylist() == [2, 3, 4, 5, 6]


@on_sessions
def test_a_row_factory_that_fails(connect: Connect) -> None:
    def failing(cursor: Any) -> Any:
        if cursor.pgresult.ntuples:
            raise ZeroDivisionError
        return scalar_row(cursor)

    with connect().cursor("numbers", row_factory=failing) as cursor:
        cursor.execute("select generate_series(1, 3)")
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                cursor.fetchmany(2)
        cursor.row_factory = lambda cursor: scalar_row(cursor)
        assert cursor.fetchall() == [1, 2, 3]


@on_sessions
def test_a_row_that_cannot_be_loaded_with_asyncio(url: str, transport: str) -> None:
    async def use() -> None:
        connection = await neonps.AsyncConnection.connect(url, transport=transport)
        async with connection, connection.cursor("days", scrollable=False, row_factory=scalar_row) as cursor:
            await cursor.execute(DAYS)
            for fetch in (lambda: cursor.fetchmany(2), cursor.fetchall):
                with pytest.raises(neonps.DataError):
                    await fetch()
            assert await cursor.fetchone() == day(1)
            await cursor.scroll(1)
            assert await cursor.fetchall() == [day(3), day(4)]

    asyncio.run(use())
