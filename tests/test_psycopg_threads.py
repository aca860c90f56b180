"""Threads that share a connection: what psycopg does, neonps does."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
from backends import Admin, terminate, wait_until_sleeping
from gateway_client import wait_for
from peers import Peer
from transports import Numbers

InThread = Any


def sleeping(conn: Any, admin: Admin, in_thread: InThread) -> Future[Any]:
    """A statement that another thread waits for."""
    pid = conn.info.backend_pid
    future: Future[Any] = in_thread(conn.execute, "select pg_sleep(60)")
    wait_until_sleeping(admin, pid)
    return future


def blocked(future: Future[Any]) -> bool:
    """Whether a call has still to wait, after it has had the time not to."""
    return not wait([future], timeout=0.1).done


@contextmanager
def ended(admin: Admin, conn: Any) -> Iterator[None]:
    """Ends the server's side of a session at the end, whatever it runs."""
    pid = conn.info.backend_pid
    try:
        yield
    finally:
        terminate(admin, pid)


def test_threadsafety(peer: Peer) -> None:
    assert peer.module.threadsafety == 2


def test_cursors_in_many_threads(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    barrier = threading.Barrier(8)

    def work(thread: int) -> None:
        cursor = conn.cursor()
        barrier.wait()
        for number in range(20):
            rows = cursor.execute("select n, %s::int from generate_series(1, %s) n", [thread, number]).fetchall()
            assert rows == [(n, thread) for n in range(1, number + 1)]
            assert cursor.rowcount == number

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, thread) for thread in range(8)]:
            future.result()


def test_many_kinds_of_calls_in_many_threads(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect(autocommit=True)

    def insert(start: int) -> None:
        conn.cursor().executemany("insert into numbers values (%s)", [(start + n,) for n in range(10)])

    def copy_in(start: int) -> None:
        with conn.cursor().copy("copy numbers (a) from stdin") as copy:
            for n in range(10):
                copy.write_row([start + n])

    def copy_out(start: int) -> None:
        with conn.cursor().copy("copy (select generate_series(1, 1000)) to stdout") as copy:
            assert sum(1 for _ in copy.rows()) == 1000

    def fail(start: int) -> None:
        with pytest.raises(peer.module.errors.DivisionByZero):
            conn.execute("select 1 / 0")

    def prepared(start: int) -> None:
        for n in range(20):
            assert conn.execute("select %s::int * 2", [n]).fetchone() == (n * 2,)

    def listen(start: int) -> None:
        assert list(conn.notifies(timeout=0)) == []

    calls = [insert, copy_in, copy_out, fail, prepared, listen]
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(call, number * 10) for number, call in enumerate(calls * 4)]
        for future in futures:
            future.result()
    assert len(numbers()) == 80


def test_threads_share_the_transaction(numbers: Numbers, peer: Peer) -> None:
    conn = peer.connect()
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(conn.execute, "insert into numbers values (%s)", [n]) for n in range(20)]:
            future.result()
    assert numbers() == []
    conn.commit()
    assert numbers() == list(range(20))


def test_the_error_of_one_thread_is_that_of_the_transaction_of_all(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.errors.DivisionByZero):
        in_thread(conn.execute, "select 1 / 0").result()
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        conn.execute("select 1")
    in_thread(conn.rollback).result()
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_statement_waits_for_that_of_another_thread(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    first = sleeping(conn, admin, in_thread)
    second = in_thread(lambda: conn.execute("select 2").fetchone())
    assert blocked(second)
    conn.cancel()
    with pytest.raises(peer.module.errors.QueryCanceled):
        first.result()
    assert second.result() == (2,)


def test_commit_waits_for_the_statement_of_another_thread(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect()
    statement = sleeping(conn, admin, in_thread)
    commit = in_thread(conn.commit)
    assert blocked(commit)
    conn.cancel()
    with pytest.raises(peer.module.errors.QueryCanceled):
        statement.result()
    commit.result()
    assert conn.info.transaction_status.name == "IDLE"


def test_copy_has_the_connection_for_itself(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    with conn.cursor().copy("copy (select generate_series(1, 3)) to stdout") as copy:
        statement = in_thread(lambda: conn.execute("select 1").fetchone())
        assert blocked(statement)
        assert list(copy.rows()) == [("1",), ("2",), ("3",)]
    assert statement.result() == (1,)


def test_a_stream_has_the_connection_for_itself(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    stream = conn.cursor().stream("select generate_series(1, 3)")
    assert next(stream) == (1,)
    statement = in_thread(lambda: conn.execute("select 42").fetchone())
    assert blocked(statement)
    assert list(stream) == [(2,), (3,)]
    assert statement.result() == (42,)


def test_transaction_blocks_do_not_lock_the_connection(numbers: Numbers, peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect()
    with conn.transaction():
        in_thread(conn.execute, "insert into numbers values (1)").result()
        assert numbers() == []
    assert numbers() == [1]


# Cancelling


@pytest.mark.parametrize("way", ["cancel", "cancel_safe"])
@pytest.mark.parametrize("autocommit", [False, True])
def test_cancelling_the_statement_of_another_thread(
    peer: Peer, admin: Admin, in_thread: InThread, way: str, autocommit: bool
) -> None:
    conn = peer.connect(autocommit=autocommit)
    future = sleeping(conn, admin, in_thread)
    assert getattr(conn, way)() is None
    with pytest.raises(peer.module.errors.QueryCanceled, match="canceling statement due to user request") as caught:
        future.result()
    assert caught.value.sqlstate == "57014"
    assert conn.info.transaction_status.name == ("IDLE" if autocommit else "INERROR")
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("way", ["cancel", "cancel_safe"])
def test_cancelling_from_the_thread_that_does_not_own_anything(
    peer: Peer, admin: Admin, in_thread: InThread, way: str
) -> None:
    conn = peer.connect(autocommit=True)
    future = sleeping(conn, admin, in_thread)
    in_thread(getattr(conn, way)).result()
    with pytest.raises(peer.module.errors.QueryCanceled):
        future.result()


def test_cancelling_again_and_again(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    for _ in range(3):
        future = sleeping(conn, admin, in_thread)
        conn.cancel_safe(timeout=10)
        with pytest.raises(peer.module.errors.QueryCanceled):
            future.result()


def test_cancelling_a_stream(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    stream = conn.cursor().stream("select generate_series(1, 100000000)")
    assert next(stream) == (1,)
    in_thread(conn.cancel).result()
    with pytest.raises(peer.module.errors.QueryCanceled):
        for _ in stream:
            pass
    assert conn.execute("select 1").fetchone() == (1,)


def test_cancelling_a_copy(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    with pytest.raises(peer.module.errors.QueryCanceled):
        with conn.cursor().copy("copy (select generate_series(1, 100000000)) to stdout") as copy:
            assert copy.read()
            in_thread(conn.cancel).result()
            for _ in copy:
                pass
    assert conn.execute("select 1").fetchone() == (1,)


def test_cancelling_executemany(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    pid = conn.info.backend_pid
    future = in_thread(conn.cursor().executemany, "select pg_sleep(%s)", [(0,), (60,), (60,)])
    wait_until_sleeping(admin, pid)
    conn.cancel()
    with pytest.raises(peer.module.errors.QueryCanceled):
        future.result()
    assert conn.info.pipeline_status.name == "OFF"
    assert conn.execute("select 1").fetchone() == (1,)


def test_cancelling_after_the_connection_was_closed(peer: Peer) -> None:
    conn = peer.connect()
    conn.close()
    conn.cancel()
    conn.cancel_safe()


def test_cancelling_from_a_signal_handler(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    """`cancel()` is made for that."""
    conn = peer.connect(autocommit=True)
    pid = conn.info.backend_pid
    main = threading.get_ident()

    def interrupt() -> None:
        wait_until_sleeping(admin, pid)
        signal.pthread_kill(main, signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, lambda number, frame: conn.cancel())
    try:
        future = in_thread(interrupt)
        with pytest.raises(peer.module.errors.QueryCanceled):
            conn.execute("select pg_sleep(60)")
        future.result()
    finally:
        signal.signal(signal.SIGUSR1, previous)


def wait_until_within(peer: Peer) -> None:
    """Wait until the main thread is in the driver."""
    main = threading.main_thread().ident
    assert main is not None
    wait_for(
        lambda: (
            str(sys._current_frames()[main].f_globals.get("__name__")).split(".")[0]
            in (peer.module.__name__, "selectors")
        )
    )


@contextmanager
def interrupted(condition: Callable[[], None], in_thread: InThread) -> Iterator[None]:
    """Ctrl-C as soon as `condition` returns and the main thread waits; expects that it hears of it."""
    main = threading.main_thread().ident
    assert main is not None

    def waits() -> bool:
        frame = sys._current_frames()[main]
        # The server can begin before the thread that has sent the statement goes on. psycopg waits in C.
        return not frame.f_globals.get("__name__", "neonps").startswith("neonps") or frame.f_code.co_name == "_look"

    def interrupt() -> None:
        condition()
        wait_for(waits)
        signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        future = in_thread(interrupt)
        yield
    future.result()


def test_ctrl_c_cancels_the_statement(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    """And the connection can be used after a rollback."""
    conn = peer.connect()
    pid = conn.info.backend_pid
    with interrupted(lambda: wait_until_sleeping(admin, pid), in_thread):
        conn.execute("select pg_sleep(60)")
    assert not conn.closed
    assert conn.info.transaction_status.name == "INERROR"
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_ctrl_c_within_a_transaction_block(numbers: Numbers, peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect()
    pid = conn.info.backend_pid
    with interrupted(lambda: wait_until_sleeping(admin, pid), in_thread):
        with conn.transaction():
            conn.execute("insert into numbers values (1)")
            conn.execute("select pg_sleep(60)")
    assert conn.info.transaction_status.name == "IDLE"
    assert numbers() == []
    assert conn.execute("select 1").fetchone() == (1,)


def test_ctrl_c_while_waiting_for_notifications(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect(autocommit=True)
    conn.execute("listen events")
    generator = conn.notifies()
    admin.execute("notify events, 'ready'")
    assert next(generator).payload == "ready"
    with interrupted(lambda: wait_until_within(peer), in_thread):
        next(generator)
    assert conn.execute("select 1").fetchone() == (1,)


def test_the_timeout_of_cancel_safe(peer: Peer) -> None:
    assert issubclass(peer.module.errors.CancellationTimeout, peer.module.OperationalError)


# Closing


def test_closing_while_another_thread_waits(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    """`close()` does not wait, and the other thread hears of it."""
    conn = peer.connect()
    with ended(admin, conn):
        future = sleeping(conn, admin, in_thread)
        in_thread(conn.close).result(5)
        assert conn.closed
        with pytest.raises(peer.module.OperationalError):
            future.result(5)


def test_closing_while_several_threads_wait(peer: Peer, admin: Admin, in_thread: InThread) -> None:
    conn = peer.connect()
    with ended(admin, conn):
        first = sleeping(conn, admin, in_thread)
        second = in_thread(conn.execute, "select 2")
        assert blocked(second)
        in_thread(conn.close).result(5)
        for future in (first, second):
            with pytest.raises(peer.module.OperationalError):
                future.result(5)


def test_closing_in_many_threads(peer: Peer, in_thread: InThread) -> None:
    conn = peer.connect()
    for future in [in_thread(conn.close) for _ in range(4)]:
        future.result()
    assert conn.closed
    assert not conn.broken


def test_connecting_in_many_threads(peer: Peer) -> None:
    def work(number: int) -> Any:
        with peer.module.connect(peer.url) as conn:
            return conn.execute("select %s::int", [number]).fetchone()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(12))) == [(number,) for number in range(12)]


# Timeouts


def test_connect_timeout(peer: Peer) -> None:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        way = {"gateway": f"http://127.0.0.1:{port}"} if peer.name == "websocket" else {"port": port}
        with pytest.raises(peer.module.errors.ConnectionTimeout, match="timeout") as caught:
            peer.module.connect(peer.url, connect_timeout=2, **way)
    assert isinstance(caught.value, peer.module.OperationalError)


def test_statement_timeout(peer: Peer) -> None:
    conn = peer.connect(options="-c statement_timeout=50")
    with pytest.raises(peer.module.errors.QueryCanceled, match="statement timeout"):
        conn.execute("select pg_sleep(60)")
    conn.rollback()


def test_lock_timeout(numbers: Numbers, peer: Peer) -> None:
    first, second = peer.connect(), peer.connect(options="-c lock_timeout=50")
    first.execute("lock table numbers")
    with pytest.raises(peer.module.errors.LockNotAvailable):
        second.execute("select * from numbers")
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        second.execute("select 1")
    second.rollback()
    with pytest.raises(peer.module.errors.LockNotAvailable):
        second.execute("lock table numbers in access exclusive mode nowait")
