"""Ctrl-C in the middle of anything: what runs is cancelled, and the connection can be used or is closed."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from interruptions import main_thread_waits
from transports import Connect, Connection, Numbers, on_sessions, status

import neonps

Admin = psycopg.Connection[Any]

INSERT = "insert into numbers values (%s)"

#: When to interrupt, in seconds after the beginning; spread over all that happens.
MOMENTS = [0.0003 * 1.35**n for n in range(20)]

#: Python's own housekeeping can be interrupted too, and a socket between its making and its being given a name.
at_any_moment = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextmanager
def interrupted_when(condition: Callable[[], object]) -> Iterator[None]:
    """Interrupts the main thread as Ctrl-C does once something is true and it waits; expects that it hears of it."""

    def interrupt() -> None:
        try:
            wait_for(condition)
            wait_for(main_thread_waits)
        finally:  # or what has gone wrong here would be heard of when the test has taken too long
            os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            yield
        future.result()


def interrupt_after(seconds: float, action: Callable[[], object]) -> None:
    """Call a function and interrupt it after a time, unless it is over by then."""
    armed = True

    def interrupt(number: int, frame: object) -> None:
        if armed:
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        action()
        armed = False
    except KeyboardInterrupt:
        armed = False
    timer.cancel()
    timer.join()
    signal.signal(signal.SIGUSR1, previous)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was interrupted in the middle of a message is given up sooner than usual."""
    monkeypatch.setattr("neonps.flows.interruption.CANCEL_TIMEOUT", 1.0)


def test_a_query(auto: Connection, admin: Admin, mark: str) -> None:
    for _ in range(2):
        with interrupted_when(lambda: active(admin, mark)):
            auto.execute(f"select pg_sleep(100) -- {mark}")
        wait_for(lambda: not active(admin, mark))
        assert not auto.closed
        assert status(auto) == "IDLE"
        assert auto.execute("select 1").fetchone() == (1,)


@on_sessions
def test_a_transaction(numbers: Numbers, conn: Connection, admin: Admin, mark: str) -> None:
    conn.execute(INSERT, [1])
    with interrupted_when(lambda: active(admin, mark)):
        conn.execute(f"select pg_sleep(100) -- {mark}")
    assert status(conn) == "INERROR"
    conn.rollback()
    conn.execute(INSERT, [2])
    conn.commit()
    assert numbers() == [2]


def test_a_block(numbers: Numbers, auto: Connection, admin: Admin, mark: str) -> None:
    with interrupted_when(lambda: active(admin, mark)), auto.transaction():
        auto.execute(INSERT, [1])
        auto.execute(f"select pg_sleep(100) -- {mark}")
    wait_for(lambda: not active(admin, mark))
    assert status(auto) == "IDLE"
    auto.execute(INSERT, [2])
    assert numbers() == [2]


@on_sessions
def test_an_inner_block(numbers: Numbers, auto: Connection, admin: Admin, mark: str) -> None:
    with auto.transaction():
        auto.execute(INSERT, [1])
        with interrupted_when(lambda: active(admin, mark)), auto.transaction():
            auto.execute(INSERT, [2])
            auto.execute(f"select pg_sleep(100) -- {mark}")
        auto.execute(INSERT, [3])
    assert numbers() == [1, 3]


@pytest.mark.parametrize("way", ["executemany", "batch"])
def test_a_transaction_of_its_own(numbers: Numbers, auto: Connection, admin: Admin, mark: str, way: str) -> None:
    sleep = f"select pg_sleep(%s) -- {mark}"
    with interrupted_when(lambda: active(admin, mark)):
        if way == "batch":
            auto.batch([(INSERT, [1]), (sleep, [100])])
        else:
            auto.cursor().executemany(sleep, [(100,)] * 3)
    wait_for(lambda: not active(admin, mark))
    assert status(auto) == "IDLE"
    assert numbers() == []
    auto.execute(INSERT, [2])
    assert numbers() == [2]


@pytest.mark.parametrize("count", [0, 5000])
def test_the_generator_of_parameters(numbers: Numbers, auto: Connection, count: int) -> None:
    """Nothing of it is applied, whether some was sent already or not."""

    def values() -> Iterator[tuple[int]]:
        for value in range(count):
            yield (value,)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auto.cursor().executemany(INSERT, values())
    assert not auto.closed
    assert status(auto) == "IDLE"
    assert numbers() == []
    auto.execute(INSERT, [2])
    assert numbers() == [2]


@at_any_moment
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seconds", MOMENTS[::2])
def test_a_large_result_at_any_moment(connect: Connect, seconds: float) -> None:
    conn = connect(autocommit=True)
    interrupt_after(seconds, lambda: conn.execute("select n, repeat('x', 20) from generate_series(1, 20000) n"))
    if conn.closed:
        assert conn.broken
    else:
        assert status(conn) == "IDLE"
        assert conn.execute("select 'still here'").fetchone() == ("still here",)


@at_any_moment
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seconds", MOMENTS[::2])
def test_many_rows_at_any_moment(numbers: Numbers, connect: Connect, seconds: float) -> None:
    conn = connect(autocommit=True)
    interrupt_after(seconds, lambda: conn.cursor().executemany(INSERT, ((n,) for n in range(3000))))
    if conn.closed:
        assert conn.broken
    else:
        assert status(conn) == "IDLE"
        assert conn.execute("select 'still here'").fetchone() == ("still here",)
    conn.close()
    assert len(numbers()) in (0, 3000)


@at_any_moment
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seconds", MOMENTS[::2])
def test_many_statements_at_any_moment(connect: Connect, seconds: float) -> None:
    """An answer never gets to another statement than its own."""
    conn = connect(autocommit=True)
    rows = []

    def ask() -> None:
        for n in range(1000):
            rows.append((n, conn.execute("select %s::int", [n]).fetchone()))

    interrupt_after(seconds * 3, ask)
    assert rows == [(n, (n,)) for n in range(len(rows))]
    if not conn.closed:
        assert conn.execute("select 'still here'").fetchone() == ("still here",)


@at_any_moment
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seconds", MOMENTS[:12:3])
def test_connecting_at_any_moment(url: str, transport: str, seconds: float) -> None:
    def use() -> None:
        with neonps.connect(url, transport=transport) as conn:
            conn.execute("select 1")

    before = len(os.listdir("/proc/self/fd"))
    interrupt_after(seconds, use)
    gc.collect()
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before)
