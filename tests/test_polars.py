"""polars reads through a connection of the driver and through SQLAlchemy's engine, as through those of psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars
import psycopg
import pytest
from frames import STATEMENTS, oracle
from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import Engine
from transports import Connect, Connection, on_sessions

import neonps

#: Without what polars makes no frame of, whoever reads it.
UNREADABLE = ("duplicate names", "numeric NaN", "numeric digits", "json")
READABLE = {name: statement for name, statement in STATEMENTS.items() if name not in UNREADABLE}


@pytest.fixture
def engine(url: str, transport: str) -> Iterator[Engine]:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+neonps").update_query_dict({"transport": transport})
    )
    yield engine
    engine.dispose()


def read(connection: Any, statement: str, **options: Any) -> Any:
    frame = polars.read_database(statement, connection, **options)
    assert isinstance(frame, polars.DataFrame)
    return dict(frame.schema), repr(frame.rows()).replace("psycopg.", "neonps.")


def test_same_frames(conn: Connection, dsn: str) -> None:
    with psycopg.connect(dsn) as theirs:
        for name, statement in READABLE.items():
            assert read(conn, statement) == read(theirs, statement), name


def test_same_frames_of_an_engine(engine: Engine, dsn: str) -> None:
    theirs = oracle(dsn)
    for name, statement in READABLE.items():
        statement = statement.replace(":", r"\:")  # polars makes a text() of it
        assert read(engine, statement) == read(theirs, statement), name
    theirs.dispose()


def test_params(conn: Connection, engine: Engine) -> None:
    expected = ({"a": polars.Int64, "b": polars.String}, "[(3, 'x')]")
    options = {"params": [3, "x"]}
    assert read(conn, "select %s::int as a, %s::text as b", execute_options=options) == expected
    parameters = {"parameters": {"a": 3, "b": "x"}}
    statement = "select cast(:a as int) as a, cast(:b as text) as b"
    assert read(engine, statement, execute_options=parameters) == expected


def test_schema_overrides(conn: Connection) -> None:
    schema, _ = read(conn, "select 1 as a, null::text as b", schema_overrides={"a": polars.Int16, "b": polars.String})
    assert schema == {"a": polars.Int16, "b": polars.String}


@on_sessions
def test_batches_of_a_server_side_cursor(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    statement = "select generate_series(1, 10) as n"
    frames = polars.read_database(statement, conn, iter_batches=True, batch_size=4)
    assert next(frames)["n"].to_list() == [1, 2, 3, 4]
    counted = neonps.Cursor(conn).execute("select count(*) from pg_cursors where name <> ''").fetchone()
    assert counted == (1,)
    assert [frame["n"].to_list() for frame in frames] == [[5, 6, 7, 8], [9, 10]]


def test_errors(conn: Connection) -> None:
    with pytest.raises(neonps.errors.UndefinedTable):
        polars.read_database("select * from missing", conn)


def test_writing(engine: Engine, admin: psycopg.Connection[Any]) -> None:
    frame = polars.DataFrame({"a": [1, None, 3], "b": ["x", None, 'tab\t"']})
    try:
        frame.write_database("polars_written", engine, if_table_exists="fail")
        assert admin.execute("select * from polars_written").fetchall() == frame.rows()
    finally:
        admin.execute("drop table if exists polars_written")
