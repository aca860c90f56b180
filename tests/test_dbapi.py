"""DB-API 2.0 (PEP 249): the module, its exceptions, and connections from their opening to their end."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from transports import Connect, Connection, Numbers, on_sessions, over_http

import neonps
from neonps import errors
from neonps.embedded import EmbeddedPostgres

EXCEPTIONS = {
    "Warning": Exception,
    "Error": Exception,
    "InterfaceError": neonps.Error,
    "DatabaseError": neonps.Error,
    "DataError": neonps.DatabaseError,
    "OperationalError": neonps.DatabaseError,
    "IntegrityError": neonps.DatabaseError,
    "InternalError": neonps.DatabaseError,
    "ProgrammingError": neonps.DatabaseError,
    "NotSupportedError": neonps.DatabaseError,
}

RAISE = "do $$begin raise 'oh' using errcode = '%s', detail = 'd', hint = 'h', table = 't'; end$$"

CLOSED = "the connection is closed"

# The module


def test_module_globals() -> None:
    assert neonps.apilevel == "2.0"
    assert neonps.threadsafety == 2
    assert neonps.paramstyle == "pyformat"
    assert callable(neonps.connect)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_tree_of_exceptions(name: str) -> None:
    cls = getattr(neonps, name)
    assert cls.__base__ is EXCEPTIONS[name]
    assert getattr(errors, name) is cls
    assert getattr(neonps.Connection, name) is cls


def test_exceptions_of_a_connection(conn: Connection) -> None:
    for name in EXCEPTIONS:
        assert getattr(conn, name) is getattr(neonps, name)
    with pytest.raises(conn.ProgrammingError):
        conn.execute("select nothing")


def test_names_of_the_module() -> None:
    for name in neonps.__all__:
        assert hasattr(neonps, name), name
    for name in ("Date", "Time", "Timestamp", "DateFromTicks", "TimeFromTicks", "TimestampFromTicks", "Binary"):
        assert callable(getattr(neonps, name))


@pytest.mark.parametrize(
    ("value", "group"),
    [
        ("'x'::text", "STRING"),
        ("'x'::varchar(3)", "STRING"),
        ("'x'::char(3)", "STRING"),
        ("'x'::bytea", "BINARY"),
        ("1::int2", "NUMBER"),
        ("1::int4", "NUMBER"),
        ("1::int8", "NUMBER"),
        ("1::float4", "NUMBER"),
        ("1::float8", "NUMBER"),
        ("1::numeric(5,2)", "NUMBER"),
        ("'2020-01-02'::date", "DATETIME"),
        ("'12:00'::time", "DATETIME"),
        ("'12:00+00'::timetz", "DATETIME"),
        ("now()::timestamp", "DATETIME"),
        ("now()", "DATETIME"),
        ("'1 day'::interval", "DATETIME"),
        ("1::oid", "ROWID"),
        ("true", None),
        ("'{}'::jsonb", None),
        ("array[1]", None),
    ],
)
def test_type_codes_are_equal_to_the_type_objects(conn: Connection, value: str, group: str | None) -> None:
    cursor = conn.execute(f"select {value}")
    assert cursor.description
    code = cursor.description[0][1]
    equal = [name for name in ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID") if code == getattr(neonps, name)]
    assert equal == ([group] if group else [])


@pytest.mark.parametrize(
    ("constructed", "cast", "expected"),
    [
        (neonps.Date(2020, 2, 3), "date", "2020-02-03"),
        (neonps.Time(4, 5, 6), "time", "04:05:06"),
        (neonps.Timestamp(2020, 2, 3, 4, 5, 6), "timestamp", "2020-02-03 04:05:06"),
        (neonps.DateFromTicks(86400), "date", "1970-01-02"),
        (neonps.TimeFromTicks(3661), "time", "01:01:01"),
        (neonps.TimestampFromTicks(3661), "timestamptz at time zone 'UTC'", "1970-01-01 01:01:01"),
        (neonps.Binary(b"\0'\\\xff"), "bytea", "\\x00275cff"),
        (neonps.Binary(bytearray(b"")), "bytea", "\\x"),
    ],
)
def test_constructed_values_arrive(conn: Connection, constructed: Any, cast: str, expected: str) -> None:
    assert conn.execute(f"select (%s::{cast})::text", [constructed]).fetchone() == (expected,)


# Connections


def test_a_connection_from_connect(connect: Connect, transport: str, postgres: EmbeddedPostgres) -> None:
    conn = connect()
    assert isinstance(conn, neonps.Connection)
    assert not conn.closed
    assert not conn.broken
    assert not conn.autocommit
    assert conn.info.transport == transport
    assert conn.info.host == postgres.host
    assert conn.info.port == postgres.port
    assert conn.info.dbname == postgres.dbname
    assert conn.info.user == postgres.user
    assert conn.info.password == postgres.password
    assert conn.execute("select current_user").fetchone() == (postgres.user,)


def test_neither_repr_nor_dsn_show_the_password(connect: Connect, postgres: EmbeddedPostgres) -> None:
    conn = connect()
    cursor = conn.execute("select 1")
    block = conn.transaction()
    for shown in (repr(conn), repr(cursor), repr(block), conn.info.dsn, repr(conn.info.get_parameters())):
        assert postgres.password not in shown
    conn.close()
    assert "[BAD]" in repr(conn)
    assert "[BAD]" in repr(cursor)


def test_the_connection_string_of_a_connection_leads_to_the_same_place(
    connect: Connect, postgres: EmbeddedPostgres
) -> None:
    first = connect()
    with neonps.connect(first.info.dsn, password=postgres.password) as second:
        assert second.info.transport == first.info.transport
        assert second.execute("select 1").fetchone() == (1,)


def test_keywords_override_the_connection_string(connect: Connect) -> None:
    conn = connect(application_name="it's \\ me", options="-c work_mem=3MB")
    assert conn.execute("select current_setting('application_name')").fetchone() == ("it's \\ me",)
    assert conn.execute("show work_mem").fetchone() == ("3MB",)


def test_close(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(1, 3)")
    assert cursor.fetchone() == (1,)
    conn.close()
    conn.close()
    assert conn.closed
    assert not conn.broken
    # What was fetched from the server is still there, as with psycopg.
    assert cursor.fetchone() == (2,)
    assert cursor.fetchall() == [(3,)]
    assert cursor.description
    cursor.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda conn: conn.cursor(),
        lambda conn: conn.execute("select 1"),
        lambda conn: conn.commit(),
        lambda conn: conn.rollback(),
        lambda conn: conn.batch(["select 1"]),
        lambda conn: conn.batch([]),
        lambda conn: conn.transaction().__enter__(),
        lambda conn: conn.set_autocommit(True),
        lambda conn: setattr(conn, "autocommit", True),
        lambda conn: setattr(conn, "isolation_level", neonps.IsolationLevel.SERIALIZABLE),
        lambda conn: setattr(conn, "read_only", True),
        lambda conn: setattr(conn, "deferrable", True),
        lambda conn: conn.fileno(),
        lambda conn: conn.info.dbname,
        lambda conn: conn.info.backend_pid,
        lambda conn: conn.info.dsn,
    ],
)
def test_a_closed_connection_is_of_no_use(conn: Connection, use: Callable[[Connection], object]) -> None:
    conn.close()
    with pytest.raises(neonps.OperationalError) as caught:
        use(conn)
    assert str(caught.value) == CLOSED
    assert caught.value.__cause__ is None


def test_a_closed_connection_says_so(conn: Connection) -> None:
    conn.close()
    conn.cancel()
    conn.cancel_safe()
    assert conn.info.transaction_status.name == "UNKNOWN"
    assert conn.info.status.name == "BAD"
    conn.cancel()  # there is nothing that could be cancelled
    conn.cancel_safe()
    for run in (lambda cursor: cursor.execute("select 1"), lambda cursor: cursor.executemany("select 1", [()])):
        with pytest.raises(neonps.OperationalError, match=CLOSED):
            run(neonps.Cursor(conn))


def test_close_undoes_what_was_not_committed(connect: Connect, numbers: Numbers) -> None:
    conn = connect()
    conn.execute("insert into numbers values (1)")
    conn.close()
    assert numbers() == []


def test_commit_and_rollback(numbers: Numbers, conn: Connection) -> None:
    conn.commit()
    conn.rollback()  # without a transaction there is nothing to do
    conn.execute("insert into numbers values (1)")
    assert numbers() == []
    conn.commit()
    assert numbers() == [1]
    conn.execute("insert into numbers values (2)")
    conn.rollback()
    conn.commit()
    assert numbers() == [1]


# A connection as context manager commits or rolls back, and closes: psycopg 3's meaning, not that of other drivers.


def test_a_block_that_ends_well_commits_and_closes(connect: Connect, numbers: Numbers) -> None:
    with connect() as conn:
        conn.execute("insert into numbers values (1)")
        assert numbers() == []
    assert numbers() == [1]
    assert conn.closed


def test_a_block_that_raises_rolls_back_and_closes(connect: Connect, numbers: Numbers) -> None:
    class Surprise(Exception):
        pass

    with pytest.raises(Surprise), connect() as conn:
        conn.execute("insert into numbers values (1)")
        raise Surprise
    assert numbers() == []
    assert conn.closed


def test_a_block_whose_statement_fails(connect: Connect, numbers: Numbers) -> None:
    with pytest.raises(errors.DivisionByZero), connect() as conn:
        conn.execute("insert into numbers values (1)")
        conn.execute("insert into numbers values (1 / 0)")
        conn.commit()
    assert numbers() == []
    assert conn.closed


def test_a_block_whose_commit_fails_closes_too(connect: Connect, numbers: Numbers) -> None:
    with pytest.raises(errors.UniqueViolation), connect() as conn:
        conn.execute("insert into numbers values (1, 1), (2, 1)")
    assert numbers() == []
    assert conn.closed


def test_a_block_in_which_the_connection_is_closed(connect: Connect, numbers: Numbers) -> None:
    with connect() as conn:
        conn.execute("insert into numbers values (1)")
        conn.close()
    assert numbers() == []


@on_sessions
def test_a_block_in_which_the_connection_is_lost(
    connect: Connect, admin: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(neonps.OperationalError, match="terminating connection"), connect() as conn:
        conn.execute("select 1")
        admin.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
        conn.execute("select 1")
    assert conn.closed
    assert conn.broken
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, warnings
    assert warnings[0].startswith("connection lost")


def test_connections_that_nobody_closes_warn(connect: Connect, url: str, transport: str) -> None:
    conn = neonps.connect(url, transport=transport)
    conn.execute("select 1")
    sock = conn._runner._socket
    assert sock is not None
    assert sock.fileno() != -1
    with pytest.warns(ResourceWarning, match="was deleted while still open"):
        del conn
    assert sock.fileno() == -1


@over_http
def test_connections_on_which_something_waits_for_commit_warn(url: str, transport: str) -> None:
    conn = neonps.connect(url, transport=transport)
    del conn  # nothing was asked of it
    held = [neonps.connect(url, transport=transport)]
    held[0].execute("create temp table t (a int)")

    def drop() -> None:
        held.clear()
        gc.collect()  # what waits for commit holds a cursor, which holds the connection

    with pytest.warns(ResourceWarning, match="was deleted while still open"):
        drop()


# Errors of the server


@pytest.mark.parametrize(
    ("statement", "cls", "sqlstate", "base"),
    [
        ("selec", "SyntaxError", "42601", neonps.ProgrammingError),
        ("select * from nowhere", "UndefinedTable", "42P01", neonps.ProgrammingError),
        ("select 1 / 0", "DivisionByZero", "22012", neonps.DataError),
        ("select 'x'::int", "InvalidTextRepresentation", "22P02", neonps.DataError),
        ("insert into numbers values (null)", "NotNullViolation", "23502", neonps.IntegrityError),
        ("insert into numbers values (7), (7)", "UniqueViolation", "23505", neonps.IntegrityError),
        (RAISE % "ZZ123", None, "ZZ123", neonps.DatabaseError),
        (RAISE % "40001", "SerializationFailure", "40001", neonps.OperationalError),
        (RAISE % "0A000", "FeatureNotSupported", "0A000", neonps.NotSupportedError),
    ],
)
def test_errors_are_the_same_as_those_of_psycopg(
    numbers: Numbers,
    admin: psycopg.Connection[Any],
    auto: Connection,
    statement: str,
    cls: str | None,
    sqlstate: str,
    base: type[neonps.Error],
) -> None:
    with pytest.raises(base) as caught:
        auto.execute(statement)
    with pytest.raises(psycopg.Error) as theirs:
        admin.execute(statement)
    error = caught.value
    if cls is not None:
        assert type(error) is getattr(errors, cls)
    assert type(error).__name__ == type(theirs.value).__name__
    assert str(error) == str(theirs.value)
    assert error.sqlstate == error.diag.sqlstate == sqlstate
    for name in dir(theirs.value.diag):
        if not name.startswith("_"):
            assert getattr(error.diag, name) == getattr(theirs.value.diag, name), name
    assert (error.status == 400) is (auto.info.transport == "http")
    assert error.__cause__ is None
    assert auto.execute("select 1").fetchone() == (1,)


def test_an_error_shows_the_place_in_the_statement_as_it_was_written(conn: Connection) -> None:
    with pytest.raises(errors.UndefinedColumn) as caught:
        conn.execute("select %s::int,\n %(b)s::int, nothing".replace("%(b)s", "%s"), [1, 2])
    lines = str(caught.value).split("\n")
    assert lines[0] == 'column "nothing" does not exist'
    assert lines[1].startswith("LINE 2:")
    assert lines[1].endswith("nothing")
    assert lines[2].index("^") == lines[1].index("nothing")
