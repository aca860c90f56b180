"""Load, the fast part of `tests/long/load.py`: threads and tasks through pools, a shared connection, large values."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from backends import Admin
from gateway_client import wait_for
from long import load
from transports import Connect, on_sessions

import neonps
from neonps.pool import AsyncConnectionPool, ConnectionPool

TRANSPORTS = ("tcp", "websocket", "http")
SIZE = 20 << 20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def flat(dsn: str, url: str) -> Iterator[None]:
    """Neither file descriptors nor threads are more at the end. Those of the gateway, in this process, count too."""
    if not sys.platform.startswith("linux"):
        yield
        return
    before = (descriptors(), threading.active_count())
    yield
    wait_for(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])


@pytest.fixture
def ledger(admin: Admin) -> Iterator[Callable[[], int]]:
    """The table that transactions write to; calling this gives the number of its rows."""
    admin.execute("create table ledger (worker int, number int)")
    yield lambda: admin.execute("select count(*) from ledger").fetchone()[0]  # type: ignore[index]
    admin.execute("drop table ledger")


def steps(worker: int) -> list[str]:
    """What a thread or task does."""
    chance = random.Random(worker)
    return [load.pick(chance, TRANSPORTS[worker % 3]) for _ in range(6)]


def test_threads_through_pools(url: str, flat: None, ledger: Callable[[], int]) -> None:
    done: Counter[str] = Counter()

    def run(worker: int) -> Counter[str]:
        mine: Counter[str] = Counter()
        for number, kind in enumerate(steps(worker)):
            with pools[worker % 3].connection() as conn:
                mine["added"] += load.work(conn, kind, worker, number)
            mine["calls"] += 1
        return mine

    pools = [
        ConnectionPool(
            url, kwargs={"transport": each, "autocommit": True}, min_size=2, max_size=8, timeout=60, open=True
        )
        for each in TRANSPORTS
    ]
    with ThreadPoolExecutor(50) as executor:
        for mine in executor.map(run, range(50)):
            done += mine
    for pool in pools:
        pool.close()
    assert done["calls"] == 300
    assert ledger() == done["added"] > 0


def test_tasks_through_pools(url: str, flat: None, ledger: Callable[[], int]) -> None:
    async def run(worker: int, pool: Any) -> int:
        added = 0
        for number, kind in enumerate(steps(worker)[:2]):
            async with pool.connection() as conn:
                added += await load.work_async(conn, kind, worker, number)
        return added

    async def main() -> int:
        pools = [
            AsyncConnectionPool(
                url, kwargs={"transport": each, "autocommit": True}, min_size=2, max_size=8, timeout=60, open=False
            )
            for each in TRANSPORTS
        ]
        for pool in pools:
            await pool.open()
        added = await asyncio.gather(*(run(worker, pools[worker % 3]) for worker in range(200)))
        for pool in pools:
            await pool.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return sum(added)

    added = asyncio.run(main())
    assert ledger() == added > 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_threads_that_share_a_connection(connect: Connect, transport: str) -> None:
    """Each call has it for itself, so that everybody gets the answer to what was asked."""
    conn = connect(autocommit=True)

    def run(worker: int) -> None:
        for n in range(10):
            if n == 9:
                load.fails(lambda: conn.execute("select 1 / %s", [0]), neonps.errors.DivisionByZero)
            elif n == 5 and transport != "http":
                assert list(conn.cursor().stream("select generate_series(1, %s)", [n]))[-1] == (n,)
            else:
                query = "select %s::int, m from generate_series(1, %s) m"
                assert conn.execute(query, [worker, n]).fetchall() == [(worker, m) for m in range(1, n + 1)]

    with ThreadPoolExecutor(16) as executor:
        list(executor.map(run, range(16)))


@on_sessions
def test_a_large_value(connect: Connect) -> None:
    conn = connect()
    text = "0123456789abcdeä" * (SIZE >> 4)
    row = conn.execute("select %s::text, repeat('0123456789abcdeä', %s)", [text, SIZE >> 4]).fetchone()
    assert row is not None
    assert row[0] == row[1] == text
    cursor = conn.cursor()
    cursor.execute("create temp table t (a bytea)")
    data = os.urandom(SIZE)
    with cursor.copy("copy t from stdin (format binary)") as copy:
        copy.set_types(["bytea"])
        copy.write_row([data])
    assert cursor.execute("select a from t").fetchone() == (data,)


@pytest.mark.parametrize("transport", ["http"])
def test_a_large_value_over_http(connect: Connect) -> None:
    """It can be sent; what comes back has a limit, and the error says so."""
    conn = connect(autocommit=True)
    text = "0123456789abcdeä" * (SIZE >> 4)
    assert conn.execute("select length(%s)", [text]).fetchone() == (SIZE,)
    assert conn.execute("select left(%s, 9000000)", [text[: 9 << 20]]).fetchone() == (text[:9000000],)
    with pytest.raises(neonps.OperationalError, match="too large") as caught:
        conn.execute("select %s::text", [text])
    assert caught.value.status == 507
    with pytest.raises(neonps.OperationalError, match="too large") as caught:
        conn.execute("select length(%s)", ["x" * (65 << 20)])
    assert caught.value.status == 413
    assert conn.execute("select 1").fetchone() == (1,)
