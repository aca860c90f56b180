"""An ORM round trip with SQLAlchemy on asyncio."""

import asyncio
import decimal
import logging
import warnings

import sqlalchemy as sa
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import exc, func, inspect, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload
from sqlalchemy_models import URL, Author, Base, Book, Club, Color, Everything, everything, show

engine = create_async_engine(URL, pool_pre_ping=True)
Session = async_sessionmaker(engine, expire_on_commit=False)


async def tables():
    print("== tables")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        print(await connection.run_sync(lambda sync: sorted(inspect(sync).get_table_names())))
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns("everything"))
        print([(column["name"], str(column["type"])) for column in columns])
    print(engine.dialect.driver, engine.dialect.is_async, engine.dialect.dbapi.__version__ > "3.0")


async def orm():
    print("== objects")
    async with Session() as session:
        club = Club(name="chess")
        ada = Author(name="Ada", clubs=[club], books=[Book(title="Notes", price=decimal.Decimal("9.99"))])
        grace = Author(name="Grace", clubs=[club], books=[Book(title=f"volume {number}") for number in range(1200)])
        session.add_all([ada, grace])
        await session.commit()
        print(ada.id, grace.id, len({book.id for book in grace.books}))
        query = select(Author).options(selectinload(Author.books), selectinload(Author.clubs)).order_by(Author.name)
        for author in await session.scalars(query):
            print(author.name, len(author.books), [club.name for club in author.clubs])
        print((await session.execute(select(Book.title, Book.price).where(Book.price > 1))).all())
        await session.delete(ada)
        await session.rollback()
        await session.refresh(ada, ["books"])
        print([book.title for book in ada.books])
        session.add(Author(name="Ada"))
        try:
            await session.flush()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__, ex.orig.diag.constraint_name)


async def types():
    print("== types")
    async with Session() as session:
        session.add_all([everything(1), everything(2)])
        await session.commit()
        session.expunge_all()
        show((await session.scalars(select(Everything).where(Everything.big == 2**40 + 1))).one())
        query = select(
            Everything.binary_json["b"]["c"][0].as_boolean(),
            Everything.words.contains(["one"]),
            Everything.int_ranges.contains(5),
            func.upper(Everything.int_range),
        )
        print((await session.execute(query.where(Everything.color == Color.DARK_GREEN))).all())


async def streaming():
    print("== server-side cursors")
    async with engine.connect() as connection:
        result = await connection.stream(text("SELECT generate_series(1, 3000)"))
        print(await result.fetchone(), await result.fetchmany(2), sum([row[0] async for row in result]))
        result = await connection.stream_scalars(select(Book.id), execution_options={"yield_per": 100})
        print(len([part async for part in result.partitions()]))
    async with Session() as session:
        result = await session.stream(select(Book).order_by(Book.id).execution_options(yield_per=250))
        print(len([book async for book in result.scalars()]))


async def transactions():
    print("== transactions")
    async with Session() as session, session.begin():
        session.add(Club(name="outer"))
        await session.flush()
        try:
            async with session.begin_nested():
                session.add(Club(id=1, name="clash"))
                await session.flush()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__)
    async with engine.connect() as connection:
        print((await connection.scalars(select(Club.name).order_by(Club.id))).all())
    for level in ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level=level)
            print(level, await connection.scalar(text("SHOW transaction_isolation")))
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True}
    async with engine.execution_options(**options).connect() as connection:
        try:
            await connection.execute(text("DELETE FROM club"))
        except exc.InternalError as ex:
            print(type(ex.orig).__name__)

    def two_phases(connection):
        transaction = connection.begin_twophase()
        connection.execute(text("INSERT INTO club (name) VALUES ('two phases')"))
        transaction.prepare()
        transaction.commit()
        return connection.scalar(select(func.count()).where(Club.name == "two phases"))

    async with engine.connect() as connection:
        print(await connection.run_sync(two_phases))


async def at_once():
    print("== tasks")

    async def square(number):
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT CAST(:n AS int) * :n"), {"n": number})

    print(await asyncio.gather(*map(square, range(12))))
    async with engine.connect() as connection:
        try:
            await asyncio.wait_for(connection.execute(text("SELECT pg_sleep(60)")), 0.3)
        except asyncio.TimeoutError:
            print("TimeoutError")
    async with engine.connect() as connection:
        print(await connection.scalar(text("SELECT 'again'")))


async def disconnects():
    print("== lost connections")
    admin_engine = create_async_engine(URL, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    pid = text("SELECT pg_backend_pid()")
    kill = text("SELECT pg_terminate_backend(:pid, 5000)")
    async with admin_engine.connect() as admin, engine.connect() as connection:
        killed = await connection.scalar(pid)
        await connection.rollback()
        await admin.execute(kill, {"pid": killed})
        try:
            await connection.execute(text("SELECT 1"))
        except exc.DBAPIError as ex:
            print(type(ex).__name__, type(ex.orig).__name__, ex.connection_invalidated)
        await connection.rollback()
        print(await connection.scalar(pid) == killed)
    async with admin_engine.connect() as admin:
        async with engine.connect() as connection:
            killed = await connection.scalar(pid)
        await admin.execute(kill, {"pid": killed})
        async with engine.connect() as connection:
            print(await connection.scalar(pid) == killed)
    await admin_engine.dispose()


async def psycopgs_pool():
    print("== psycopg's pool")
    conninfo = URL.set(drivername="postgresql").render_as_string(hide_password=False)
    async with AsyncConnectionPool(conninfo, min_size=1, max_size=1, close_returns=True) as pool:
        other = create_async_engine("postgresql+psycopg://", poolclass=sa.NullPool, async_creator=pool.getconn)
        pids = set()
        for _ in range(3):
            async with other.connect() as connection:
                pids.add(await connection.scalar(text("SELECT pg_backend_pid()")))
        print(len(pids), pool.get_stats()["requests_num"])
        await other.dispose()


async def driver():
    print("== the driver")
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        async with raw.driver_connection.cursor() as cursor:
            async with cursor.copy("COPY club (name) FROM STDIN") as copy:
                for name in ["copied", "tab\tbed"]:
                    await copy.write_row([name])
            await cursor.execute("SELECT name FROM club WHERE name LIKE %s ORDER BY 1", ["%ed"])
            print(await cursor.fetchall())
        await connection.rollback()


async def main():
    await tables()
    await orm()
    await types()
    await streaming()
    await transactions()
    await at_once()
    await disconnects()
    await psycopgs_pool()
    await driver()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await engine.dispose()


logging.basicConfig(level=logging.CRITICAL)
warnings.simplefilter("error")
asyncio.run(main())
