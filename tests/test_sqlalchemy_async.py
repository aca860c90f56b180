"""SQLAlchemy on asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, Range
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy_engines import address
from transports import on_sessions

import neonps

With = Callable[[AsyncEngine], Awaitable[None]]


@pytest.fixture
def with_engine(url: str, transport: str) -> Callable[..., None]:
    """Runs a coroutine function with an engine over `transport`."""

    def run(main: With, **kwargs: Any) -> None:
        async def whole() -> None:
            engine = create_async_engine(address(url, transport), **kwargs)
            try:
                await main(engine)
            finally:
                await engine.dispose()

        asyncio.run(whole())

    return run


def test_queries(with_engine: Callable[..., None]) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with engine.connect() as conn:
            query = sa.select(sa.cast({"a": 1}, JSONB), sa.cast(Range(1, 3), INT4RANGE))
            assert (await conn.execute(query)).one() == ({"a": 1}, Range(1, 3))
            with pytest.raises(exc.ProgrammingError) as caught:
                await conn.execute(sa.text("SELECT * FROM not_there"))
            assert isinstance(caught.value.orig, neonps.errors.UndefinedTable)
        async with engine.connect() as conn:  # from the pool, pinged
            raw = await conn.get_raw_connection()
            assert isinstance(raw.driver_connection, neonps.AsyncConnection)
            assert "pg_class" in await conn.run_sync(lambda c: sa.inspect(c).get_table_names("pg_catalog"))

    with_engine(main, pool_pre_ping=True)


#: In a new process, in which nobody has asked for what the driver imports late.
LATE = """
from neonps.sqlalchemy import NeonpsDialectAsync
module = NeonpsDialectAsync.import_dbapi()
print(module.Binary(b"x").obj, module.STRING.__class__.__module__, hasattr(module, "not_there"))
"""


def test_the_module_has_what_the_driver_imports_late() -> None:
    ran = subprocess.run([sys.executable, "-W", "error", "-c", LATE], capture_output=True, encoding="utf-8", timeout=60)
    assert (ran.stdout, ran.stderr) == ("b'x' neonps.dbapi False\n", "")


def test_cursor_factory(with_engine: Callable[..., None]) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with engine.connect() as conn:
            assert (await conn.execute(sa.select(1, sa.literal("it's")))).one() == (1, "it's")

    with_engine(main, connect_args={"cursor_factory": neonps.AsyncClientCursor})


def test_explicit_name(url: str, transport: str) -> None:
    async def main() -> None:
        engine = create_async_engine(address(url, transport).set(drivername="postgresql+neonps_async"))
        async with engine.connect() as conn:
            assert await conn.scalar(sa.text("SELECT 1")) == 1
        await engine.dispose()

    asyncio.run(main())


@on_sessions
def test_orm(with_engine: Callable[..., None]) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Tree(Base):
        __tablename__ = "dialect_tree"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str]
        parent_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("dialect_tree.id"))

    Tree.children = orm.relationship(Tree)

    async def main(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session:
                session.add(Tree(name="root", children=[Tree(name="a"), Tree(name="b")]))
                await session.commit()
                async with session.begin_nested() as nested:
                    session.add(Tree(name="undone"))
                    await session.flush()
                    await nested.rollback()
                query = sa.select(Tree).where(Tree.name == "root").options(orm.selectinload(Tree.children))
                root = (await session.scalars(query)).one()
                assert [child.name for child in root.children] == ["a", "b"]
                streamed = await session.stream_scalars(sa.select(Tree.name).order_by(Tree.id))
                assert [name async for name in streamed] == ["root", "a", "b"]
        finally:
            async with engine.begin() as conn:
                await conn.run_sync(Base.metadata.drop_all)

    with_engine(main)


@on_sessions
def test_streams(with_engine: Callable[..., None]) -> None:
    numbers = sa.select(sa.func.generate_series(1, 3000).label("n"))

    async def main(engine: AsyncEngine) -> None:
        async with engine.connect() as conn:
            async with conn.stream(numbers) as result:
                assert await conn.scalar(sa.text("SELECT count(*) FROM pg_cursors WHERE name LIKE 'c\\_%'")) == 1
                assert (await result.fetchone(), await result.fetchmany(2)) == ((1,), [(2,), (3,)])
                assert sum([row.n async for row in result]) == sum(range(4, 3001))
            result = await conn.stream(numbers, execution_options={"yield_per": 1000})
            assert [len(part) async for part in result.partitions()] == [1000] * 3

    with_engine(main)


@on_sessions
def test_isolation_levels_and_two_phases(with_engine: Callable[..., None]) -> None:
    def two_phases(conn: sa.Connection) -> list[str]:
        transaction = conn.begin_twophase("dialect_async")
        conn.execute(sa.text("SELECT txid_current()"))
        transaction.prepare()
        transaction.commit()
        return conn.recover_twophase()

    async def main(engine: AsyncEngine) -> None:
        options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True, "postgresql_deferrable": True}
        async with engine.execution_options(**options).connect() as conn:
            names = ("isolation", "read_only", "deferrable")
            shown = [await conn.scalar(sa.text(f"SHOW transaction_{name}")) for name in names]
            assert shown == ["serializable", "on", "on"]
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
            await conn.execute(sa.text("VACUUM pg_class"))
        async with engine.connect() as conn:
            assert await conn.run_sync(two_phases) == []

    with_engine(main)


@on_sessions
def test_cancelled_task(with_engine: Callable[..., None], admin: psycopg.Connection[Any], mark: str) -> None:
    async def main(engine: AsyncEngine) -> None:
        async def sleep() -> None:
            async with engine.connect() as conn:
                await conn.execute(sa.text(f"SELECT pg_sleep(60) /* {mark} */"))

        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> %s"
        parameters = [f"%{mark}%", admin.info.backend_pid]

        async def wait_for(count: int) -> None:
            while admin.execute(running, parameters).fetchone() != (count,):
                await asyncio.sleep(0.01)

        task = asyncio.create_task(sleep())
        await wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_for(0)
        async with engine.connect() as conn:
            assert await conn.scalar(sa.text("SELECT 'again'")) == "again"

    with_engine(main)


@on_sessions
def test_killed_backend(with_engine: Callable[..., None], admin: psycopg.Connection[Any]) -> None:
    pid = sa.text("SELECT pg_backend_pid()")

    async def main(engine: AsyncEngine) -> None:
        async with engine.connect() as conn:
            killed = await conn.scalar(pid)
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [killed])
            with pytest.raises(exc.DBAPIError) as caught:
                await conn.execute(pid)
            assert caught.value.connection_invalidated
            await conn.rollback()
            assert await conn.scalar(pid) != killed

    with_engine(main)


@on_sessions
def test_copy(with_engine: Callable[..., None]) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with engine.connect() as conn:
            await conn.execute(sa.text("CREATE TEMPORARY TABLE copied (a int)"))
            raw = await conn.get_raw_connection()
            async with raw.driver_connection.cursor() as cursor:
                async with cursor.copy("COPY copied FROM STDIN") as copy:
                    for number in range(3):
                        await copy.write_row([number])
            assert (await conn.scalars(sa.text("SELECT a FROM copied ORDER BY 1"))).all() == [0, 1, 2]

    with_engine(main)


@on_sessions
def test_many_tasks(with_engine: Callable[..., None]) -> None:
    async def main(engine: AsyncEngine) -> None:
        async def square(number: int) -> int:
            async with engine.connect() as conn:
                found: int = await conn.scalar(sa.text("SELECT CAST(:n AS int) * :n"), {"n": number})
                return found

        assert await asyncio.gather(*map(square, range(12))) == [number**2 for number in range(12)]

    with_engine(main, pool_size=3, max_overflow=0)
