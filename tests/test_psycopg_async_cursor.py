"""The cursors of `AsyncConnection` as psycopg has them."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from backends import Admin, wait_until_sleeping
from peers import Peer

Main = Callable[[Any], Awaitable[None]]


def run(peer: Peer, main: Main, **keywords: Any) -> None:
    """Run `main` with a connection, in autocommit mode unless told otherwise."""

    async def body() -> None:
        conn = await peer.connect_async(**{"autocommit": True, **keywords})
        try:
            await main(conn)
        finally:
            await conn.close()

    asyncio.run(body())


NAMES = ["AsyncCursor", "AsyncClientCursor", "AsyncRawCursor", "AsyncServerCursor", "AsyncRawServerCursor"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_a_coroutine(peer: Peer, name: str) -> None:
    cls = getattr(peer.module, name)
    for method in ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "scroll", "close", "set_result"):
        assert inspect.iscoroutinefunction(getattr(cls, method)), method
    for method in ("nextset", "setinputsizes", "setoutputsize"):
        assert not inspect.iscoroutinefunction(getattr(cls, method)), method
    assert not hasattr(cls, "__enter__")
    assert not hasattr(cls, "__iter__")


def test_execute_and_fetch(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor()
        assert type(cursor) is peer.module.AsyncCursor
        assert cursor.connection is conn
        assert (cursor.description, cursor.rowcount, cursor.rownumber) == (None, -1, None)
        assert await cursor.execute("select generate_series(1, %s) as a", (9,)) is cursor
        assert [column.name for column in cursor.description] == ["a"]
        assert (cursor.rowcount, cursor.rownumber, cursor.statusmessage) == (9, 0, "SELECT 9")
        assert await cursor.fetchone() == (1,)
        assert await cursor.fetchmany(2) == [(2,), (3,)]
        cursor.arraysize = 2
        assert await cursor.fetchmany() == [(4,), (5,)]
        assert await anext(cursor) == (6,)
        async for row in cursor:
            assert row == (7,)
            break
        assert [row async for row in cursor] == [(8,), (9,)]
        assert (await cursor.fetchone(), await cursor.fetchmany(2), await cursor.fetchall()) == (None, [], [])
        with pytest.raises(StopAsyncIteration):
            await anext(cursor)
        await cursor.scroll(0, "absolute")
        await cursor.scroll(1)
        assert await cursor.fetchone() == (2,)
        with pytest.raises(IndexError, match="position out of bound"):
            await cursor.scroll(100)
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    run(peer, main)


def test_aiter_is_the_cursor(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = await conn.execute("select 1")
        assert aiter(cursor) is cursor
        assert isinstance(cursor, AsyncIterator)

    run(peer, main)


def test_fetch_without_result(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        uses: list[tuple[str, tuple[Any, ...]]] = [
            ("fetchone", ()),
            ("fetchmany", (2,)),
            ("fetchall", ()),
            ("__anext__", ()),
            ("scroll", (1,)),
        ]
        for name, args in uses:
            with pytest.raises(peer.module.ProgrammingError, match="no result available"):
                await getattr(conn.cursor(), name)(*args)
            cursor = await conn.execute("set work_mem = '5MB'")
            with pytest.raises(peer.module.ProgrammingError, match=r"didn't produce records \(command status: SET\)"):
                await getattr(cursor, name)(*args)

    run(peer, main)


def test_several_results(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = await conn.execute("select 1; set work_mem = '5MB'; select 2, 3")
        assert await cursor.fetchall() == [(1,)]
        assert cursor.nextset() is True
        assert cursor.nextset() is True
        assert await cursor.fetchall() == [(2, 3)]
        assert cursor.nextset() is None
        assert await (await cursor.set_result(0)).fetchone() == (1,)
        assert await cursor.set_result(-1) is cursor
        with pytest.raises(IndexError, match="index 3 out of range: 3 result"):
            await cursor.set_result(3)
        await cursor.set_result(0)
        found = []
        async for each in cursor.results():
            assert each is cursor
            found.append(each.statusmessage)
        assert found == ["SELECT 1", "SET", "SELECT 1"]

    run(peer, main)


def test_executemany(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor()
        await cursor.execute("create temp table t (a int primary key)")
        assert await cursor.executemany("insert into t values (%s)", [(1,), (2,)]) is None
        assert (cursor.rowcount, cursor.statusmessage, cursor.description) == (2, "INSERT 0 1", None)
        await cursor.executemany("insert into t values (%s) returning a", ((i,) for i in (3, 4)), returning=True)
        assert [await each.fetchone() async for each in cursor.results()] == [(3,), (4,)]
        with pytest.raises(peer.module.errors.UniqueViolation):
            await cursor.executemany("insert into t values (%s)", [(5,), (1,)])
        await cursor.executemany("insert into t values (%s)", [])
        assert cursor.rowcount == 0
        assert await (await conn.execute("select count(*) from t")).fetchone() == (4,)

    run(peer, main)


def test_row_factories(peer: Peer) -> None:
    rows = peer.submodule("rows")

    async def main(conn: Any) -> None:
        cursor = conn.cursor(row_factory=rows.dict_row)
        assert await (await cursor.execute("select 1 as a")).fetchall() == [{"a": 1}]
        cursor.row_factory = rows.scalar_row
        await cursor.scroll(0, "absolute")
        assert await cursor.fetchone() == 1
        conn.row_factory = rows.namedtuple_row
        assert (await (await conn.execute("select 1 as a")).fetchone()).a == 1
        async with peer.module.AsyncCursor(conn, row_factory=lambda cursor: lambda values: None) as cursor:
            await cursor.execute("select generate_series(1, 3)")
            assert [row async for row in cursor] == [None] * 3

    run(peer, main)


def test_binary_and_prepare(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor(binary=True)
        await cursor.execute("select %s::int", (1,), prepare=True)
        assert (cursor.pgresult.get_value(0, 0), await cursor.fetchone()) == (b"\0\0\0\1", (1,))
        await cursor.execute("select %s::int", (1,), prepare=True, binary=False)
        assert cursor.pgresult.get_value(0, 0) == b"1"
        found = await conn.execute("select statement from pg_prepared_statements", prepare=False)
        assert await found.fetchall() == [("select $1::int",)]
        for _ in range(6):
            await conn.execute("select 2")
        found = await conn.execute("select count(*) from pg_prepared_statements", prepare=False)
        assert await found.fetchone() == (2,)

    run(peer, main)


def test_errors(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor()
        for query, params, error in [
            ("selec 1", None, peer.module.errors.SyntaxError),
            ("select 1 / %s", (0,), peer.module.errors.DivisionByZero),
            ("select %s", (), peer.module.ProgrammingError),
            ("select %s", (object(),), peer.module.ProgrammingError),
            ("select %s", "x", TypeError),
            ("copy (select 1) to stdout", None, None),
        ]:
            if error is not None:
                with pytest.raises(error):
                    await cursor.execute(query, params)
                assert cursor.description is None
                assert conn.info.transaction_status.name == "IDLE"
        assert await (await cursor.execute("select 1")).fetchone() == (1,)

    run(peer, main)


def test_close(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with conn.cursor() as cursor:
            await cursor.execute("select 1")
        assert cursor.closed
        await cursor.close()
        for use in (
            lambda: cursor.execute("select 1"),
            lambda: cursor.executemany("select 1", [()]),
            lambda: cursor.fetchone(),
            lambda: cursor.fetchmany(1),
            lambda: cursor.fetchall(),
            lambda: cursor.scroll(0),
            lambda: anext(cursor),
        ):
            with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
                await use()
        with pytest.raises(ZeroDivisionError):
            async with conn.cursor() as cursor:
                raise ZeroDivisionError
        assert cursor.closed

    run(peer, main)


def test_closed_connection(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = await conn.execute("select generate_series(1, 3)")
        await conn.close()
        assert await cursor.fetchone() == (1,)
        assert [row async for row in cursor] == [(2,), (3,)]
        for use in (cursor.execute, conn.execute):
            with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
                await use("select 1")
        with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
            conn.cursor()

    run(peer, main)


def test_repr(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        name = peer.module.__name__
        assert repr(conn.cursor()).startswith(f"<{name}.AsyncCursor [no result] [IDLE] (")
        async with conn.cursor("named") as cursor:
            assert repr(cursor).startswith(f"<{name}.AsyncServerCursor 'named' [no result] [IDLE] (")

    run(peer, main)


def test_cursor_factories(peer: Peer) -> None:
    class Mine(peer.module.AsyncCursor):  # type: ignore[misc]
        pass

    class Named(peer.module.AsyncServerCursor):  # type: ignore[misc]
        pass

    async def main(conn: Any) -> None:
        assert type(conn.cursor()) is Mine
        assert type(await conn.execute("select 1")) is Mine
        assert conn.server_cursor_factory is peer.module.AsyncServerCursor
        conn.server_cursor_factory = Named
        async with conn.cursor("named", withhold=True) as cursor:
            assert type(cursor) is Named
            await cursor.execute("select 1")

    run(peer, main, cursor_factory=Mine)


def test_client_cursor(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        assert type(conn.cursor()) is peer.module.AsyncClientCursor
        cursor = await conn.execute("select %s; select %s", (1, "it's"))
        assert cursor.nextset()
        assert await cursor.fetchone() == ("it's",)
        assert cursor.mogrify("select %s", ("it's",)) == "select 'it''s'"
        await cursor.execute("create temp table t (a int default %s)", (5,))
        await cursor.executemany("insert into t values (%s) returning a", [(1,), (2,)], returning=True)
        assert [await each.fetchone() async for each in cursor.results()] == [(1,), (2,)]
        with pytest.raises(peer.module.NotSupportedError, match="client-side cursors don't support binary results"):
            await cursor.execute("select 1", binary=True)

    run(peer, main, cursor_factory=peer.module.AsyncClientCursor)


def test_raw_cursor(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with peer.module.AsyncRawCursor(conn) as cursor:
            await cursor.execute("select $1, '%s', $2", [1, "x"])
            assert await cursor.fetchone() == (1, "%s", "x")
            with pytest.raises(TypeError, match="raw queries require a sequence of parameters"):
                await cursor.execute("select $1", {"a": 1})
        async with peer.module.AsyncRawServerCursor(conn, "named", withhold=True) as cursor:
            await cursor.execute("select generate_series(1, $1)", [3])
            assert [row async for row in cursor] == [(1,), (2,), (3,)]

    run(peer, main)


def test_server_cursor(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with conn.cursor("named", scrollable=True) as cursor:
            assert type(cursor) is peer.module.AsyncServerCursor
            assert (cursor.name, cursor.scrollable, cursor.withhold, cursor.itersize) == ("named", True, False, 100)
            assert await cursor.execute("select generate_series(1, %s) as a", (9,)) is cursor
            assert cursor.description[0].name == "a"
            assert await cursor.fetchone() == (1,)
            assert await cursor.fetchmany(2) == [(2,), (3,)]
            assert cursor.rownumber == 3
            cursor.itersize = 2
            assert [row[0] async for row in cursor] == [4, 5, 6, 7, 8, 9]
            assert cursor.rownumber == 9
            await cursor.scroll(1, "absolute")
            assert cursor.rownumber == 1
            assert await cursor.fetchone() == (2,)
            await cursor.scroll(2)
            assert await cursor.fetchone() == (5,)
            with pytest.raises(peer.module.NotSupportedError, match="executemany not supported on server-side cursors"):
                await cursor.executemany("select %s", [(1,)])
        assert cursor.closed
        found = await conn.execute("select name from pg_cursors where name = 'named'")
        assert await found.fetchall() == []
        with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
            await cursor.fetchone()

    run(peer, main, autocommit=False)


def test_server_cursor_with_hold(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with conn.cursor("named", withhold=True) as cursor:
            await cursor.execute("select generate_series(1, 5)")
            await conn.commit()
            assert await cursor.fetchone() == (1,)
            async for row in cursor:
                await conn.execute("select 1")
                if row == (3,):
                    break
            await conn.commit()
            assert [row async for row in cursor] == [(4,), (5,)]
        await conn.commit()
        async with conn.cursor("named") as cursor:
            await cursor.execute("select 1")
            await conn.commit()
            with pytest.raises(peer.module.errors.InvalidCursorName):
                await cursor.fetchone()
            await conn.rollback()

    run(peer, main, autocommit=False)


def test_server_cursor_in_autocommit(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with conn.cursor("named") as cursor:
            with pytest.raises(peer.module.errors.NoActiveSqlTransaction):
                await cursor.execute("select 1")
        async with conn.transaction():
            async with conn.cursor("named") as cursor:
                await cursor.execute("select generate_series(1, 3)")
                assert await cursor.fetchall() == [(1,), (2,), (3,)]

    run(peer, main)


def test_stealing_a_cursor(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        await conn.execute("declare other scroll cursor for select generate_series(1, 5) as a")
        async with conn.cursor("other") as cursor:
            assert await cursor.fetchone() == (1,)
            assert [row async for row in cursor] == [(2,), (3,), (4,), (5,)]

    run(peer, main, autocommit=False)


def test_warning_when_a_server_cursor_is_left_open(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursors = [conn.cursor("named")]
        await cursors[0].execute("select 1")
        with pytest.warns(ResourceWarning, match=r"AsyncServerCursor .* was deleted while still open"):
            cursors.clear()
        gc.collect()

    run(peer, main, autocommit=False)


def test_loaders_registered_after_the_query(peer: Peer) -> None:
    class Shout(peer.submodule("adapt").Loader):  # type: ignore[misc]
        def load(self, data: Any) -> str:
            return bytes(data).decode().upper()

    async def main(conn: Any) -> None:
        cursor = await conn.execute("select 'a'::text union all select 'b' order by 1")
        assert await cursor.fetchone() == ("a",)
        cursor.adapters.register_loader("text", Shout)
        assert await cursor.fetchone() == ("B",)

    run(peer, main)


def test_many_tasks_on_one_connection(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async def one(i: int) -> Any:
            async with conn.cursor() as cursor:
                await cursor.execute("select %s, pg_sleep(0.001)", (i,))
                return (await cursor.fetchone())[0]

        assert await asyncio.gather(*(one(i) for i in range(20))) == list(range(20))

    run(peer, main)


def test_tasks_with_executemany_and_copy(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        await conn.execute("create temp table t (a int)")

        async def many(i: int) -> None:
            await conn.cursor().executemany("insert into t values (%s)", [(i,)] * 10)

        async def copied(i: int) -> None:
            async with conn.cursor().copy("copy t from stdin") as copy:
                for _ in range(10):
                    await copy.write_row((i,))
                    await asyncio.sleep(0)

        await asyncio.gather(*(work(i) for i in range(5) for work in (many, copied)))
        found = await conn.execute("select a, count(*) from t group by a order by a")
        assert await found.fetchall() == [(i, 20) for i in range(5)]

    run(peer, main)


def test_task_is_cancelled(peer: Peer, admin: Admin) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor()
        task = asyncio.create_task(cursor.execute("select pg_sleep(1000)"))
        # A server that is asked to cancel before it has begun has nothing to cancel.
        await asyncio.to_thread(wait_until_sleeping, admin, conn.info.backend_pid)
        assert conn.info.transaction_status.name == "ACTIVE"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert conn.info.transaction_status.name == "IDLE"
        assert await (await cursor.execute("select 1")).fetchone() == (1,)

    run(peer, main)


def test_timeout(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        with pytest.raises((TimeoutError, asyncio.TimeoutError)):
            await asyncio.wait_for(conn.execute("select pg_sleep(1000)"), 0.2)
        assert conn.info.transaction_status.name == "INERROR"
        await conn.rollback()
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    run(peer, main, autocommit=False)


def test_executemany_is_cancelled(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        cursor = conn.cursor()
        with pytest.raises((TimeoutError, asyncio.TimeoutError)):
            await asyncio.wait_for(cursor.executemany("select pg_sleep(%s)", [(0,), (1000,), (1000,)]), 0.2)
        assert await (await cursor.execute("select 1")).fetchone() == (1,)

    run(peer, main)


def test_pipeline(peer: Peer) -> None:
    async def main(conn: Any) -> None:
        async with conn.pipeline():
            cursors = [await conn.execute("select %s", (i,)) for i in range(10)]
            assert await cursors[3].fetchone() == (3,)
        assert [await cursor.fetchall() for cursor in cursors[5:]] == [[(i,)] for i in range(5, 10)]

    run(peer, main)
