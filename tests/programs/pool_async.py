"""What a program does with the asyncio pools of psycopg_pool."""

import asyncio
import os
import time

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, scalar_row
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

URL = os.environ["DATABASE_URL"]


async def until(condition, seconds=20):
    """Wait for what a worker of the pool does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def kill(*pids):
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as admin:
        for pid in pids:
            await admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def basics():
    print("== basics")
    async with AsyncConnectionPool(URL, min_size=2, max_size=4, open=False, name="basics") as pool:
        await pool.wait()
        print(pool.name, pool.closed, pool.get_stats()["pool_size"])
        async with pool.connection() as conn:
            print(type(conn) is psycopg.AsyncConnection, conn.info.transaction_status == TransactionStatus.IDLE)
            await conn.execute("CREATE TABLE pool_item (id int PRIMARY KEY, name text)")
            async with conn.cursor(row_factory=dict_row) as cur:
                await cur.executemany("INSERT INTO pool_item VALUES (%s, %s)", [(1, "one"), (2, "two")])
                await cur.execute("SELECT * FROM pool_item ORDER BY id")
                print([row async for row in cur])
        try:
            async with pool.connection() as conn:
                await conn.execute("DELETE FROM pool_item")
                raise KeyError("no")
        except KeyError:
            pass
        async with pool.connection() as conn:
            cur = await conn.execute("SELECT count(*) FROM pool_item")
            print(await cur.fetchone())
            try:
                await conn.execute("SELECT 1/0")
            except psycopg.errors.DivisionByZero as ex:
                print(type(ex).__name__, ex.sqlstate, conn.info.transaction_status.name)
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("DROP TABLE pool_item")
    try:
        async with pool.connection():
            pass
    except PoolClosed as ex:
        print(ex)


async def callbacks():
    print("== callbacks")
    calls = []

    async def configure(conn):
        await conn.set_autocommit(True)
        await conn.execute("SET application_name TO 'configured'")
        calls.append("configure")

    async def reset(conn):
        await conn.execute("RESET ALL")
        calls.append("reset")

    async def check(conn):
        calls.append("check")
        await AsyncConnectionPool.check_connection(conn)

    async with AsyncConnectionPool(
        URL, min_size=1, kwargs={"row_factory": scalar_row}, configure=configure, reset=reset, check=check
    ) as pool:
        async with pool.connection() as conn:
            print(await (await conn.execute("SHOW application_name")).fetchone())
        async with pool.connection() as conn:
            print(await (await conn.execute("SHOW application_name")).fetchone() != "configured", conn.autocommit)
        await until(lambda: len(calls) >= 5)
        print(calls)


async def getconn_putconn():
    print("== getconn, putconn")
    async with AsyncConnectionPool(URL, min_size=1, max_size=1) as pool:
        conn = await pool.getconn()
        pid = conn.info.backend_pid
        await conn.execute("CREATE TEMPORARY TABLE t (x int)")
        print(conn.info.transaction_status.name)
        await pool.putconn(conn)
        conn = await pool.getconn()
        print(conn.info.backend_pid == pid, conn.info.transaction_status.name)
        await conn.close()
        await pool.putconn(conn)
        async with pool.connection() as conn:
            print(conn.info.backend_pid == pid, await (await conn.execute("SELECT 1")).fetchone())
        print(pool.get_stats()["returns_bad"])
    async with AsyncConnectionPool(URL, min_size=1, max_size=1, close_returns=True) as pool:
        conn = await pool.getconn()
        pid = conn.info.backend_pid
        await conn.close()
        conn = await pool.getconn()
        print(conn.info.backend_pid == pid, conn.closed)
        await conn.close()
    print(conn.closed)


async def broken():
    print("== broken connections")
    async with AsyncConnectionPool(URL, min_size=2, max_size=2) as pool:
        await pool.wait()
        async with pool.connection() as conn:
            first = conn.info.backend_pid
            await kill(first)
            try:
                await conn.execute("SELECT 1")
            except psycopg.OperationalError as ex:
                print(type(ex).__name__, conn.closed, conn.broken)
        await until(lambda: pool.get_stats()["pool_available"] == 2)
        async with pool.connection() as one, pool.connection() as two:
            pids = {one.info.backend_pid, two.info.backend_pid}
        print(first in pids, len(pids))
        await kill(*pids)
        await pool.check()
        await until(lambda: pool.get_stats()["pool_available"] == 2)
        async with pool.connection() as one, pool.connection() as two:
            print(pids & {one.info.backend_pid, two.info.backend_pid})
            print(await (await two.execute("SELECT 1")).fetchone())
        print(pool.get_stats()["connections_lost"])
    async with AsyncConnectionPool(URL, min_size=1, max_size=1, check=AsyncConnectionPool.check_connection) as pool:
        async with pool.connection() as conn:
            pid = conn.info.backend_pid
        await kill(pid)
        async with pool.connection() as conn:
            print(conn.info.backend_pid == pid, await (await conn.execute("SELECT 2")).fetchone())


async def cancelled():
    print("== cancelled tasks")
    async with AsyncConnectionPool(URL, min_size=1, max_size=1) as pool:

        async def sleep():
            async with pool.connection() as conn:
                await conn.execute("SELECT pg_sleep(60)")

        try:
            await asyncio.wait_for(sleep(), 0.3)
        except asyncio.TimeoutError:
            print("TimeoutError")
        async with pool.connection(timeout=20) as conn:
            print(await (await conn.execute("SELECT 3")).fetchone())

        async with pool.connection():
            try:
                await asyncio.wait_for(pool.getconn(), 0.1)
            except asyncio.TimeoutError:
                print("TimeoutError")
        async with pool.connection() as conn:
            print(await (await conn.execute("SELECT 4")).fetchone())


async def limits():
    print("== limits")
    async with AsyncConnectionPool(URL, min_size=1, max_size=1, max_waiting=1) as pool:
        async with pool.connection():
            waiting = asyncio.ensure_future(pool.getconn())
            await until(lambda: pool.get_stats()["requests_waiting"] == 1)
            try:
                await pool.getconn()
            except TooManyRequests as ex:
                print(type(ex).__name__)
        await pool.putconn(await waiting)
        async with pool.connection():
            try:
                await pool.getconn(timeout=0.1)
            except PoolTimeout as ex:
                print(type(ex).__name__)
        stats = pool.pop_stats()
        print({key: stats[key] for key in ("requests_num", "requests_errors", "connections_num", "pool_max")})
        await pool.resize(2, 3)
        await until(lambda: pool.get_stats()["pool_size"] == 2)
        print(pool.min_size, pool.max_size)

    failed = asyncio.Event()

    async def reconnect_failed(pool):
        failed.set()

    pool = AsyncConnectionPool(
        URL,
        min_size=1,
        kwargs={"dbname": "there_is_no_such_database"},
        reconnect_timeout=0.1,
        reconnect_failed=reconnect_failed,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=2)
    except PoolTimeout as ex:
        print(type(ex).__name__, failed.is_set())
    finally:
        await pool.close()


async def lifetimes():
    print("== idle and old connections")
    async with AsyncConnectionPool(URL, min_size=1, max_size=3, max_idle=0.3) as pool:
        async with pool.connection(), pool.connection(), pool.connection():
            print(pool.get_stats()["pool_size"])
        await until(lambda: pool.get_stats()["pool_size"] == 1)
        print(pool.get_stats()["pool_size"])


async def tasks():
    print("== tasks")
    async with AsyncConnectionPool(URL, min_size=1, max_size=4) as pool:

        async def square(number):
            async with pool.connection() as conn:
                cur = await conn.execute("SELECT %s::int * %s, pg_sleep(0.01)", [number, number])
                return (await cur.fetchone())[0]

        print(await asyncio.gather(*map(square, range(20))), pool.get_stats()["pool_size"] <= 4)


async def null_pool():
    print("== null pool")
    async with AsyncNullConnectionPool(URL, max_size=2) as pool:
        async with pool.connection() as conn:
            pid = conn.info.backend_pid
            print(await (await conn.execute("SELECT 1")).fetchone())
        async with pool.connection() as conn, pool.connection() as other:
            print(conn.info.backend_pid == pid)
            try:
                await pool.getconn(timeout=0.1)
            except PoolTimeout as ex:
                print(type(ex).__name__)
            print(await (await other.execute("SELECT 2")).fetchone())
        print(conn.closed)


async def listener():
    print("== notifications")
    async with AsyncConnectionPool(URL, min_size=2, kwargs={"autocommit": True}) as pool:
        async with pool.connection() as conn, pool.connection() as other:
            await conn.execute("LISTEN pool_news")
            for number in range(3):
                await other.execute("SELECT pg_notify('pool_news', %s)", [str(number)])
            print([notify.payload async for notify in conn.notifies(timeout=20, stop_after=3)])


class Counting(psycopg.AsyncConnection):
    """A connection class of one's own."""

    async def one(self, query):
        return (await (await self.execute(query)).fetchone())[0]


async def own_class():
    print("== own connection class")
    async with AsyncConnectionPool(
        URL, connection_class=Counting, kwargs={"autocommit": True, "prepare_threshold": 0}, min_size=1
    ) as pool:
        async with pool.connection() as conn:
            print(type(conn).__name__, await conn.one("SELECT 42"), conn.autocommit, conn.prepare_threshold)


async def main():
    await basics()
    await callbacks()
    await getconn_putconn()
    await broken()
    await cancelled()
    await limits()
    await lifetimes()
    await tasks()
    await null_pool()
    await listener()
    await own_class()


asyncio.run(main())
