"""`neonps.pool`, in programs that use psycopg and its pools too. The pools themselves are tried by `test_programs`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import psycopg_pool
import pytest

import neonps
import neonps.errors
import neonps.pool

ROOT = Path(__file__).parent.parent


def check(program: str) -> None:
    """Run a program in a Python of its own, and raise what it raises."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(program)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""


@pytest.fixture(params=["tcp", "websocket"])
def conninfo(request: pytest.FixtureRequest, url: str) -> str:
    """What to connect to, over each transport that has sessions."""
    return f"{url}&transport={request.param}"


@pytest.mark.parametrize("name", ["ConnectionPool", "NullConnectionPool"])
def test_pools_have_connections_of_neonps(name: str, conninfo: str) -> None:
    with getattr(neonps.pool, name)(conninfo, min_size=0, max_size=2, open=True) as pool, pool.connection() as conn:
        assert type(conn) is neonps.Connection
        assert conn.execute("select 1").fetchone() == (1,)
        with pytest.raises(neonps.errors.DivisionByZero):
            conn.execute("select 1/0")


@pytest.mark.parametrize("name", ["AsyncConnectionPool", "AsyncNullConnectionPool"])
def test_asyncio_pools_have_connections_of_neonps(name: str, conninfo: str) -> None:
    async def main() -> None:
        async with getattr(neonps.pool, name)(conninfo, min_size=0, max_size=2) as pool:
            async with pool.connection() as conn:
                assert type(conn) is neonps.AsyncConnection
                cursor = await conn.execute("select 1")
                assert await cursor.fetchone() == (1,)

    asyncio.run(main())


def test_psycopgs_pools_stay_psycopgs(conninfo: str, dsn: str) -> None:
    with (
        psycopg_pool.ConnectionPool(dsn, min_size=1, open=True) as theirs,
        neonps.pool.ConnectionPool(conninfo, min_size=1, open=True) as ours,
    ):
        with theirs.connection() as conn, ours.connection() as other:
            assert type(conn) is psycopg.Connection
            assert type(other) is neonps.Connection
            query = "select application_name is not null from pg_stat_activity where pid = %s"
            assert conn.execute(query, [other.info.backend_pid]).fetchone() == (True,)


@pytest.mark.parametrize("name", neonps.pool.__all__)
def test_all_that_psycopg_pool_has_is_there(name: str) -> None:
    assert sorted(neonps.pool.__all__) == sorted(psycopg_pool.__all__)
    ours, theirs = getattr(neonps.pool, name), getattr(psycopg_pool, name)
    assert ours is not theirs
    assert ours.__name__ == theirs.__name__


@pytest.mark.parametrize("name", ["PoolClosed", "PoolTimeout", "TooManyRequests"])
def test_errors_are_operational_errors(name: str) -> None:
    error: Any = getattr(neonps.pool, name)
    assert issubclass(error, neonps.OperationalError)
    assert not issubclass(error, psycopg.Error)


def test_a_broken_connection_is_replaced(conninfo: str, admin: psycopg.Connection[Any]) -> None:
    check_connection = neonps.pool.ConnectionPool.check_connection
    with neonps.pool.ConnectionPool(conninfo, min_size=1, max_size=1, open=True, check=check_connection) as pool:
        with pool.connection() as conn:
            pid = conn.info.backend_pid
        admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
        with pool.connection() as conn:
            assert conn.info.backend_pid != pid


def test_the_copy_leaves_psycopg_alone() -> None:
    check(
        """
        import sys
        import neonps.pool

        assert not [name for name in sys.modules if name.partition(".")[0] in ("psycopg", "psycopg_pool")]
        import psycopg, psycopg_pool
        assert psycopg.Connection is not neonps.Connection
        assert issubclass(psycopg_pool.PoolTimeout, psycopg.OperationalError)
        assert psycopg_pool.ConnectionPool is not neonps.pool.ConnectionPool
        """
    )


@pytest.mark.parametrize("first", ["neonps.install_as_psycopg()", "import neonps.pool"])
def test_there_is_one_pool_where_psycopg_is_neonps(first: str) -> None:
    check(
        f"""
        import neonps
        {first}
        neonps.install_as_psycopg()
        import neonps.pool
        import psycopg_pool
        from psycopg_pool.errors import PoolTimeout
        assert psycopg_pool.ConnectionPool is neonps.pool.ConnectionPool
        assert PoolTimeout is psycopg_pool.PoolTimeout is neonps.pool.PoolTimeout
        assert issubclass(PoolTimeout, neonps.OperationalError)
        """
    )


def test_without_psycopg_pool() -> None:
    check(
        """
        import sys
        sys.modules["psycopg_pool"] = None
        try:
            import neonps.pool
        except ModuleNotFoundError as error:
            assert str(error) == "neonps.pool needs psycopg_pool: pip install 'neonps[pool]'", error
            assert error.name == "psycopg_pool"
        else:
            raise AssertionError
        """
    )


def terminate(conn: neonps.Connection[Any]) -> None:
    """Have a connection lose its session."""
    with pytest.raises(neonps.OperationalError):
        conn.execute("select pg_terminate_backend(pg_backend_pid())")


def test_a_lost_connection_that_is_closed_leaves_its_place(conninfo: str) -> None:
    """With `close_returns` some close what they have got by `getconn()`, and the pool has to know."""
    with neonps.pool.ConnectionPool(conninfo, min_size=1, max_size=2, close_returns=True, timeout=20) as pool:
        for _ in range(5):
            conn = pool.getconn()
            terminate(conn)
            conn.close()
            conn.close()
        conn = pool.getconn()
        assert conn.execute("select 1").fetchone() == (1,)
        conn.close()
        pool.wait()
        assert pool.get_stats()["pool_size"] <= 2


def test_a_lost_asyncio_connection_that_is_closed_leaves_its_place(conninfo: str) -> None:
    async def main() -> None:
        pools = neonps.pool.AsyncConnectionPool
        async with pools(conninfo, min_size=1, max_size=2, close_returns=True, timeout=20) as pool:
            for _ in range(5):
                conn = await pool.getconn()
                with pytest.raises(neonps.OperationalError):
                    await conn.execute("select pg_terminate_backend(pg_backend_pid())")
                await conn.close()
                await conn.close()
            await pool.wait()
            assert pool.get_stats()["pool_size"] <= 2

    asyncio.run(main())


@pytest.mark.parametrize("autocommit", [True, False])
def test_what_comes_back_within_a_pipeline_over_http(
    url: str, numbers: Callable[[], list[int]], autocommit: bool
) -> None:
    """Whoever gets the next connection is in no pipeline, which would keep what he executes, and drop it."""
    kwargs = {"transport": "http", "autocommit": autocommit}
    with neonps.pool.ConnectionPool(url, min_size=1, max_size=1, kwargs=kwargs, timeout=20) as pool:
        conn = pool.getconn()
        conn.pipeline().__enter__()
        conn.execute("insert into numbers values (1)")
        assert conn.info.transaction_status.name == "ACTIVE"
        pool.putconn(conn)
        with pool.connection() as conn:
            assert conn.info.pipeline_status.name == "OFF"
            conn.execute("insert into numbers values (2)")
    assert numbers() == [2]


def test_a_snapshot_does_not_outlive_the_one_who_took_it(url: str) -> None:
    def configure(conn: neonps.Connection[Any]) -> None:
        conn.isolation_level = neonps.IsolationLevel.SERIALIZABLE

    kwargs = {"transport": "http"}
    with neonps.pool.ConnectionPool(
        url, min_size=1, max_size=1, kwargs=kwargs, configure=configure, timeout=20
    ) as pool:
        for _ in range(2):
            conn = pool.getconn()
            assert conn.execute("show transaction_isolation").fetchone() == ("serializable",)
            pool.putconn(conn)
