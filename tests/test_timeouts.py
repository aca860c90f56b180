"""Statements that take too long, or are cancelled: the server stops, and the connection can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from lost import check_lost
from relay import Relay
from transports import Connect, Connection, Numbers, on_sessions, status

import neonps
from neonps import errors

Admin = psycopg.Connection[Any]

INSERT = "insert into numbers values (%s)"


@pytest.fixture
def slow_commit(numbers: Numbers, admin: Admin, mark: str) -> Iterator[str]:
    """Makes every commit that has put something into `numbers` wait; gives what it waits for."""
    admin.execute(
        f"create function {mark}() returns trigger language plpgsql as "
        f"$$begin perform pg_advisory_xact_lock(hashtext('{mark}')); return null; end$$"
    )
    admin.execute(
        f"create constraint trigger {mark} after insert on numbers deferrable initially deferred "
        f"for each row execute function {mark}()"
    )
    admin.execute("select pg_advisory_lock(hashtext(%s))", [mark])
    yield mark
    admin.execute("select pg_advisory_unlock_all()")
    admin.execute(f"drop function {mark} cascade")


def waits_for_lock(admin: Admin) -> bool:
    row = admin.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'").fetchone()
    return row is not None and row[0] > 0


# Timeouts


def test_a_timeout_cancels_the_statement(connect: Connect, admin: Admin, mark: str) -> None:
    conn = connect(timeout=0.3, autocommit=True)
    for _ in range(2):
        with pytest.raises(neonps.OperationalError, match=r"timeout: .* within 0\.3 seconds"):
            conn.execute(f"select pg_sleep(100) -- {mark}")
        wait_for(lambda: not active(admin, mark))
        assert not conn.closed
        assert status(conn) == "IDLE"
        conn.timeout = 30
        assert conn.execute("select 1").fetchone() == (1,)
        conn.timeout = 0.3


def test_a_timeout_cancels_the_statement_with_asyncio(url: str, transport: str, admin: Admin, mark: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, timeout=0.3, autocommit=True) as conn:
            with pytest.raises(neonps.OperationalError, match=r"timeout: .* within 0\.3 seconds"):
                await conn.execute(f"select pg_sleep(100) -- {mark}")
            wait_for(lambda: not active(admin, mark))
            assert not conn.closed
            conn.timeout = 30
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())


@on_sessions
def test_a_timeout_within_a_transaction(numbers: Numbers, connect: Connect, admin: Admin, mark: str) -> None:
    conn = connect(timeout=0.3)
    conn.execute(INSERT, [1])
    with pytest.raises(neonps.OperationalError, match="it was cancelled"):
        conn.execute(f"select pg_sleep(100) -- {mark}")
    assert not active(admin, mark)
    assert status(conn) == "INERROR"
    conn.rollback()
    conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [2]


@pytest.mark.parametrize("way", ["executemany", "batch"])
def test_a_timeout_leaves_no_transaction_of_its_own(
    numbers: Numbers, connect: Connect, admin: Admin, mark: str, way: str
) -> None:
    conn = connect(timeout=0.3, autocommit=True)
    sleep = f"select pg_sleep(%s) -- {mark}"
    with pytest.raises(neonps.OperationalError, match="timeout"):
        if way == "batch":
            conn.batch([(INSERT, [1]), (sleep, [100])])
        else:
            conn.cursor().executemany(sleep, [(0,), (100,), (100,)])
    wait_for(lambda: not active(admin, mark))
    assert status(conn) == "IDLE"
    assert numbers() == []
    conn.execute(INSERT, [2])
    assert numbers() == [2]


def test_a_timeout_of_a_commit(slow_commit: str, numbers: Numbers, connect: Connect, admin: Admin) -> None:
    conn = connect(timeout=0.3)
    conn.execute(INSERT, [1])
    with pytest.raises(neonps.OperationalError, match="timeout") as caught:
        conn.commit()
    if conn.info.transport == "http":
        assert "unknown whether" in str(caught.value)
    else:
        assert "it was cancelled" in str(caught.value)
    wait_for(lambda: not waits_for_lock(admin))
    assert status(conn) == "IDLE"
    assert numbers() == []
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_timeout_while_the_line_is_dead(
    numbers: Numbers, relayed: Connect, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server cannot be asked to cancel either; after a while the connection is given up."""
    monkeypatch.setattr("neonps.flows.interruption.CANCEL_TIMEOUT", 0.3)  # no need to wait for that long here
    conn = relayed(timeout=0.3, autocommit=True)
    relay.mute()
    with pytest.raises(neonps.OperationalError, match="timeout") as caught:
        conn.execute(INSERT, [1])
    assert "unknown whether" in str(caught.value)
    if conn.info.transport != "http":
        assert "closed" in str(caught.value)
        check_lost(conn)


def test_a_timeout_in_the_url(url: str, transport: str) -> None:
    with (
        neonps.connect(f"{url}&timeout=0.2&transport={transport}", autocommit=True) as conn,
        pytest.raises(neonps.OperationalError, match=r"0\.2 seconds"),
    ):
        conn.execute("select pg_sleep(100)")


def test_a_timeout_that_is_not_reached(connect: Connect) -> None:
    conn = connect(timeout=60)
    for _ in range(3):
        assert conn.execute("select 1").fetchone() == (1,)


# Cancelling


@on_sessions
@pytest.mark.parametrize("method", ["cancel", "cancel_safe"])
def test_cancelling(
    numbers: Numbers, conn: Connection, admin: Admin, mark: str, in_thread: Callable[..., Future[Any]], method: str
) -> None:
    conn.execute(INSERT, [1])
    future = in_thread(conn.execute, f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: active(admin, mark))
    getattr(conn, method)()
    with pytest.raises(errors.QueryCanceled):
        future.result()
    assert status(conn) == "INERROR"
    conn.rollback()
    conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [2]


@on_sessions
def test_cancelling_nothing(auto: Connection) -> None:
    for _ in range(3):
        auto.cancel()
        assert auto.execute("select 1").fetchone() == (1,)


@on_sessions
def test_cancelling_takes_too_long(relayed: Connect, relay: Relay) -> None:
    conn = relayed()
    relay.mute()
    with pytest.raises(errors.CancellationTimeout):
        conn.cancel_safe(timeout=0.2)
