"""Whoever leaves the loop over `notifies()` gets the rest from the next one; psycopg throws it away."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import psycopg
import pytest
from transports import Connect, Connection, on_sessions

import neonps


@pytest.fixture
def listening(connect: Connect, admin: psycopg.Connection[Any]) -> Connection:
    """A connection to which three notifications come at once."""
    conn = connect(autocommit=True)
    conn.execute("listen events")
    together(admin)
    return conn


def together(admin: psycopg.Connection[Any]) -> None:
    with admin.transaction():
        for payload in "123":
            admin.execute("select pg_notify('events', %s)", [payload])


def rest(conn: Connection, count: int) -> list[str]:
    """So many notifications, and no more are there."""
    found = [notify.payload for notify in islice(conn.notifies(timeout=20), count)]
    assert not list(conn.notifies(timeout=0))
    return found


@on_sessions
@pytest.mark.parametrize("while_waiting", [True, False])
def test_break(listening: Connection, while_waiting: bool) -> None:
    if not while_waiting:
        listening.execute("select 1")  # they come with it
    for notify in listening.notifies(timeout=20):
        assert notify.payload == "1"
        break
    assert rest(listening, 2) == ["2", "3"]


@on_sessions
def test_an_exception_in_the_loop(listening: Connection) -> None:
    with pytest.raises(ZeroDivisionError):
        for _ in listening.notifies(timeout=20):
            raise ZeroDivisionError
    assert rest(listening, 2) == ["2", "3"]


@on_sessions
def test_one_that_stays_open(listening: Connection) -> None:
    """Nobody has closed it, and each is given once."""
    left = listening.notifies(timeout=20)
    assert next(left).payload == "1"
    assert rest(listening, 2) == ["2", "3"]
    listening.execute("notify events, '4'")
    assert next(left).payload == "4"


@on_sessions
def test_what_comes_in_the_loop_is_behind_it(listening: Connection) -> None:
    for _ in listening.notifies(timeout=20):
        listening.execute("notify events, '4'")
        break
    assert rest(listening, 3) == ["2", "3", "4"]


@on_sessions
def test_with_asyncio(url: str, transport: str, admin: psycopg.Connection[Any]) -> None:
    """What ends an asynchronous generator that was left runs only later."""

    async def use() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport, autocommit=True) as conn:
            await conn.execute("listen events")
            together(admin)
            async for notify in conn.notifies(timeout=20):
                assert notify.payload == "1"
                break
            found = []
            async for notify in conn.notifies(timeout=20):
                found.append(notify.payload)
                if len(found) == 2:
                    break
            assert found == ["2", "3"]

    asyncio.run(use())
