"""What a program does with the blocking pools of psycopg_pool."""

import os
import threading
import time

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, NullConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

URL = os.environ["DATABASE_URL"]


def until(condition, seconds=20):
    """Wait for what a worker of the pool does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def kill(*pids):
    with psycopg.connect(URL, autocommit=True) as admin:
        for pid in pids:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def basics():
    print("== basics")
    with ConnectionPool(URL, min_size=2, max_size=4, open=False, name="basics") as pool:
        pool.wait()
        print(pool.name, pool.closed, pool.get_stats()["pool_size"])
        with pool.connection() as conn:
            print(type(conn) is psycopg.Connection, conn.info.transaction_status == TransactionStatus.IDLE)
            conn.execute("CREATE TABLE pool_item (id int PRIMARY KEY, name text)")
            with conn.cursor(row_factory=dict_row) as cur:
                cur.executemany("INSERT INTO pool_item VALUES (%s, %s)", [(1, "one"), (2, "two")])
                print(cur.rowcount, cur.execute("SELECT * FROM pool_item ORDER BY id").fetchall())
        # Committed at the end of the block; what fails is rolled back.
        try:
            with pool.connection() as conn:
                conn.execute("DELETE FROM pool_item")
                raise KeyError("no")
        except KeyError:
            pass
        with pool.connection() as conn:
            print(conn.execute("SELECT count(*) FROM pool_item").fetchone())
            try:
                conn.execute("SELECT 1/0")
            except psycopg.errors.DivisionByZero as ex:
                print(type(ex).__name__, ex.sqlstate, conn.info.transaction_status.name)
        with pool.connection() as conn, conn.transaction():
            conn.execute("DROP TABLE pool_item")
    print(pool.closed)
    try:
        with pool.connection():
            pass
    except PoolClosed as ex:
        print(type(ex).__mro__[1] is psycopg.OperationalError, ex)


def callbacks():
    print("== callbacks")
    calls = []

    def configure(conn):
        conn.execute("SET application_name TO 'configured'")
        conn.commit()
        calls.append("configure")

    def reset(conn):
        conn.execute("RESET ALL")
        conn.commit()
        calls.append("reset")

    def check(conn):
        calls.append("check")
        ConnectionPool.check_connection(conn)

    with ConnectionPool(
        URL, min_size=1, kwargs={"row_factory": dict_row}, configure=configure, reset=reset, check=check, open=True
    ) as pool:
        with pool.connection() as conn:
            print(conn.execute("SHOW application_name").fetchone())
        with pool.connection() as conn:
            print(conn.execute("SHOW application_name").fetchone()["application_name"] != "configured")
        until(lambda: len(calls) >= 5)
        print(calls)

        # A configure callback that leaves a transaction open is refused.
        bad = ConnectionPool(URL, min_size=1, configure=lambda conn: conn.execute("SELECT 1"), open=True)
        try:
            bad.wait(timeout=0.5)
        except PoolTimeout as ex:
            print(type(ex).__name__)
        finally:
            bad.close()


def getconn_putconn():
    print("== getconn, putconn")
    with ConnectionPool(URL, min_size=1, max_size=1, open=True) as pool:
        conn = pool.getconn()
        pid = conn.info.backend_pid
        conn.execute("CREATE TEMPORARY TABLE t (x int)")
        print(conn.info.transaction_status.name)
        pool.putconn(conn)  # rolls the transaction back
        conn = pool.getconn()
        print(conn.info.backend_pid == pid, conn.info.transaction_status.name)
        print(conn.execute("SELECT to_regclass('t')").fetchone())
        conn.rollback()
        with psycopg.connect(URL) as other:
            try:
                pool.putconn(other)
            except ValueError as ex:
                print(type(ex).__name__, "can't return connection to pool" in str(ex))
        pool.putconn(conn)

        # A connection that is closed by its user is replaced.
        conn = pool.getconn()
        conn.close()
        pool.putconn(conn)
        with pool.connection() as conn:
            print(conn.info.backend_pid == pid, conn.execute("SELECT 1").fetchone())
        print(pool.get_stats()["returns_bad"])


def close_returns():
    print("== close() returns")
    with ConnectionPool(URL, min_size=1, max_size=1, open=True, close_returns=True) as pool:
        conn = pool.getconn()
        pid = conn.info.backend_pid
        conn.close()
        conn = pool.getconn()
        print(conn.info.backend_pid == pid, conn.closed)
        conn.close()
    print(conn.closed)


def broken():
    print("== broken connections")
    with ConnectionPool(URL, min_size=2, max_size=2, open=True) as pool:
        pool.wait()
        # One that breaks while it is used is not taken back.
        with pool.connection() as conn:
            first = conn.info.backend_pid
            kill(first)
            try:
                conn.execute("SELECT 1")
            except psycopg.OperationalError as ex:
                print(type(ex).__name__, conn.closed, conn.broken)
        until(lambda: pool.get_stats()["pool_available"] == 2)
        pids = set()
        with pool.connection() as one, pool.connection() as two:
            pids = {one.info.backend_pid, two.info.backend_pid}
        print(first in pids, len(pids))

        # check() finds those that broke in the pool.
        kill(*pids)
        pool.check()
        until(lambda: pool.get_stats()["pool_available"] == 2)
        with pool.connection() as one, pool.connection() as two:
            print(pids & {one.info.backend_pid, two.info.backend_pid}, one.execute("SELECT 1").fetchone())
            pids = {one.info.backend_pid, two.info.backend_pid}
        print(pool.get_stats()["connections_lost"])

    with ConnectionPool(URL, min_size=1, max_size=1, open=True, check=ConnectionPool.check_connection) as pool:
        with pool.connection() as conn:
            pid = conn.info.backend_pid
        kill(pid)
        with pool.connection() as conn:
            print(conn.info.backend_pid == pid, conn.execute("SELECT 2").fetchone())


def limits():
    print("== limits")
    with ConnectionPool(URL, min_size=1, max_size=1, max_waiting=1, open=True) as pool:
        with pool.connection():
            waiting = threading.Thread(target=lambda: pool.putconn(pool.getconn()))
            waiting.start()
            until(lambda: pool.get_stats()["requests_waiting"] == 1)
            try:
                pool.getconn()
            except TooManyRequests as ex:
                print(type(ex).__name__)
        waiting.join()
        with pool.connection():
            try:
                pool.getconn(timeout=0.1)
            except PoolTimeout as ex:
                print(type(ex).__name__)
        stats = pool.pop_stats()
        print({key: stats[key] for key in ("requests_num", "requests_errors", "connections_num", "pool_max")})
        print(pool.get_stats().get("requests_num", 0))
        pool.resize(2, 3)
        pool.wait()
        until(lambda: pool.get_stats()["pool_size"] == 2)
        print(pool.min_size, pool.max_size)

    failed = threading.Event()
    pool = ConnectionPool(
        URL,
        min_size=1,
        kwargs={"dbname": "there_is_no_such_database"},
        reconnect_timeout=0.1,
        reconnect_failed=lambda pool: failed.set(),
        open=True,
    )
    try:
        pool.wait(timeout=2)
    except PoolTimeout as ex:
        print(type(ex).__name__, failed.is_set())
    finally:
        pool.close()


def lifetimes():
    print("== idle and old connections")
    with ConnectionPool(URL, min_size=1, max_size=3, max_idle=0.3, open=True) as pool:
        with pool.connection(), pool.connection(), pool.connection():
            print(pool.get_stats()["pool_size"])
        until(lambda: pool.get_stats()["pool_size"] == 1)
        print(pool.get_stats()["pool_size"])
    with ConnectionPool(URL, min_size=1, max_size=1, max_lifetime=0.05, open=True) as pool:
        with pool.connection() as conn:
            pid = conn.info.backend_pid
            conn.execute("SELECT pg_sleep(0.1)")
        with pool.connection() as conn:
            print(conn.info.backend_pid == pid)


def threads():
    print("== threads")
    results = []
    with ConnectionPool(URL, min_size=1, max_size=4, open=True) as pool:

        def square(number):
            with pool.connection() as conn:
                results.extend(conn.execute("SELECT %s::int * %s, pg_sleep(0.01)", [number, number]).fetchone()[:1])

        workers = [threading.Thread(target=square, args=[number]) for number in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(sorted(results) == [number**2 for number in range(20)], pool.get_stats()["pool_size"] <= 4)


def null_pool():
    print("== null pool")
    with NullConnectionPool(URL, max_size=2, open=True) as pool:
        pool.wait()
        with pool.connection() as conn:
            pid = conn.info.backend_pid
            print(conn.execute("SELECT 1").fetchone())
        with pool.connection() as conn:
            print(conn.info.backend_pid == pid)
            with pool.connection() as other:
                try:
                    pool.getconn(timeout=0.1)
                except PoolTimeout as ex:
                    print(type(ex).__name__)
                print(other.execute("SELECT 2").fetchone())
        print(conn.closed, pool.get_stats()["connections_num"] >= 3)


class Counting(psycopg.Connection):
    """A connection class of one's own."""

    def one(self, query):
        return self.execute(query).fetchone()[0]


def own_class():
    print("== own connection class")
    with ConnectionPool(
        URL, connection_class=Counting, kwargs={"autocommit": True, "prepare_threshold": None}, min_size=1, open=True
    ) as pool:
        with pool.connection() as conn:
            print(type(conn).__name__, conn.one("SELECT 42"), conn.autocommit, conn.prepare_threshold)
    with ConnectionPool(lambda: URL, kwargs=lambda: {"application_name": "called"}, min_size=1, open=True) as pool:
        with pool.connection() as conn:
            print(conn.execute("SHOW application_name").fetchone())


basics()
callbacks()
getconn_putconn()
close_returns()
broken()
limits()
lifetimes()
threads()
null_pool()
own_class()
