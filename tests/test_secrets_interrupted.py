"""Passwords and parameters of statements do not show when a call is interrupted: by Ctrl-C, or as a task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from fake_server import FakeServer
from gateway_client import wait_for
from refused import elsewhere
from shown import SECRET, VALUE, check_hidden, frames, logged, looked_into, shown
from test_interrupts import interrupted_when
from transports import Connection, on_sessions

import neonps
from neonps.embedded import EmbeddedPostgres

Admin = psycopg.Connection[Any]
AsyncConnection = neonps.AsyncConnection[Any]

SLEEPS = "select %s::text, pg_sleep(100)"


def streamed(conn: Connection) -> None:
    for _ in conn.cursor().stream(SLEEPS, [VALUE]):
        pass


def copied(conn: Connection) -> None:
    with conn.cursor().copy(f"copy ({SLEEPS}) to stdout", [VALUE]) as copying:
        copying.read()


def copied_in(conn: Connection) -> None:
    conn.execute("create temp table t (a text check (pg_sleep(100) is not null))")
    with conn.cursor().copy("copy t from stdin") as copying:
        while True:  # until the server takes no more
            copying.write_row([VALUE * 1000])


def on_the_server(conn: Connection) -> None:
    with conn.cursor("c", withhold=True) as cursor:
        cursor.execute(SLEEPS, [VALUE])


def in_block(conn: Connection) -> None:
    with conn.transaction():
        conn.execute(SLEEPS, [VALUE])


#: What waits for the server, with a value in it.
CALLS: dict[str, Callable[[Connection], Any]] = {
    "execute": lambda conn: conn.execute(SLEEPS, [VALUE]),
    "by name": lambda conn: conn.execute(SLEEPS.replace("%s", "%(a)s"), {"a": VALUE}),
    "prepared": lambda conn: conn.execute(SLEEPS, [VALUE], prepare=True),
    "written into the statement": lambda conn: neonps.ClientCursor(conn).execute(SLEEPS, [VALUE]),
    "raw": lambda conn: neonps.RawCursor(conn).execute(SLEEPS.replace("%s", "$1"), [VALUE]),
    "executemany": lambda conn: conn.cursor().executemany(SLEEPS, [(VALUE,), (VALUE,)]),
    "batch": lambda conn: conn.batch([(SLEEPS, [VALUE]), (SLEEPS, [VALUE])]),
    "stream": streamed,
    "transaction": in_block,
}
SESSION_CALLS: dict[str, Callable[[Connection], Any]] = {
    "copy": copied,
    "copy of a row": copied_in,
    "a cursor on the server": on_the_server,
}


def told(error: BaseException) -> str:
    """All that can be seen of an interruption in the driver."""
    assert list(frames(error))
    return shown(error)


def sleeping(admin: Admin) -> int:
    return admin.execute("select 1 from pg_stat_activity where wait_event = 'PgSleep'").rowcount


@pytest.fixture
def interrupted(url: str, transport: str, admin: Admin) -> Callable[[Callable[[Connection], Any]], str]:
    """Runs on a new connection what Ctrl-C ends while the server works, and gives all that it has shown."""

    def run(call: Callable[[Connection], Any]) -> str:
        with logged() as parts, neonps.connect(url, transport=transport, autocommit=True) as conn:
            with interrupted_when(lambda: sleeping(admin)):
                try:
                    call(conn)
                except KeyboardInterrupt as error:
                    parts.append(told(error))
                    raise
            parts += (*looked_into(conn), *looked_into(conn.info))
        wait_for(lambda: not sleeping(admin))
        return "\n".join(parts)

    return run


@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c(interrupted: Callable[..., str], postgres: EmbeddedPostgres, transport: str, name: str) -> None:
    check_hidden(interrupted(CALLS[name]), VALUE, postgres.password)


@on_sessions
@pytest.mark.parametrize("name", SESSION_CALLS)
def test_ctrl_c_in_a_session(
    interrupted: Callable[..., str], postgres: EmbeddedPostgres, transport: str, name: str
) -> None:
    check_hidden(interrupted(SESSION_CALLS[name]), VALUE, postgres.password)


def test_ctrl_c_in_the_query_function(url: str, admin: Admin, postgres: EmbeddedPostgres) -> None:
    sql = neonps.neon(url)
    calls: list[Callable[[], Any]] = [
        lambda: sql(SLEEPS, [VALUE]),
        lambda: sql.query(SLEEPS.replace("%s", "$1"), [VALUE]),
        lambda: sql.transaction([(SLEEPS, [VALUE])]),
    ]
    for call in calls:
        with logged() as parts, interrupted_when(lambda: sleeping(admin)):
            try:
                call()
            except KeyboardInterrupt as error:
                parts.append(told(error))
                raise
        wait_for(lambda: not sleeping(admin))
        check_hidden("\n".join((*parts, *looked_into(sql))), VALUE, postgres.password)
    sql.close()


def test_ctrl_c_while_connecting(transport: str) -> None:
    """At a server that takes the request, and says no more."""
    with logged() as parts, FakeServer(None, close=False) as server:
        keywords = {
            **elsewhere(transport, "127.0.0.1", server.port),
            "password": SECRET,
            "pipeline_connect": "password",
        }
        with interrupted_when(lambda: server.received):
            try:
                with neonps.connect(**keywords, require_auth="password") as conn:
                    conn.execute("select %s", [VALUE])
            except KeyboardInterrupt as error:
                parts.append(told(error))
                raise
    check_hidden("\n".join(parts), SECRET, VALUE)


# Tasks that are cancelled


async def use_stream(conn: AsyncConnection) -> None:
    async for _ in conn.cursor().stream(SLEEPS, [VALUE]):
        pass


async def use_block(conn: AsyncConnection) -> None:
    async with conn.transaction():
        await conn.execute(SLEEPS, [VALUE])


async def use_copy(conn: AsyncConnection) -> None:
    async with conn.cursor().copy(f"copy ({SLEEPS}) to stdout", [VALUE]) as copying:
        await copying.read()


async def use_copy_in(conn: AsyncConnection) -> None:
    await conn.execute("create temp table t (a text check (pg_sleep(100) is not null))")
    async with conn.cursor().copy("copy t from stdin") as copying:
        while True:  # until the server takes no more
            await copying.write_row([VALUE * 1000])


ASYNC_CALLS: dict[str, Callable[[AsyncConnection], Awaitable[Any]]] = {
    "execute": lambda conn: conn.execute(SLEEPS, [VALUE]),
    "executemany": lambda conn: conn.cursor().executemany(SLEEPS, [(VALUE,), (VALUE,)]),
    "batch": lambda conn: conn.batch([(SLEEPS, [VALUE]), (SLEEPS, [VALUE])]),
    "stream": use_stream,
    "transaction": use_block,
    "copy": use_copy,
    "copy of a row": use_copy_in,
}


async def cancelled(call: Callable[[], Awaitable[Any]], condition: Callable[[], object]) -> str:
    """All that is shown by a call whose task is cancelled once something is true."""
    parts: list[str] = []

    async def program() -> None:
        try:
            await call()
        except asyncio.CancelledError as error:
            parts.append(told(error))
            raise

    task = asyncio.create_task(program())
    await asyncio.to_thread(wait_for, condition)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return "\n".join((*parts, shown(caught.value)))


@pytest.mark.parametrize(
    ("transport", "name"),
    [
        (transport, name)
        for transport in ("tcp", "websocket", "http")
        for name in ASYNC_CALLS
        if transport != "http" or name not in SESSION_CALLS
    ],
)
def test_a_task_is_cancelled(url: str, admin: Admin, postgres: EmbeddedPostgres, transport: str, name: str) -> None:
    async def main() -> str:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            return await cancelled(lambda: ASYNC_CALLS[name](conn), lambda: sleeping(admin))

    with logged() as parts:
        parts.append(asyncio.run(main()))
    wait_for(lambda: not sleeping(admin))
    check_hidden("\n".join(parts), VALUE, postgres.password)


def test_a_task_is_cancelled_that_waits_for_another(
    url: str, admin: Admin, postgres: EmbeddedPostgres, transport: str
) -> None:
    async def main() -> str:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            first = asyncio.create_task(cancelled(lambda: conn.execute(SLEEPS, [VALUE]), lambda: sleeping(admin)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            second = asyncio.create_task(cancelled(lambda: conn.execute(SLEEPS, [VALUE]), conn.lock.locked))
            return "\n".join((await second, await first))

    with logged() as parts:
        parts.append(asyncio.run(main()))
    wait_for(lambda: not sleeping(admin))
    check_hidden("\n".join(parts), VALUE, postgres.password)


def test_the_query_function_is_cancelled(url: str, admin: Admin, postgres: EmbeddedPostgres) -> None:
    async def main() -> None:
        sql = neonps.async_neon(url)
        for call in (
            lambda: sql(SLEEPS, [VALUE]),
            lambda: sql.query(SLEEPS.replace("%s", "$1"), [VALUE]),
            lambda: sql.transaction([(SLEEPS, [VALUE])]),
        ):
            parts.append(await cancelled(call, lambda: sleeping(admin)))
            await asyncio.to_thread(wait_for, lambda: not sleeping(admin))
        await sql.close()

    with logged() as parts:
        asyncio.run(main())
    check_hidden("\n".join(parts), VALUE, postgres.password)


def test_connecting_is_cancelled(transport: str) -> None:
    async def main(port: int) -> str:
        keywords = {**elsewhere(transport, "127.0.0.1", port), "password": SECRET, "pipeline_connect": "password"}

        async def use() -> None:
            async with await neonps.AsyncConnection.connect(**keywords, require_auth="password") as conn:
                await conn.execute("select %s", [VALUE])

        return await cancelled(use, lambda: server.received)

    with logged() as parts, FakeServer(None, close=False) as server:
        parts.append(asyncio.run(main(server.port)))
    check_hidden("\n".join(parts), SECRET, VALUE)
