"""SQLAlchemy over HTTP: in AUTOCOMMIT all works; otherwise what needs an open transaction fails and leaves nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine


class Base(orm.DeclarativeBase):
    pass


class Plant(Base):
    __tablename__ = "plant"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    leaves: orm.Mapped[list[Leaf]] = orm.relationship(back_populates="plant", cascade="all, delete-orphan")


class Leaf(Base):
    __tablename__ = "leaf"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    plant_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("plant.id"))
    plant: orm.Mapped[Plant] = orm.relationship(back_populates="leaves")


plant = Plant.__table__

Names = Callable[[], list[str]]


@pytest.fixture(scope="module")
def http_url(url: str) -> sa.URL:
    return sa.make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": "http"})


@pytest.fixture(scope="module")
def auto(http_url: sa.URL) -> Iterator[sa.Engine]:
    """An engine in AUTOCOMMIT, with the tables."""
    engine = sa.create_engine(http_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def names(auto: sa.Engine, admin: psycopg.Connection[Any]) -> Names:
    """What is in the table, as another driver sees it; one plant is there at first."""
    admin.execute("TRUNCATE plant, leaf RESTART IDENTITY; INSERT INTO plant (name) VALUES ('oak')")
    return lambda: [name for (name,) in admin.execute("SELECT name FROM plant ORDER BY id")]


@pytest.fixture
def engine(http_url: sa.URL) -> Iterator[sa.Engine]:
    """An engine as it is by default, with transactions."""
    engine = sa.create_engine(http_url, pool_pre_ping=True)
    yield engine
    engine.dispose()


def test_initialized(engine: sa.Engine) -> None:
    with engine.connect() as conn:
        assert conn.dialect.server_version_info >= (12,)
        assert conn.dialect.default_schema_name == "public"
        assert conn.default_isolation_level == "READ COMMITTED"
        assert conn.get_isolation_level() == "READ COMMITTED"


def test_orm_in_autocommit(auto: sa.Engine, names: Names) -> None:
    with orm.Session(auto) as session:
        ash = Plant(name="ash", leaves=[Leaf(), Leaf()])
        session.add_all([ash, Plant(name="elm")])
        session.commit()
        assert (ash.id, len({leaf.id for leaf in ash.leaves})) == (2, 2)
        ash.name = "beech"
        session.commit()
        session.expunge_all()
        found = session.scalars(sa.select(Plant).options(orm.selectinload(Plant.leaves)).order_by(Plant.id)).all()
        assert [(each.name, len(each.leaves)) for each in found] == [("oak", 0), ("beech", 2), ("elm", 0)]
        session.delete(found[1])
        session.commit()
    assert names() == ["oak", "elm"]


def test_core_in_autocommit(auto: sa.Engine, names: Names) -> None:
    with auto.connect() as conn:
        assert conn.execute(plant.insert(), {"name": "ash"}).inserted_primary_key == (2,)
        many = plant.insert().returning(plant.c.id, sort_by_parameter_order=True)
        assert conn.scalars(many, [{"name": f"{n}"} for n in range(1500)]).all() == list(range(3, 1503))
        assert conn.execute(plant.delete().where(plant.c.id > 2)).rowcount == 1500
        update = plant.update().where(plant.c.name == sa.bindparam("old")).values(name=sa.bindparam("new"))
        assert conn.execute(update, [{"old": "oak", "new": "x"}, {"old": "ash", "new": "y"}]).rowcount == 2
        with pytest.raises(exc.IntegrityError) as caught:
            conn.execute(plant.insert(), [{"id": 70, "name": "lost"}, {"id": 1, "name": "clash"}])
        assert (caught.value.orig.sqlstate, caught.value.connection_invalidated) == ("23505", False)
    assert names() == ["x", "y"]


def test_pinged_when_taken_from_the_pool(engine: sa.Engine, names: Names) -> None:
    connections = set()
    for _ in range(3):
        with engine.connect() as conn:
            assert conn.scalar(sa.select(plant.c.name)) == "oak"
            connections.add(conn.connection.driver_connection)
    assert len(connections) == 1


def test_reads_in_a_transaction(engine: sa.Engine, names: Names) -> None:
    with orm.Session(engine) as session:
        assert session.scalars(sa.select(Plant).options(orm.selectinload(Plant.leaves))).one().leaves == []
        assert session.execute(sa.text("SELECT name FROM plant")).all() == [("oak",)]
    columns = sa.inspect(engine).get_columns("plant")
    assert [column["name"] for column in columns] == ["id", "name"]
    reflected = sa.MetaData()
    reflected.reflect(engine, only=["plant", "leaf"])
    assert {table.name for table in reflected.sorted_tables} == {"plant", "leaf"}


def test_statements_without_results_are_one_transaction(engine: sa.Engine, names: Names) -> None:
    with engine.begin() as conn:
        assert not conn.execute(plant.insert(), [{"name": "ash"}, {"name": "elm"}]).returns_rows
        conn.execute(plant.update().where(plant.c.name == "ash").values(name="beech"))
        conn.execute(sa.text("DELETE FROM plant WHERE name = 'oak' /* not RETURNING */"))
        assert names() == ["oak"]
    assert names() == ["beech", "elm"]


def test_statements_that_are_rolled_back(engine: sa.Engine, names: Names) -> None:
    with engine.connect() as conn:
        conn.execute(plant.insert().inline(), {"name": "ash"})
        conn.rollback()
        conn.execute(plant.insert().inline(), {"name": "elm"})
    assert names() == ["oak"]


def test_error_at_commit(engine: sa.Engine, names: Names) -> None:
    with pytest.raises(exc.IntegrityError) as caught:
        with engine.begin() as conn:
            conn.execute(plant.insert(), [{"id": 5, "name": "ash"}])
            conn.execute(plant.insert(), [{"id": 1, "name": "clash"}])
    assert caught.value.orig.diag.constraint_name == "plant_pkey"
    assert names() == ["oak"]


def _insert_one(conn: sa.Connection) -> None:
    conn.execute(plant.insert(), {"name": "new"})


def _insert_returning(conn: sa.Connection) -> None:
    conn.execute(plant.insert().returning(plant.c.id), [{"name": "new"}, {"name": "newer"}])


def _update_returning(conn: sa.Connection) -> None:
    conn.execute(plant.update().values(name="new").returning(plant.c.id))


def _text_returning(conn: sa.Connection) -> None:
    conn.execute(sa.text("DELETE FROM plant RETURNING id"))


def _driver_sql_returning(conn: sa.Connection) -> None:
    conn.exec_driver_sql("INSERT INTO plant (name) VALUES ('new') returning id")


def _query_after_statement(conn: sa.Connection) -> None:
    conn.execute(plant.insert().inline(), {"name": "new"})
    conn.execute(sa.select(plant))


def _text_query_after_statement(conn: sa.Connection) -> None:
    conn.execute(plant.insert().inline(), {"name": "new"})
    conn.execute(sa.text("SELECT * FROM plant"))


def _count_of_rows(conn: sa.Connection) -> None:
    assert conn.execute(plant.delete()).rowcount != 0


def _savepoint(conn: sa.Connection) -> None:
    conn.execute(plant.insert().inline(), {"name": "new"})
    conn.begin_nested()


def _writing_query(conn: sa.Connection) -> None:
    conn.scalar(sa.select(sa.func.nextval("plant_id_seq")))


def _lock(conn: sa.Connection) -> None:
    conn.execute(sa.select(plant).with_for_update())


def _writing_cte(conn: sa.Connection) -> None:
    inserted = plant.insert().values(name="new").returning(plant.c.id).cte()
    conn.execute(sa.select(inserted))


def _stream(conn: sa.Connection) -> None:
    conn.execution_options(stream_results=True).execute(sa.select(plant))


def _yield_per(conn: sa.Connection) -> None:
    conn.execute(sa.select(plant).execution_options(yield_per=10))


def _temporary_table(conn: sa.Connection) -> None:
    sa.Table("passing", sa.MetaData(), sa.Column("a", sa.Integer), prefixes=["TEMPORARY"]).create(conn)


def _temporary_view(conn: sa.Connection) -> None:
    conn.execute(sa.text("CREATE OR REPLACE TEMP VIEW passing AS SELECT 1"))


def _flush(conn: sa.Connection) -> None:
    with orm.Session(conn) as session:
        session.add(Plant(name="new"))
        session.flush()


def _flush_update(conn: sa.Connection) -> None:
    with orm.Session(conn) as session:
        session.scalars(sa.select(Plant)).one().name = "new"
        session.flush()


def _flush_delete(conn: sa.Connection) -> None:
    with orm.Session(conn) as session:
        session.delete(session.scalars(sa.select(Plant)).one())
        session.flush()


def _second_read_with_a_snapshot(conn: sa.Connection) -> None:
    conn.execution_options(isolation_level="REPEATABLE READ")
    conn.execute(sa.select(plant))
    conn.execute(sa.select(plant))


_REFUSED = [
    (_insert_one, "AUTOCOMMIT"),
    (_insert_returning, "AUTOCOMMIT"),
    (_update_returning, "AUTOCOMMIT"),
    (_text_returning, "AUTOCOMMIT"),
    (_driver_sql_returning, "AUTOCOMMIT"),
    (_query_after_statement, "commit first.*AUTOCOMMIT"),
    (_text_query_after_statement, "commit first.*AUTOCOMMIT"),
    (_count_of_rows, "number of rows.*AUTOCOMMIT"),
    (_savepoint, "transport=websocket"),
    (_writing_query, "AUTOCOMMIT"),
    (_lock, "AUTOCOMMIT"),
    (_writing_cte, "AUTOCOMMIT"),
    (_stream, "transport=websocket"),
    (_yield_per, "transport=websocket"),
    (_temporary_table, "temporary.*transport=websocket"),
    (_temporary_view, "temporary.*transport=websocket"),
    (_flush, "AUTOCOMMIT"),
    (_flush_update, "AUTOCOMMIT"),
    (_flush_delete, "AUTOCOMMIT"),
    (_second_read_with_a_snapshot, "AUTOCOMMIT"),
]


@pytest.mark.parametrize(("refused", "advice"), _REFUSED, ids=lambda value: getattr(value, "__name__", "")[1:])
def test_refused_and_nothing_done(
    refused: Callable[[sa.Connection], None], advice: str, engine: sa.Engine, names: Names
) -> None:
    with pytest.raises(exc.DBAPIError, match=advice) as caught:
        with engine.connect() as conn:
            refused(conn)
            conn.commit()
    assert isinstance(caught.value, (exc.NotSupportedError, exc.InternalError))
    assert "autocommit=True" not in str(caught.value)
    assert names() == ["oak"]


@pytest.mark.parametrize("refused", [_insert_one, _flush, _text_returning, _writing_query, _savepoint])
def test_what_was_refused_is_not_committed_later(
    refused: Callable[[sa.Connection], None], engine: sa.Engine, names: Names
) -> None:
    before = ["new"] if refused is _savepoint else []  # the statement in front of it was not refused
    with engine.connect() as conn:
        with pytest.raises(exc.DBAPIError):
            refused(conn)
        conn.execute(plant.insert().inline(), {"name": "other"})
        conn.commit()
    assert names() == ["oak", *before, "other"]


def test_two_phases_are_refused(engine: sa.Engine, names: Names) -> None:
    with engine.connect() as conn:
        with pytest.raises(exc.NotSupportedError, match="transport=websocket"):
            conn.begin_twophase().prepare()  # earlier versions find out here
    assert names() == ["oak"]


@pytest.mark.parametrize("refused", [_savepoint, _stream, _temporary_table])
def test_refused_in_autocommit_too(refused: Callable[[sa.Connection], None], auto: sa.Engine, names: Names) -> None:
    with auto.connect() as conn, pytest.raises(exc.NotSupportedError, match="transport=websocket"):
        refused(conn)


@pytest.mark.parametrize(
    "unknown",
    [
        lambda conn: conn.scalars(sa.select(plant.c.name)).all(),
        lambda conn: conn.execute(plant.insert(), {"name": "elm"}).inserted_primary_key,
        lambda conn: conn.execute(plant.update().values(name="elm")).rowcount,
    ],
    ids=["query", "RETURNING", "rowcount"],
)
def test_results_within_a_transaction_of_the_driver(
    unknown: Callable[[sa.Connection], Any], auto: sa.Engine, names: Names
) -> None:
    """In AUTOCOMMIT too, what is in such a block waits for its end, and has no results before."""
    with auto.connect() as conn:
        transaction = conn.connection.driver_connection.transaction
        with (
            pytest.raises(exc.NotSupportedError, match=r"end the block of the driver's transaction\(\)"),
            transaction(),
        ):
            unknown(conn)
        assert names() == ["oak"]
        with transaction():
            conn.execute(plant.insert(), [{"name": "ash"}, {"name": "fir"}])
            conn.execute(plant.delete().where(plant.c.name == "oak"))
            assert names() == ["oak"]
        assert conn.scalars(sa.select(plant.c.name).order_by(plant.c.id)).all() == ["ash", "fir"]


def test_temporary_within_one_transaction(engine: sa.Engine, names: Names) -> None:
    with engine.begin() as conn:
        conn.execute(sa.text("CREATE TEMP TABLE passing ON COMMIT DROP AS SELECT name || '!' AS name FROM plant"))
        conn.execute(sa.text("INSERT INTO plant (name) SELECT name FROM passing"))
    assert names() == ["oak", "oak!"]


def test_orm_with_keys_of_its_own(engine: sa.Engine, names: Names) -> None:
    with orm.Session(engine) as session, session.begin():
        session.add_all([Plant(id=8, name="ash"), Plant(id=9, name="elm")])
        session.flush()
        assert names() == ["oak"]
    assert names() == ["oak", "ash", "elm"]


def test_isolation_and_reading_only(engine: sa.Engine, names: Names) -> None:
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True}
    with engine.execution_options(**options).connect() as conn:
        assert conn.scalar(sa.text("SHOW transaction_isolation")) == "serializable"
        conn.rollback()
        conn.execute(plant.delete())
        with pytest.raises(exc.InternalError) as caught:
            conn.commit()
    assert caught.value.orig.sqlstate == "25006"
    assert names() == ["oak"]


@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
def test_wrong_password(http_url: sa.URL) -> None:
    """It is found out by the first statement; SQLAlchemy 2.0.40 leaves the connection to the garbage collector then."""
    engine = sa.create_engine(http_url.set(password="not it"))
    with pytest.raises(exc.OperationalError) as caught:
        engine.connect()
    assert "not it" not in str(caught.value)
    del caught
    engine.dispose()
    gc.collect()


def test_on_asyncio(http_url: sa.URL, auto: sa.Engine, names: Names) -> None:
    async def main() -> None:
        engine = create_async_engine(http_url, pool_pre_ping=True)
        async with engine.connect() as conn:
            assert (await conn.scalars(sa.select(plant.c.name))).all() == ["oak"]
            with pytest.raises(exc.NotSupportedError, match="AUTOCOMMIT"):
                await conn.execute(plant.insert(), {"name": "new"})
            with pytest.raises(exc.NotSupportedError, match="transport=websocket"):
                await conn.stream(sa.select(plant))
            await conn.commit()
        assert names() == ["oak"]
        async with AsyncSession(engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
            session.add(Plant(name="ash"))
            await session.commit()
        await engine.dispose()

    asyncio.run(main())
    assert names() == ["oak", "ash"]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_engine_with_a_snapshot(http_url: sa.URL, names: Names, level: str) -> None:
    """What SQLAlchemy asks at first are several queries; after that each transaction has its level."""
    engine = sa.create_engine(http_url, isolation_level=level)
    for _ in range(2):
        with engine.begin() as conn:
            assert conn.scalar(sa.text("SHOW transaction_isolation")) == level.lower()
    with engine.begin() as conn:
        conn.execute(plant.insert().inline(), {"name": "ash"})
    assert names() == ["oak", "ash"]
    assert engine.dialect.default_isolation_level == "READ COMMITTED"
    engine.dispose()


def test_an_asyncio_engine_with_a_snapshot(http_url: sa.URL) -> None:
    async def main() -> None:
        engine = create_async_engine(http_url, isolation_level="SERIALIZABLE")
        for _ in range(2):
            async with engine.begin() as conn:
                assert await conn.scalar(sa.text("SHOW transaction_isolation")) == "serializable"
        await engine.dispose()

    asyncio.run(main())
