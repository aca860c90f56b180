"""Ctrl-C and the cancellation of a task in calls that last: COPY, streams, cursors on the server, notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from test_interrupts import interrupted_when
from transports import Connection, Numbers, on_sessions

import neonps
from neonps.pool import AsyncConnectionPool

Admin = psycopg.Connection[Any]


def stream(conn: Connection, mark: str) -> None:
    for _ in conn.cursor().stream(f"select n, pg_sleep(n * 50) from generate_series(0, 3) n -- {mark}"):
        pass


def copy_out(conn: Connection, mark: str) -> None:
    with conn.cursor().copy(f"copy (select n, pg_sleep(n * 50) from generate_series(0, 3) n) to stdout -- {mark}") as c:
        for _ in c:
            pass


def copy_in(conn: Connection, mark: str) -> None:
    """The server does not end it, since it waits for a lock."""
    with conn.cursor().copy(f"copy numbers from stdin -- {mark}") as copy:
        copy.write(b"1\n")


def server_cursor(conn: Connection, mark: str) -> None:
    with conn.transaction(), conn.cursor("c") as cursor:
        cursor.execute(f"select n, pg_sleep(n * 50) from generate_series(0, 3) n -- {mark}")
        cursor.fetchall()


def pipeline(conn: Connection, mark: str) -> None:
    with conn.pipeline():
        for _ in range(3):
            conn.execute(f"select pg_sleep(50) -- {mark}")


@on_sessions
@pytest.mark.parametrize("use", [stream, copy_out, copy_in, server_cursor, pipeline])
def test_ctrl_c(
    numbers: Numbers, auto: Connection, admin: Admin, dsn: str, mark: str, use: Callable[[Connection, str], None]
) -> None:
    word = '"c"' if use is server_cursor else mark
    for _ in range(2):
        with psycopg.connect(dsn) as other:
            other.execute("lock numbers in exclusive mode")
            with interrupted_when(lambda: active(admin, word)):
                use(auto, mark)
            assert not auto.closed
            assert auto.info.transaction_status.name == "IDLE"
            wait_for(lambda: not active(admin, mark))
        assert auto.execute("select 1").fetchone() == (1,)
    assert numbers() == []


@on_sessions
def test_ctrl_c_in_notifies(auto: Connection, admin: Admin) -> None:
    auto.execute("listen c")
    for number in range(2):
        with interrupted_when(lambda: True):
            list(auto.notifies())
        assert not auto.closed
        auto.execute("select pg_notify('c', %s)", [str(number)])
        assert [each.payload for each in auto.notifies(stop_after=1)] == [str(number)]


async def use_stream(conn: Any, mark: str) -> None:
    async for _ in conn.cursor().stream(f"select n, pg_sleep(n * 50) from generate_series(0, 3) n -- {mark}"):
        pass


async def use_copy_out(conn: Any, mark: str) -> None:
    statement = f"copy (select n, pg_sleep(n * 50) from generate_series(0, 3) n) to stdout -- {mark}"
    async with conn.cursor().copy(statement) as copy:
        async for _ in copy:
            pass


async def use_server_cursor(conn: Any, mark: str) -> None:
    async with conn.transaction(), conn.cursor("c") as cursor:
        await cursor.execute(f"select n, pg_sleep(n * 50) from generate_series(0, 3) n -- {mark}")
        await cursor.fetchall()


@on_sessions
@pytest.mark.parametrize("use", [use_stream, use_copy_out, use_server_cursor])
def test_a_task_is_cancelled(url: str, transport: str, admin: Admin, mark: str, use: Any) -> None:
    word = '"c"' if use is use_server_cursor else mark

    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            for _ in range(2):
                task = asyncio.create_task(use(conn, mark))
                await asyncio.to_thread(wait_for, lambda: active(admin, word))
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not conn.closed
                assert conn.info.transaction_status.name == "IDLE"
                await asyncio.to_thread(wait_for, lambda: not active(admin, mark))
                assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())


@on_sessions
def test_a_task_is_cancelled_in_notifies_and_in_a_pool(url: str, transport: str) -> None:
    async def main() -> None:
        kwargs = {"transport": transport, "autocommit": True}
        async with AsyncConnectionPool(url, kwargs=kwargs, min_size=1, max_size=1, open=False) as pool:
            async with pool.connection() as conn:
                for wait in (pool.getconn(timeout=60), anext_of(conn.notifies())):
                    task = asyncio.ensure_future(wait)
                    for _ in range(20):
                        await asyncio.sleep(0.005)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                assert await (await conn.execute("select 1")).fetchone() == (1,)
            async with pool.connection() as conn:
                assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())


async def anext_of(iterator: AsyncIterator[Any]) -> Any:
    return await iterator.__anext__()
