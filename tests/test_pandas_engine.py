"""pandas on SQLAlchemy's engine for neonps: reads and writes as on the one for psycopg."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pandas
import psycopg
import pytest
import sqlalchemy
from copy_rows import copy_rows
from frames import STATEMENTS, WRAPPED, oracle, outcome, read
from sqlalchemy import BigInteger, Integer, Numeric, create_engine, make_url, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.engine import Engine
from transports import on_sessions, over_http

import neonps

Engines = Callable[..., Engine]


@pytest.fixture(scope="module")
def psycopg_engine(dsn: str) -> Iterator[Engine]:
    engine = oracle(dsn)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def engines(url: str) -> Iterator[Engines]:
    """The engine over a transport, with keywords of `create_engine`; it stays for the next test."""
    opened: dict[str, Engine] = {}

    def engines(transport: str, **keywords: Any) -> Engine:
        key = f"{transport} {keywords}"
        if key not in opened:
            where = make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": transport})
            opened[key] = create_engine(where, **keywords)
        return opened[key]

    yield engines
    for engine in opened.values():
        engine.dispose()


@pytest.fixture
def engine(engines: Engines, transport: str) -> Engine:
    return engines(transport)


@pytest.fixture
def written(admin: psycopg.Connection[Any]) -> Iterator[Callable[[], list[Any] | None]]:
    """Calling it gives the rows of the table `written`, or None if there is no such table."""

    def written() -> list[Any] | None:
        there = admin.execute("select to_regclass('written')").fetchone()
        return admin.execute("select * from written").fetchall() if there != (None,) else None

    admin.execute("drop table if exists written")
    yield written
    admin.execute("drop table if exists written")


# Reading


@pytest.mark.parametrize("name", STATEMENTS)
def test_same_frames(engine: Engine, psycopg_engine: Engine, name: str) -> None:
    statement = STATEMENTS[name]
    backends: list[dict[str, Any]] = [{}, {"coerce_float": False}, {"dtype_backend": "pyarrow"}]
    with engine.connect() as ours, psycopg_engine.connect() as theirs:
        for options in backends:
            assert read(ours, statement, **options) == read(theirs, statement, **options)
    as_text = text(statement.replace(":", r"\:"))
    assert read(engine, as_text) == read(psycopg_engine, as_text)


@pytest.mark.parametrize(
    ("statement", "options"),
    [
        ("select %s::int as a, %s::text as b", {"params": (1, None)}),
        ("select %(n)s::int as a, 5 %% 3 as b", {"params": {"n": 4}}),
        (text("select cast(:n as int) as a, '2024-01-02' as t"), {"params": {"n": 4}, "parse_dates": ["t"]}),
        ("select n, n * 2 as m from generate_series(1, 3) n", {"index_col": "n"}),
    ],
)
def test_options(engine: Engine, psycopg_engine: Engine, statement: Any, options: dict[str, Any]) -> None:
    expected = read(psycopg_engine, statement, **options)
    assert not isinstance(expected[0], str), expected
    assert read(engine, statement, **options) == expected


TABLE = """create table pandas_types (id int primary key, small int2, big int8, yes bool, f4 real, f8 float8,
           n numeric(9, 2), t text, d date, ti time, ts timestamp, tz timestamptz, i interval, j json, b jsonb, a int[],
           u uuid, by bytea)"""
ROWS = r"""insert into pandas_types values
           (1, 2, 9007199254740993, true, 1.5, 0.1,
            1.10, 'a', '2024-02-29', '10:11', '2024-01-02 03:04:05.678', '2024-01-02 03:04+02', '1 day',
            '{"a": 1}', '[1]', '{1,2}',
            'b1ffd1f8-0d7c-4b7a-9d54-8f2a1b8d2b3c', '\x00ff'),
           (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
           (3, 0, -1, false, 'NaN', 'inf',
            'NaN', '', '0001-01-01', '0:00', '2024-01-02', '2024-07-02 03:04+02', '-1 second', '2', '"b"', '{}',
            '00000000-0000-0000-0000-000000000000', '')"""


@pytest.fixture(scope="module")
def table(dsn: str) -> Iterator[str]:
    """A table with a column of each type."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
        yield "pandas_types"
        connection.execute("drop table pandas_types")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"coerce_float": False},
        {"index_col": "id"},
        {"columns": ["n", "tz"]},
        {"schema": "public"},
        {"dtype_backend": "numpy_nullable", "columns": ["small", "big", "yes", "f8", "n", "t", "d", "ts", "tz"]},
        {"dtype_backend": "pyarrow", "columns": ["small", "big", "yes", "f8", "t", "tz"]},
    ],
    ids=str,
)
def test_tables(engine: Engine, psycopg_engine: Engine, table: str, options: dict[str, Any]) -> None:
    expected = outcome(lambda: pandas.read_sql_table(table, psycopg_engine, **options))
    assert outcome(lambda: pandas.read_sql_table(table, engine, **options)) == expected
    assert not isinstance(expected[0], str), expected
    if "columns" not in options and "schema" not in options:
        assert read(engine, table, **options) == expected


def test_tables_that_are_not_there(engine: Engine) -> None:
    with pytest.raises(ValueError, match="Table missing not found"):
        pandas.read_sql_table("missing", engine)


def test_moments_of_a_table_are_in_utc(engines: Engines, transport: str, table: str) -> None:
    engine = engines(transport, connect_args={"options": "-c TimeZone=Europe/Berlin"})
    moments = pandas.read_sql_table(table, engine)["tz"]
    assert str(moments.dtype).endswith(", UTC]")
    assert [str(moment) for moment in moments] == ["2024-01-02 01:04:00+00:00", "NaT", "2024-07-02 01:04:00+00:00"]


# Chunks


@on_sessions
@pytest.mark.parametrize("streamed", [False, True])
def test_chunks(engine: Engine, streamed: bool) -> None:
    with engine.connect().execution_options(stream_results=streamed) as connection:
        frames = pandas.read_sql("select generate_series(1, 10) as n", connection, chunksize=4)
        cursors = "select count(*) from pg_cursors where name <> ''"
        assert next(frames)["n"].tolist() == [1, 2, 3, 4]
        with connection.connection.cursor() as cursor:
            assert cursor.execute(cursors).fetchone() == (1 if streamed else 0,)
        assert [frame["n"].tolist() for frame in frames] == [[5, 6, 7, 8], [9, 10]]
        with connection.connection.cursor() as cursor:
            assert cursor.execute(cursors).fetchone() == (0,)


@on_sessions
def test_tables_in_chunks(engine: Engine, table: str) -> None:
    with engine.connect().execution_options(stream_results=True) as connection:
        frames = list(pandas.read_sql_table(table, connection, chunksize=2, columns=["id"]))
    assert [frame["id"].tolist() for frame in frames] == [[1, 2], [3]]


@over_http
def test_streaming_over_http_is_refused(engine: Engine) -> None:
    with engine.connect().execution_options(stream_results=True) as connection:
        with pytest.raises((sqlalchemy.exc.SQLAlchemyError, WRAPPED), match="a server-side cursor needs a session"):
            list(pandas.read_sql("select 1 as a", connection, chunksize=4))


@over_http
def test_chunks_over_http(engine: Engine) -> None:
    frames = pandas.read_sql("select generate_series(1, 10) as n", engine, chunksize=4)
    assert [frame["n"].tolist() for frame in frames] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


# Writing


def frame() -> pandas.DataFrame:
    moments = ["2024-01-02 03:04:05.678901", None, "2024-07-02 00:00:00.000000"]
    return pandas.DataFrame(
        {
            "i": [1, -2, 9007199254740993],
            "f": [1.5, None, float("inf")],
            "t": ["a", None, 'tab\t, "quote" \\N \\ \n and ü€😀'],
            "e": ["", "NULL", "\\N"],
            "yes": [True, False, True],
            "maybe": pandas.array([True, None, False], dtype="boolean"),
            "n": pandas.array([1, None, 9007199254740993], dtype="Int64"),
            "s": pandas.array(["x", None, "y"], dtype="string"),
            "ts": pandas.to_datetime(moments),
            "tz": pandas.to_datetime(moments).tz_localize("Europe/Berlin"),
            "d": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)],
            "ti": [dt.time(10, 11, 12, 500000), None, dt.time(0)],
            "dec": [Decimal("1.10"), None, Decimal(-3)],
            "by": [b"\0\xff", None, b""],
            "c": pandas.Categorical(["a", None, "b"]),
            'Odd "name" %s': [1, 2, 3],
        }
    )


METHODS = {"default": None, "multi": "multi", "copy": copy_rows}

#: Each way to write, on each transport that has it: COPY needs a session.
each_method = pytest.mark.parametrize(
    ("transport", "method"),
    [
        (transport, method)
        for transport in ("tcp", "websocket", "http")
        for method in METHODS
        if (transport, method) != ("http", "copy")
    ],
)
TYPES = {"dec": Numeric(9, 2)}


def columns(admin: psycopg.Connection[Any]) -> list[Any]:
    found = admin.execute(
        "select column_name, data_type from information_schema.columns where table_name = 'written' "
        "order by ordinal_position"
    )
    return found.fetchall()


@each_method
@pytest.mark.parametrize("options", [{}, {"chunksize": 2}, {"index": False, "schema": "public"}], ids=str)
def test_what_is_written(
    engine: Engine,
    psycopg_engine: Engine,
    transport: str,
    method: str,
    options: dict[str, Any],
    written: Callable[[], Any],
    admin: psycopg.Connection[Any],
) -> None:
    frame().to_sql("written", psycopg_engine, dtype=TYPES, **options)
    expected = columns(admin), written()
    admin.execute("drop table written")
    frame().to_sql("written", engine, dtype=TYPES, method=METHODS[method], **options)
    assert (columns(admin), written()) == expected
    assert expected[1][1][-15:-7] == (None, None, "NULL", False, None, None, None, None)


@each_method
def test_what_is_there_already(engine: Engine, transport: str, method: str, written: Callable[[], Any]) -> None:

    def write(numbers: list[int], if_exists: Any) -> None:
        frame = pandas.DataFrame({"a": numbers})
        with engine.begin() as connection:
            frame.to_sql("written", connection, index=False, if_exists=if_exists, method=METHODS[method])

    write([1], "fail")
    with pytest.raises(ValueError, match="already exists"):
        write([2], "fail")
    write([3], "append")
    assert written() == [(1,), (3,)]
    write([4], "replace")
    assert written() == [(4,)]
    write([], "replace")
    assert written() == []


def test_types_by_dtype(engine: Engine, written: Callable[[], Any]) -> None:
    frame = pandas.DataFrame({"j": [{"a": [1, None]}, None], "a": [[1, 2], None], "u": [None, "0" * 32]})
    frame.to_sql(
        "written",
        engine,
        index=False,
        dtype={"j": JSONB(none_as_null=True), "a": ARRAY(Integer), "u": UUID(as_uuid=False)},
    )
    rows = written()
    assert rows[0] == ({"a": [1, None]}, [1, 2], None)
    assert rows[1][:2] == (None, None)
    assert rows[1][2].int == 0


@on_sessions
def test_json_and_arrays_by_copy(engine: Engine, written: Callable[[], Any]) -> None:
    from neonps.types.json import Jsonb

    frame = pandas.DataFrame({"j": [{"a": 1}, None], "a": [[1, 2], None]})
    frame["j"] = frame["j"].map(Jsonb, na_action="ignore")
    frame.to_sql("written", engine, index=False, dtype={"j": JSONB, "a": ARRAY(Integer)}, method=copy_rows)
    assert written() == [({"a": 1}, [1, 2]), (None, None)]


@on_sessions
def test_many_rows_by_copy(engine: Engine, admin: psycopg.Connection[Any], written: Callable[[], Any]) -> None:
    count = pandas.DataFrame({"a": range(50_000)}).to_sql(
        "written", engine, index=False, method=copy_rows, chunksize=20_000
    )
    assert count == 50_000
    assert admin.execute("select count(*), sum(a) from written").fetchone() == (50_000, 1_249_975_000)


# All or nothing

TOO_BIG = pandas.DataFrame({"a": [1, 2, 10**12]})


@pytest.mark.parametrize("method", METHODS)
def test_a_row_that_the_server_refuses(engine: Engine, transport: str, method: str, written: Callable[[], Any]) -> None:
    what = "COPY needs a session" if (transport, method) == ("http", "copy") else "out of range"
    with pytest.raises(Exception, match=what) as caught:
        with engine.begin() as connection:
            TOO_BIG.to_sql(
                "written", connection, index=False, dtype={"a": Integer}, method=METHODS[method], chunksize=1
            )
    assert type(caught.value).__name__ in ("DatabaseError", "DataError", "NumericValueOutOfRange", "NotSupportedError")
    assert written() is None


@on_sessions
def test_a_row_that_cannot_be_copied(engine: Engine, written: Callable[[], Any]) -> None:
    frame = pandas.DataFrame({"a": ["x", object()]})
    with pytest.raises(neonps.ProgrammingError, match="cannot adapt type 'object'"):
        with engine.begin() as connection:
            frame.to_sql("written", connection, index=False, dtype={"a": BigInteger}, method=copy_rows)
    assert written() is None


@over_http
def test_over_http_a_transaction_is_sent_at_its_end(engine: Engine, written: Callable[[], Any]) -> None:
    frame = pandas.DataFrame({"a": [1, 2, 3]})
    with engine.begin() as connection:
        frame.to_sql("written", connection, index=False, chunksize=1)
        assert written() is None
    assert written() == [(1,), (2,), (3,)]


@over_http
@pytest.mark.parametrize("method", [None, "multi"])
def test_over_http_pandas_can_begin_the_transaction(engine: Engine, written: Callable[[], Any], method: Any) -> None:
    pandas.DataFrame({"a": [1, 2, 3]}).to_sql("written", engine, index=False, chunksize=2, method=method)
    assert written() == [(1,), (2,), (3,)]
    with pytest.raises(sqlalchemy.exc.DataError, match="out of range"):
        TOO_BIG.to_sql("written", engine, index=False, if_exists="replace", dtype={"a": Integer}, chunksize=1)
    assert written() == [(1,), (2,), (3,)]


@over_http
def test_over_http_what_was_written_cannot_be_read_before_the_end(engine: Engine, written: Callable[[], Any]) -> None:
    with pytest.raises((sqlalchemy.exc.SQLAlchemyError, WRAPPED), match="commit first"):
        with engine.begin() as connection:
            TOO_BIG.to_sql("written", connection, index=False)
            pandas.read_sql("select * from written", connection)
    assert written() is None


@over_http
def test_over_http_with_autocommit_each_chunk_is_written_by_itself(
    engines: Engines, transport: str, written: Callable[[], Any]
) -> None:
    engine = engines(transport, isolation_level="AUTOCOMMIT")
    with pytest.raises((sqlalchemy.exc.SQLAlchemyError, WRAPPED), match="out of range"):
        TOO_BIG.to_sql("written", engine, index=False, dtype={"a": Integer}, chunksize=1)
    assert written() == [(1,), (2,)]
    TOO_BIG.to_sql("written", engine, index=False, if_exists="replace")
    assert pandas.read_sql_table("written", engine)["a"].tolist() == [1, 2, 10**12]


@on_sessions
def test_killed_while_writing(
    engines: Engines, transport: str, admin: psycopg.Connection[Any], written: Callable[[], Any]
) -> None:
    def killing(table: Any, conn: Any, keys: list[str], rows: Any) -> int:
        admin.execute("select pg_terminate_backend(%s)", [conn.connection.driver_connection.info.backend_pid])
        return copy_rows(table, conn, keys, rows)

    with pytest.raises(sqlalchemy.exc.OperationalError, match="the connection is lost"):  # says the rollback
        with engines(transport).begin() as connection:
            TOO_BIG.to_sql("written", connection, index=False, method=killing)
    assert written() is None
    assert read(engines(transport), "select 1 as a")[0] == [("a", "int64")]
