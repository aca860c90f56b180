"""AsyncConnection over HTTP does what Connection does there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from transports import Numbers

import neonps

Admin = psycopg.Connection[Any]
INSERT = "insert into numbers values (%s)"


@pytest.fixture
def run(url: str) -> Callable[..., Any]:
    """Runs a coroutine function on an AsyncConnection over HTTP, which it is called with."""

    def run(work: Callable[[neonps.AsyncConnection[Any]], Awaitable[Any]], **kwargs: Any) -> Any:
        async def main() -> Any:
            async with await neonps.AsyncConnection.connect(url, transport="http", **kwargs) as conn:
                return await work(conn)

        return asyncio.run(main())

    return run


def test_statements(numbers: Numbers, run: Callable[..., Any]) -> None:
    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        cursor = await conn.execute("select generate_series(1, %s)", [3])
        assert await cursor.fetchone() == (1,)
        assert [row async for row in cursor] == [(2,), (3,)]
        insert = await conn.execute("insert into numbers values (1) returning a")
        with pytest.raises(neonps.NotSupportedError, match=r"after commit\(\)"):
            await insert.fetchone()
        await conn.commit()
        assert await insert.fetchone() == (1,)
        await conn.execute(INSERT, [2])
        await conn.rollback()
        assert [row async for row in conn.cursor().stream("select generate_series(1, 3)")] == [(1,), (2,), (3,)]

    run(work)
    assert numbers() == [1]


def test_blocks_and_batches(numbers: Numbers, run: Callable[..., Any]) -> None:
    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        async with conn.transaction():
            await conn.execute(INSERT, [1])
        async with conn.pipeline():
            cursor = await conn.execute("insert into numbers values (2) returning a")
        assert await cursor.fetchall() == [(2,)]
        one, two = await conn.batch([(INSERT, [3]), "select count(*) from numbers"])
        assert one.rowcount == 1
        assert await two.fetchone() == (3,)
        await conn.cursor().executemany(INSERT, [(4,), (5,)])
        with pytest.raises(ZeroDivisionError):
            async with conn.transaction():
                await conn.execute(INSERT, [6])
                raise ZeroDivisionError

    run(work, autocommit=True)
    assert numbers() == [1, 2, 3, 4, 5]


def test_tasks_share_a_connection(run: Callable[..., Any]) -> None:
    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        async def one(number: int) -> Any:
            cursor = await conn.execute("select %s::int", [number])
            return await cursor.fetchone()

        assert await asyncio.gather(*map(one, range(20))) == [(number,) for number in range(20)]

    run(work, autocommit=True)


def test_a_cancelled_task_leaves_the_connection_usable(run: Callable[..., Any], admin: Admin, mark: str) -> None:
    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        running = "select 1 from pg_stat_activity where query like %s and state = 'active' and pid <> pg_backend_pid()"
        task = asyncio.create_task(conn.execute(f"select pg_sleep(1000), '{mark}'"))
        while not admin.execute(running, [f"%{mark}%"]).fetchone():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await (await conn.execute("select 1")).fetchone() == (1,)
        while admin.execute(running, [f"%{mark}%"]).fetchone():  # the gateway has cancelled what nobody waits for
            await asyncio.sleep(0)

    run(work, autocommit=True)


def test_what_needs_a_session(run: Callable[..., Any]) -> None:
    async def work(conn: neonps.AsyncConnection[Any]) -> None:
        for refused in (
            conn.tpc_begin("x"),
            conn.cancel_safe(),
            conn.execute("listen events"),
        ):
            with pytest.raises(neonps.NotSupportedError, match="transport='websocket' or 'tcp'"):
                await refused
        with pytest.raises(neonps.NotSupportedError, match="transport='websocket' or 'tcp'"):
            conn.cursor().copy("copy (select 1) to stdout")
        async with conn.cursor("named") as cursor:
            with pytest.raises(neonps.NotSupportedError, match="transport='websocket' or 'tcp'"):
                await cursor.execute("select 1")
        with pytest.raises(neonps.NotSupportedError, match="transport='websocket' or 'tcp'"):
            async for _ in conn.notifies():
                pass

    run(work)
