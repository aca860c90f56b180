"""Threads that share a connection (PEP 249, `threadsafety` 2), on every transport."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from gateway_client import active, wait_for
from transports import Connection, Numbers, on_sessions

import neonps


def test_cursors_in_many_threads(auto: Connection) -> None:
    """No thread ever gets the rows of another."""
    barrier = threading.Barrier(8)

    def work(thread: int) -> None:
        cursor = auto.cursor()
        barrier.wait()
        for number in range(15):
            query = "select n, %s::int from generate_series(1, %s) n"
            rows = cursor.execute(query, [thread, number]).fetchall()
            assert rows == [(n, thread) for n in range(1, number + 1)]

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, thread) for thread in range(8)]:
            future.result()


def test_threads_take_part_in_one_transaction(numbers: Numbers, conn: Connection) -> None:
    def insert(value: int) -> None:
        conn.execute("insert into numbers values (%s)", [value])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(insert, range(20)))
    assert numbers() == []
    conn.commit()
    assert numbers() == list(range(20))


def test_an_error_in_one_thread_is_that_of_its_statement(auto: Connection) -> None:
    def work(number: int) -> Any:
        return auto.execute("select 10 / %s::int", [number % 3]).fetchone()

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(work, number) for number in range(30)]
        for number, future in enumerate(futures):
            if number % 3 == 0:
                with pytest.raises(neonps.errors.DivisionByZero):
                    future.result()
            else:
                assert future.result() == (10 // (number % 3),)


def test_executemany_is_not_torn_by_other_threads(numbers: Numbers, auto: Connection) -> None:
    def fill(thread: int) -> None:
        auto.cursor().executemany("insert into numbers values (%s)", [(thread * 1000 + n,) for n in range(100)])

    def look(_: int) -> int:
        row = auto.execute("select count(*) from numbers").fetchone()
        assert row is not None
        assert row[0] % 100 == 0
        return int(row[0])

    with ThreadPoolExecutor(6) as pool:
        filling = [pool.submit(fill, thread) for thread in range(4)]
        looking = [pool.submit(look, n) for n in range(20)]
        for future in (*filling, *looking):
            future.result()
    assert len(numbers()) == 400


@on_sessions
def test_cancelling_from_another_thread(auto: Connection, admin: psycopg.Connection[Any]) -> None:
    mark = f"cancelled from another thread {id(auto)}"
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(auto.execute, f"select pg_sleep(100) -- {mark}")
        wait_for(lambda: active(admin, mark))
        auto.cancel()
        with pytest.raises(neonps.errors.QueryCanceled):
            future.result()
    assert auto.execute("select 1").fetchone() == (1,)


@on_sessions
def test_a_connection_is_made_in_one_thread_and_closed_in_another(auto: Connection) -> None:
    thread = threading.Thread(target=auto.close)
    thread.start()
    thread.join()
    assert auto.closed
    with pytest.raises(neonps.OperationalError):
        auto.execute("select 1")
