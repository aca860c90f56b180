"""An ORM round trip with SQLAlchemy."""

import decimal
import logging
import warnings

import sqlalchemy as sa
from sqlalchemy import create_engine, event, exc, func, inspect, select, text
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, insert
from sqlalchemy.orm import Session, aliased, joinedload, selectinload
from sqlalchemy_models import URL, Author, Base, Book, Club, Color, Everything, everything, show

engine = create_engine(URL, pool_pre_ping=True)


def versions():
    print("== the dialect")
    with engine.connect() as connection:
        print(engine.dialect.name, engine.dialect.driver, engine.dialect.server_version_info > (12,))
        print(connection.scalar(text("SELECT 1")), connection.get_isolation_level(), connection.default_isolation_level)
        print(connection.dialect.default_schema_name, connection.dialect._backslash_escapes)
        print(engine.dialect._has_native_hstore)


def tables():
    print("== tables")
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)  # finds that they are there
    found = inspect(engine)
    print(sorted(found.get_table_names()))
    for column in found.get_columns("everything"):
        print(" ", column["name"], column["type"], column["nullable"], column.get("default"), column.get("computed"))
    print(found.get_pk_constraint("book"), found.get_unique_constraints("book"))
    print(found.get_foreign_keys("membership"))
    print(found.get_indexes("book"))
    print(found.get_enums(), found.get_table_comment("book"))
    print(found.get_columns("author")[0]["identity"]["start"], found.has_table("nothing"))
    reflected = sa.MetaData()
    reflected.reflect(engine)
    print([table.name for table in reflected.sorted_tables])
    print(sorted(constraint.name for constraint in reflected.tables["everything"].constraints))


def orm():
    print("== objects")
    with Session(engine) as session:
        club = Club(name="chess")
        ada = Author(name="Ada", books=[Book(title="Notes", price=decimal.Decimal("9.99")), Book(title="Letters")])
        grace = Author(name="Grace", books=[Book(title="Bugs", price=decimal.Decimal("12.50"))])
        ada.clubs = [club, Club(name="bridge")]
        grace.clubs = [club]
        session.add_all([ada, grace])
        session.commit()
        print(ada.id, grace.id, [book.id for book in ada.books])

        for author in session.scalars(select(Author).options(selectinload(Author.books)).order_by(Author.name)):
            print(author.name, [(book.title, book.price) for book in author.books], [c.name for c in author.clubs])
        query = (
            select(Book).options(joinedload(Book.author)).where(Book.price > decimal.Decimal("5")).order_by(Book.price)
        )
        print([(book.title, book.author.name) for book in session.scalars(query)])
        totals = (
            select(Author.name, func.sum(Book.price), func.count()).join(Book).group_by(Author.name).order_by("name")
        )
        print(session.execute(totals).all())
        other = aliased(Book)
        exists = select(Author.name).where(select(other.id).where(other.author_id == Author.id).exists())
        print(sorted(session.scalars(exists)))
        print(session.scalars(select(Author.name).where(Author.name.in_(["Ada", "Nobody"]))).all())
        ranked = select(Book.title, func.rank().over(order_by=Book.price.desc().nulls_last())).order_by(sa.text("2"))
        print(session.execute(ranked).all())

        ada.books[0].title = "Notes on the engine"
        session.delete(ada.books[1])
        session.flush()
        print(session.scalar(select(func.count()).select_from(Book)))
        session.rollback()
        print(sorted(book.title for book in ada.books))

        print(session.execute(sa.update(Book).where(Book.price.is_(None)).values(price=1).returning(Book.title)).all())
        print(session.execute(sa.delete(Author).where(Author.name == "Nobody")).rowcount)
        session.commit()

        session.add(Author(name="Ada"))
        try:
            session.flush()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__, ex.orig.sqlstate, ex.orig.diag.constraint_name, ex.connection_invalidated)
            session.rollback()
        locked = session.scalars(select(Author).where(Author.name == "Ada").with_for_update(skip_locked=True)).one()
        print(locked.name)


def many():
    print("== many rows")
    with Session(engine) as session:
        author = session.scalars(select(Author).where(Author.name == "Grace")).one()
        # More than one statement with many VALUES each, whose RETURNING keeps the order.
        books = [Book(title=f"volume {number}", author=author) for number in range(2500)]
        session.add_all(books)
        session.commit()
        ids = [book.id for book in books]
        print(len(set(ids)), ids == sorted(ids))
        returned = session.scalars(
            sa.insert(Club).returning(Club.name, sort_by_parameter_order=True),
            [{"name": f"club {number}"} for number in range(1500)],
        ).all()
        print(len(returned), returned[:2], returned[-1])
        session.rollback()
        statement = insert(Club).values([{"id": 1, "name": "other"}, {"id": 77, "name": "new"}])
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"name": statement.excluded.name})
        print(session.scalars(statement.returning(Club.name)).all())
        session.rollback()
    with engine.begin() as connection:
        result = connection.execute(
            sa.update(Book).where(Book.title == sa.bindparam("old")).values(price=sa.bindparam("new")),
            [{"old": f"volume {number}", "new": number} for number in range(10)],
        )
        print(result.rowcount)
        print(connection.scalar(select(func.sum(Book.price)).where(Book.title.like("volume %"))))
        compiled = text("INSERT INTO club (name) VALUES (:name)")
        print(connection.execute(compiled, [{"name": "x"}, {"name": "y"}]).rowcount)
        connection.rollback()


def types():
    print("== types")
    with Session(engine) as session:
        session.add_all([everything(1), everything(2)])
        session.commit()
        session.expire_all()
        show(session.scalars(select(Everything).where(Everything.big == 2**40 + 1)).one())
        queries = [
            Everything.binary_json["b"]["c"][0].as_boolean(),
            Everything.binary_json.contains({"b": {}}),
            Everything.binary_json[("b", "c", 1, "d")].as_string(),
            Everything.plain_json["n"].as_integer() == 1,
            Everything.words[1] == "one",
            Everything.words.contains(["one"]),
            sa.literal("nothing") == sa.any_(Everything.words),
            Everything.colors.contains([Color.RED]),
            Everything.int_range.contains(12),
            Everything.int_ranges.contains(5),
            Everything.flag,
            Everything.address.op("<<")(sa.cast("192.168.0.0/16", Everything.network.type)),
            func.array_length(Everything.matrix, 1),
            Everything.span + Everything.span,
            func.upper(Everything.int_range),
            sa.cast(Everything.price, sa.String),
            sa.literal(None),
        ]
        row = session.execute(
            select(*queries).where(Everything.color == Color.DARK_GREEN).order_by(Everything.big)
        ).first()
        for value in row:
            print(" ", repr(value))
        session.add(everything(1))
        try:
            session.commit()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__)
        session.rollback()
        clash = everything(3)
        clash.int_range = everything(1).int_range
        session.add(clash)
        try:
            session.commit()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__, ex.orig.diag.constraint_name)


def hstore():
    print("== hstore, if the server has it")
    with engine.begin() as connection:
        if not connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'")):
            return
        connection.execute(text("CREATE EXTENSION hstore"))
    other = create_engine(URL)  # looks for the type on its first connection
    tags = sa.Table("tags", sa.MetaData(), sa.Column("one", HSTORE), sa.Column("many", ARRAY(HSTORE)))
    with other.begin() as connection:
        tags.create(connection)
        connection.execute(tags.insert(), {"one": {"a": '"1" => \\', "b": None}, "many": [{"c": "2"}, {}]})
        print(connection.execute(select(tags, tags.c.one["a"], tags.c.one.has_key("b"), tags.c.one.keys())).all())
        tags.drop(connection)
    other.dispose()


def streaming():
    print("== server-side cursors")
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True).execute(text("SELECT generate_series(1, 5000)"))
        print(result.fetchone(), result.fetchmany(3), sum(row[0] for row in result))
    with Session(engine) as session:
        total = 0
        query = select(Book.id, Book.title).order_by(Book.id).execution_options(yield_per=500)
        for part in session.execute(query).partitions():
            total += len(part)
        print(total)
        books = session.scalars(select(Book).execution_options(yield_per=1000))
        print(sum(1 for _ in books))
        result = session.execute(select(Book.id), execution_options={"stream_results": True})
        print(result.first() is not None)
        result.close()


def transactions():
    print("== transactions")
    with Session(engine) as session, session.begin():
        session.add(Club(name="outer"))
        session.flush()
        try:
            with session.begin_nested():
                session.add(Club(id=1, name="clash"))
                session.flush()
        except exc.IntegrityError as ex:
            print(type(ex.orig).__name__)
        with session.begin_nested() as nested:
            session.add(Club(name="inner"))
            session.flush()
            nested.rollback()
        print(session.scalars(select(Club.name).where(Club.name.in_(["outer", "inner", "clash"]))).all())

    insert_one = text("INSERT INTO club (name) VALUES ('two phases')")
    count = select(func.count()).where(Club.name == "two phases")
    with engine.connect() as connection:
        with connection.begin_twophase() as transaction:
            connection.execute(insert_one)
            transaction.prepare()
            transaction.commit()
        print(connection.scalar(count))
        connection.rollback()
        transaction = connection.begin_twophase()
        connection.execute(insert_one)
        transaction.prepare()
        transaction.rollback()
        print(connection.scalar(count))
    ours = []
    for _ in range(2):
        with engine.connect() as connection:
            transaction = connection.begin_twophase()
            connection.execute(insert_one)
            transaction.prepare()
            ours.append(transaction.xid)
            connection.invalidate()
    with engine.connect() as connection:
        recovered = [xid for xid in connection.recover_twophase() if xid in ours]
        print(sorted(recovered) == sorted(ours))
        connection.commit_prepared(ours[0], recover=True)
        connection.rollback_prepared(ours[1], recover=True)
        print(connection.scalar(count))

    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]:
        with engine.connect().execution_options(isolation_level=level) as connection:
            shown = connection.scalar(text("SHOW transaction_isolation"))
            print(level, shown, connection.get_isolation_level(), connection.connection.autocommit)
    with engine.connect() as connection:
        print(connection.get_isolation_level())
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True, "postgresql_deferrable": True}
    with engine.connect().execution_options(**options) as connection:
        print(connection.execute(text("SELECT current_setting('transaction_read_only')")).scalar())
        try:
            connection.execute(text("DELETE FROM club"))
        except exc.InternalError as ex:
            print(type(ex.orig).__name__)


def disconnects():
    print("== lost connections")
    with engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with create_engine(URL, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT").connect() as admin:
        admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with engine.connect() as connection:  # noticed by pre-ping
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
            print(mine == pid)
            admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
            try:
                connection.execute(text("SELECT 1"))
            except exc.DBAPIError as ex:
                print(type(ex).__name__, type(ex.orig).__name__, ex.connection_invalidated)
            print(connection.invalidated)
            connection.rollback()
            print(connection.scalar(text("SELECT 'again'")), connection.invalidated)
        print(admin.scalar(text("SELECT 'still'")))


def events():
    print("== the driver")

    other = create_engine(URL, connect_args={"prepare_threshold": None, "application_name": "from connect_args"})

    @event.listens_for(other, "connect")
    def connect(dbapi_connection, record):
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SET search_path TO public, pg_catalog")
        dbapi_connection.commit()

    messages = []
    with other.connect() as connection:
        print(connection.scalar(text("SHOW search_path")), connection.scalar(text("SHOW application_name")))
        driver = connection.connection.driver_connection
        driver.add_notice_handler(lambda diag: messages.append(diag.message_primary))
        connection.execute(text("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$"))
        print(messages, driver.info.dbname == URL.database, driver.info.server_version > 120000)
        cursor = connection.connection.cursor()
        with cursor.copy("COPY club (name) FROM STDIN") as copy:
            copy.write_row(["copied"])
        print(connection.exec_driver_sql("SELECT name FROM club WHERE name = %s", ("copied",)).all())
        print(connection.exec_driver_sql("SELECT %(a)s::int + 1", {"a": 1}).scalar())
        connection.rollback()
        try:
            connection.execute(text("SELEKT 1"))
        except exc.ProgrammingError as ex:
            print(type(ex.orig).__name__, str(ex.orig).splitlines()[0])
    other.dispose()


logging.basicConfig(level=logging.ERROR)
warnings.simplefilter("error")
versions()
tables()
orm()
many()
types()
hstore()
streaming()
transactions()
disconnects()
events()
Base.metadata.drop_all(engine)
print(inspect(engine).get_table_names())
engine.dispose()
