"""Cancelling at any time: a request that comes too early is made again, and none comes to a later statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from holding import HoldingRelay
from test_interrupts import interrupted_when
from transports import Connect, Connection, Numbers, on_sessions, status

import neonps
from neonps.embedded import EmbeddedPostgres
from neonps.gateway import Gateway

Admin = psycopg.Connection[Any]

INSERT = "insert into numbers values (%s)"


@pytest.fixture
def holding(postgres: EmbeddedPostgres, gateway: Gateway, transport: str) -> Iterator[HoldingRelay]:
    server = postgres if transport == "tcp" else gateway
    with HoldingRelay(server.host, server.port) as relay:
        yield relay


@pytest.fixture
def held(connect: Connect, holding: HoldingRelay, transport: str) -> Callable[..., Connection]:
    """Like `connect`, but through a relay that can hold back what the first connection says."""
    way = {"port": holding.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{holding.port}"}
    return lambda **kwargs: connect(**way, **kwargs)


# The request to cancel overtakes the statement


@on_sessions
def test_a_timeout_before_the_server_has_begun(
    held: Callable[..., Connection], holding: HoldingRelay, admin: Admin, mark: str
) -> None:
    conn = held(timeout=0.05, autocommit=True)
    for _ in range(3):
        holding.hold(until=1)
        with pytest.raises(neonps.OperationalError, match="it was cancelled"):
            conn.execute(f"select pg_sleep(100) -- {mark}")
        wait_for(lambda: holding.cancelled >= 2)
        assert not conn.closed
        assert conn.execute("select 1").fetchone() == (1,)
    assert not active(admin, mark)


@on_sessions
def test_ctrl_c_before_the_server_has_begun(
    held: Callable[..., Connection], holding: HoldingRelay, admin: Admin, mark: str
) -> None:
    conn = held(autocommit=True)
    holding.hold(until=2)
    with interrupted_when(lambda: holding.held):
        conn.execute(f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: holding.cancelled >= 3)
    assert status(conn) == "IDLE"
    assert not active(admin, mark)
    assert conn.execute("select 1").fetchone() == (1,)


@on_sessions
@pytest.mark.parametrize("way", ["executemany", "batch", "pipeline"])
def test_many_statements_before_the_server_has_begun(
    numbers: Numbers, held: Callable[..., Connection], holding: HoldingRelay, mark: str, way: str
) -> None:
    """Nothing of it takes effect."""
    conn = held(timeout=0.2, autocommit=True)
    sleep = f"select pg_sleep(100) -- {mark}"
    holding.hold(until=1)
    with pytest.raises(neonps.OperationalError, match="timeout"):
        if way == "batch":
            conn.batch([(INSERT, [1]), sleep, (INSERT, [2])])
        elif way == "pipeline":
            with conn.pipeline(), conn.transaction():
                conn.execute(INSERT, [1])
                conn.execute(sleep)
        else:
            conn.cursor().executemany("insert into numbers select 1 from pg_sleep(%s)", [(100,)] * 3)
    wait_for(lambda: holding.cancelled >= 2)
    assert not conn.closed
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert conn.execute("select 1").fetchone() == (1,)


@on_sessions
def test_a_task_is_cancelled_before_the_server_has_begun(
    url: str, transport: str, dsn: str, holding: HoldingRelay, admin: Admin, mark: str
) -> None:
    way = {"port": holding.port} if transport == "tcp" else {"gateway": f"http://127.0.0.1:{holding.port}"}

    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True, **way) as conn:
            holding.hold(until=1)
            task = asyncio.create_task(conn.execute(f"select pg_sleep(100) -- {mark}"))
            while not holding.held:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not conn.closed
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())
    wait_for(lambda: holding.cancelled >= 2)
    assert not active(admin, mark)


@on_sessions
def test_each_of_several_statements_is_cancelled(connect: Connect, admin: Admin, mark: str) -> None:
    """One request ends one statement; those behind it in a pipeline have an end of their own."""
    conn = connect(timeout=0.3, autocommit=True)
    sleep = f"select pg_sleep(100) -- {mark}"
    with pytest.raises(neonps.OperationalError, match="timeout"), conn.pipeline():
        for _ in range(3):
            conn.execute(sleep)
            conn.execute("select 1")
    assert not conn.closed
    wait_for(lambda: not active(admin, mark))
    assert conn.execute("select 1").fetchone() == (1,)


# No request comes to a later statement


@on_sessions
def test_what_comes_after_a_timeout_is_not_cancelled(connect: Connect) -> None:
    """Timeouts at every moment of a statement, and behind each the next one at once."""
    conn = connect(autocommit=True)
    interrupted = 0
    for number in range(150):
        conn.timeout = 0.0002 + number % 30 * 0.0001
        try:
            conn.execute("select pg_sleep(0.001)")
        except neonps.OperationalError as error:
            interrupted += "timeout" in str(error)
        conn.timeout = None
        assert conn.execute("select %s::int, pg_sleep(0.001)::text", [number]).fetchone() == (number, "")
    assert interrupted > 0


@on_sessions
def test_what_comes_after_a_stream_that_was_left_is_not_cancelled(auto: Connection) -> None:
    for number in range(50):
        for _ in auto.cursor().stream("select generate_series(1, 5000)"):
            break
        assert auto.execute("select %s::int, pg_sleep(0.001)::text", [number]).fetchone() == (number, "")
