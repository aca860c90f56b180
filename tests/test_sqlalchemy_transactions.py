"""SQLAlchemy in sessions: transactions and their levels, savepoints, two phases, the ORM, cursors on the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy_engines import engine_over

import neonps


class Base(orm.DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "dialect_owner"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(unique=True)
    pets: orm.Mapped[list[Pet]] = orm.relationship(back_populates="owner", cascade="all, delete-orphan")


class Pet(Base):
    __tablename__ = "dialect_pet"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    owner_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("dialect_owner.id"))
    owner: orm.Mapped[Owner] = orm.relationship(back_populates="pets")


owner = Owner.__table__


@pytest.fixture(scope="module", params=["tcp", "websocket"])
def engine(url: str, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    engine = engine_over(url, request.param)
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture(autouse=True)
def _empty(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        conn.execute(sa.text("TRUNCATE dialect_owner, dialect_pet RESTART IDENTITY"))


def names(engine: sa.Engine) -> list[str]:
    with engine.connect() as conn:
        return list(conn.scalars(sa.select(owner.c.name).order_by(owner.c.id)))


def test_orm(engine: sa.Engine) -> None:
    with orm.Session(engine) as session:
        session.add_all([Owner(name="Ada", pets=[Pet(name="Rex"), Pet(name="Tom")]), Owner(name="Bob")])
        session.commit()
        query = sa.select(Owner).options(orm.selectinload(Owner.pets)).order_by(Owner.name)
        assert [(each.name, [pet.name for pet in each.pets]) for each in session.scalars(query)] == [
            ("Ada", ["Rex", "Tom"]),
            ("Bob", []),
        ]
        bob = session.scalars(sa.select(Owner).where(Owner.name == "Bob")).one()
        bob.name = "Bert"
        session.flush()
        session.rollback()
        assert bob.name == "Bob"
        session.add(Owner(name="Ada"))
        with pytest.raises(exc.IntegrityError) as caught:
            session.flush()
        assert isinstance(caught.value.orig, neonps.errors.UniqueViolation)
        assert caught.value.orig.diag.constraint_name == "dialect_owner_name_key"
        with pytest.raises(exc.PendingRollbackError):
            session.scalar(sa.select(1))
        session.rollback()
        session.delete(session.get_one(Owner, 1))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Pet)) == 0


def test_savepoints(engine: sa.Engine) -> None:
    with orm.Session(engine) as session, session.begin():
        session.add(Owner(name="outer"))
        session.flush()
        with pytest.raises(exc.IntegrityError):
            with session.begin_nested():
                session.add(Owner(name="outer"))
                session.flush()
        with session.begin_nested() as nested:
            session.add(Owner(name="undone"))
            session.flush()
            nested.rollback()
        with session.begin_nested():
            session.add(Owner(name="inner"))
    assert names(engine) == ["outer", "inner"]


@pytest.mark.parametrize("level", ["READ COMMITTED", "READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_levels(engine: sa.Engine, level: str) -> None:
    with engine.connect().execution_options(isolation_level=level) as conn:
        assert conn.get_isolation_level() == level
        assert conn.scalar(sa.text("SHOW transaction_isolation")) == level.lower()
        assert not conn.connection.driver_connection.autocommit
    with engine.connect() as conn:
        assert conn.get_isolation_level() == "READ COMMITTED"


def test_autocommit(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(owner.insert(), {"name": "kept"})
        conn.rollback()
        conn.execute(sa.text("VACUUM dialect_owner"))
    assert names(engine) == ["kept"]
    with engine.connect() as conn:
        assert not conn.connection.driver_connection.autocommit


def test_read_only_and_deferrable(engine: sa.Engine) -> None:
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True, "postgresql_deferrable": True}
    with engine.execution_options(**options).connect() as conn:
        shown = [conn.scalar(sa.text(f"SHOW transaction_{name}")) for name in ("isolation", "read_only", "deferrable")]
        assert shown == ["serializable", "on", "on"]
        with pytest.raises(exc.InternalError) as caught:
            conn.execute(owner.delete())
        assert isinstance(caught.value.orig, neonps.errors.ReadOnlySqlTransaction)
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SHOW transaction_read_only")) == "off"


def test_two_phases(engine: sa.Engine) -> None:
    with engine.connect() as conn:
        transaction = conn.begin_twophase("dialect_committed")
        conn.execute(owner.insert(), {"name": "prepared"})
        transaction.prepare()
        transaction.commit()
        transaction = conn.begin_twophase("dialect_undone")
        conn.execute(owner.insert(), {"name": "undone"})
        transaction.prepare()
        transaction.rollback()
    raw = engine.raw_connection()  # as one that was left behind by a program that has crashed
    raw.driver_connection.tpc_begin("dialect_left")
    raw.driver_connection.execute("INSERT INTO dialect_owner (name) VALUES ('recovered')")
    raw.driver_connection.tpc_prepare()
    raw.invalidate()
    assert names(engine) == ["prepared"]
    with engine.connect() as conn:
        assert "dialect_left" in conn.recover_twophase()
        conn.commit()
        conn.commit_prepared("dialect_left", recover=True)
    assert names(engine) == ["prepared", "recovered"]


def test_many_rows(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        returning = owner.insert().returning(owner.c.id, owner.c.name, sort_by_parameter_order=True)
        rows = conn.execute(returning, [{"name": f"n{n}"} for n in range(2500)]).all()
        assert rows == [(n + 1, f"n{n}") for n in range(2500)]
        conn.execute(owner.insert(), [{"name": f"m{n}"} for n in range(2500)])
        update = owner.update().where(owner.c.name == sa.bindparam("old")).values(name=sa.bindparam("new"))
        changes = [{"old": f"m{n}", "new": f"o{n}"} for n in range(10)] + [{"old": "none", "new": "never"}]
        assert conn.execute(update, changes).rowcount == 10
        assert conn.execute(owner.delete().where(owner.c.name.like("m%"))).rowcount == 2490


def test_upsert(engine: sa.Engine) -> None:
    statement = insert(Owner).on_conflict_do_update(
        index_elements=["name"], set_={"name": insert(Owner).excluded.name + "!"}
    )
    with orm.Session(engine) as session, session.begin():
        session.execute(statement, [{"name": "Ada"}, {"name": "Bob"}])
        found = session.scalars(statement.returning(Owner), [{"name": "Ada"}, {"name": "Cyd"}]).all()
        assert sorted(each.name for each in found) == ["Ada!", "Cyd"]


def test_server_side_cursors(engine: sa.Engine) -> None:
    numbers = sa.select(sa.func.generate_series(1, 5000).label("n"))
    with engine.connect() as conn:
        options = {"stream_results": True, "max_row_buffer": 100}
        with conn.execute(numbers, execution_options=options) as result:
            assert conn.scalar(sa.text("SELECT count(*) FROM pg_cursors WHERE name LIKE 'c\\_%'")) == 1
            assert (result.fetchone(), result.fetchmany(2)) == ((1,), [(2,), (3,)])
            assert sum(row.n for row in result) == sum(range(4, 5001))
    with engine.connect().execution_options(yield_per=1000) as conn:
        assert [len(part) for part in conn.execute(numbers).partitions()] == [1000] * 5
    with orm.Session(engine) as session:
        session.execute(sa.insert(Owner), [{"name": f"{n}"} for n in range(25)])
        found = session.scalars(sa.select(Owner).order_by(Owner.id).execution_options(yield_per=10))
        assert [len(part) for part in found.partitions()] == [10, 10, 5]
