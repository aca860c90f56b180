"""`Cursor.copy()` as psycopg has it: both directions and formats, parameters, writers, and what fails in the block."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from peers import Peer
from psycopg.pq import ExecStatus

ROWS: list[tuple[Any, ...]] = [(1, "x"), (2, None), (3, "tab\tnewline\nback\\slash \\N é")]
IN = "copy items from stdin"
OUT = "copy (select * from items order by a) to stdout"
BINARY = " (format binary)"
TYPES = ["int4", "text"]
HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8


@pytest.fixture
def conn(peer: Peer) -> Any:
    conn = peer.connect(autocommit=True)
    conn.execute("create temp table items (a int, b text)")
    return conn


@pytest.fixture
def cursor(conn: Any) -> Any:
    return conn.cursor()


@pytest.fixture
def filled(cursor: Any) -> Any:
    cursor.executemany("insert into items values (%s, %s)", ROWS)
    return cursor


def contents(cursor: Any) -> list[Any]:
    found: list[Any] = cursor.connection.execute("select * from items order by a, b").fetchall()
    return found


def status(cursor: Any) -> str:
    name: str = cursor.connection.info.transaction_status.name
    return name


# Into the table


@pytest.mark.parametrize("options", ["", BINARY])
def test_write_row(peer: Peer, cursor: Any, options: str) -> None:
    with cursor.copy(IN + options) as copy:
        assert isinstance(copy, peer.module.Copy)
        assert copy.cursor is cursor
        copy.set_types(TYPES)
        for row in ROWS:
            assert copy.write_row(row) is None
    assert (cursor.rowcount, cursor.statusmessage, cursor.description) == (3, "COPY 3", None)
    assert cursor.rownumber is None
    assert ExecStatus(cursor.pgresult.status).name == "COMMAND_OK"
    assert status(cursor) == "IDLE"
    assert contents(cursor) == ROWS


def test_types_need_not_be_set_for_text(cursor: Any) -> None:
    with cursor.copy(IN) as copy:
        copy.write_row((1, "x"))
        copy.write_row([2, None])
        copy.write_row(("3", 4))
    assert contents(cursor) == [(1, "x"), (2, None), (3, "4")]


def test_types_of_a_column_may_differ_in_text(cursor: Any) -> None:
    with cursor.copy("copy items (b) from stdin") as copy:
        for value in (1, "x", None, 1.5, Decimal("2.50"), dt.date(2020, 1, 2), True, 10**12, [1, 2]):
            copy.write_row((value,))
    found = [row[0] for row in cursor.execute("select b from items")]
    assert found == ["1", "x", None, "1.5", "2.50", "2020-01-02", "t", "1000000000000", "{1,2}"]


@pytest.mark.parametrize("options", ["", BINARY])
def test_row_of_any_iterable(cursor: Any, options: str) -> None:
    with cursor.copy(IN + options) as copy:
        copy.set_types(TYPES)
        copy.write_row(value for value in (1, "x"))
        copy.write_row(iter([2, None]))
        copy.write_row({3: 0, "z": 0}.keys())
    assert contents(cursor) == [(1, "x"), (2, None), (3, "z")]


def test_table_without_columns(conn: Any, cursor: Any) -> None:
    conn.execute("create temp table nothing ()")
    with cursor.copy("copy nothing from stdin") as copy:
        copy.write_row(())
    for options in ("", BINARY):
        with cursor.copy("copy nothing to stdout" + options) as copy:
            assert list(copy.rows()) == [()]


def test_types_given_by_oid_and_name(filled: Any) -> None:
    for types in ([23, 25], ["int4", "text"], ["integer", 25]):
        with filled.copy(OUT) as copy:
            copy.set_types(types)
            assert list(copy.rows()) == ROWS


def test_unknown_type_name(cursor: Any) -> None:
    with pytest.raises(KeyError, match="couldn't find the type 'wat' in the types registry"):
        with cursor.copy(IN) as copy:
            copy.set_types(["wat", "text"])
    assert status(cursor) == "IDLE"


def test_set_types_casts(cursor: Any) -> None:
    cursor.execute("create temp table others (a bigint, b numeric, c text[], d jsonb, e float4)")
    json = {"a": [1]}
    with cursor.copy("copy others from stdin (format binary)") as copy:
        copy.set_types(["bigint", "numeric", "text[]", "jsonb", "float4"])
        copy.write_row((1, 2, ["x", None], json, 1.5))
        copy.write_row((None, Decimal("1.50"), [], None, None))
    assert cursor.execute("select * from others order by a").fetchall() == [
        (1, 2, ["x", None], json, 1.5),
        (None, Decimal("1.50"), [], None, None),
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ["1\tx\n2\t\\N\n"],
        [b"1\tx\n2\t\\N\n"],
        ["1", "\tx", "\n2\t\\", "N\n"],
        [bytearray(b"1\tx\n"), memoryview(b"2\t\\N\n")],
        ["1\tx\n", b"2\t\\N"],
        ["", "1\tx\n", b"", "2\t\\N\n"],
    ],
    ids=["str", "bytes", "parts", "buffers", "mixed", "empty"],
)
def test_write(cursor: Any, pieces: list[Any]) -> None:
    with cursor.copy(IN) as copy:
        for piece in pieces:
            assert copy.write(piece) is None
    assert (cursor.rowcount, contents(cursor)) == (2, [(1, "x"), (2, None)])


def test_write_binary(filled: Any) -> None:
    with filled.copy(OUT + BINARY) as copy:
        data = b"".join(copy)
    assert data.startswith(HEADER)
    filled.execute("truncate items")
    with filled.copy(IN + BINARY) as copy:
        for i in range(0, len(data), 7):
            copy.write(data[i : i + 7])
    assert contents(filled) == ROWS


def test_write_of_wrong_types(cursor: Any) -> None:
    with pytest.raises(TypeError, match="cannot copy str data in binary mode: use bytes instead"):
        with cursor.copy(IN + BINARY) as copy:
            copy.write("x")
    for wrong in (1, object()):
        with pytest.raises(TypeError):
            with cursor.copy(IN) as copy:
                copy.write(wrong)
        with pytest.raises(TypeError):
            with cursor.copy(IN) as copy:
                copy.write_row(wrong)
    assert (status(cursor), contents(cursor)) == ("IDLE", [])


@pytest.mark.parametrize("options", ["", BINARY])
def test_nothing_is_written(cursor: Any, options: str) -> None:
    with cursor.copy(IN + options):
        pass
    assert (cursor.rowcount, cursor.statusmessage, contents(cursor)) == (0, "COPY 0", [])


def test_other_formats(cursor: Any) -> None:
    with cursor.copy("copy items from stdin (format csv, delimiter ';', header)") as copy:
        copy.write('a;b\n1;"x;y"\n')
    assert contents(cursor) == [(1, "x;y")]
    with cursor.copy("copy items to stdout (format csv, header)") as copy:
        assert b"".join(copy) == b"a,b\n1,x;y\n"


SPECIAL = [
    "\\N",
    "\\",
    "\\\\",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\b\f\v",
    "é€😀",
    "\\.",
    "",
    "a\\tb",
    " ",
    "\\x41",
    "\x01\x7f",
    "'\"",
]


@pytest.mark.parametrize("options", ["", BINARY])
def test_special_characters(cursor: Any, options: str) -> None:
    with cursor.copy("copy items (b) from stdin" + options) as copy:
        copy.set_types(["text"])
        for value in SPECIAL:
            copy.write_row((value,))
    assert [row[0] for row in cursor.execute("select b from items")] == SPECIAL
    with cursor.copy("copy items (b) to stdout" + options) as copy:
        copy.set_types(["text"])
        assert [row[0] for row in copy.rows()] == SPECIAL
    with cursor.copy("copy items (b) to stdout" + options) as copy:
        found = [row[0] for row in copy.rows()]
    assert found == ([value.encode() for value in SPECIAL] if options else SPECIAL)


def test_client_encoding(cursor: Any) -> None:
    cursor.execute("set client_encoding to latin1")
    with cursor.copy(IN) as copy:
        copy.write_row((1, "é"))
        copy.write("2\tè\n")
    assert contents(cursor) == [(1, "é"), (2, "è")]
    with cursor.copy(OUT) as copy:
        assert list(copy.rows()) == [("1", "é"), ("2", "è")]
    with pytest.raises(UnicodeEncodeError):
        with cursor.copy(IN) as copy:
            copy.write_row((1, "€"))


def test_big_data(cursor: Any) -> None:
    with cursor.copy(IN) as copy:
        for i in range(20000):
            copy.write_row((i, "x" * 100))
    assert cursor.rowcount == 20000
    with cursor.copy(IN) as copy:
        for _ in range(20):
            copy.write("1\t" + "y" * 500_000 + "\n")
    assert cursor.execute("select count(*), sum(length(b)) from items").fetchone() == (20020, 12_000_000)
    with cursor.copy("copy items to stdout") as copy:
        assert sum(len(data) for data in copy) > 12_000_000


def test_a_huge_piece(cursor: Any) -> None:
    with cursor.copy(IN) as copy:
        copy.write(b"1\tx\n" * 1_000_000)
    assert cursor.rowcount == 1_000_000


# Out of the table


def test_iteration(filled: Any) -> None:
    with filled.copy(OUT) as copy:
        found = [bytes(data) for data in copy]
    assert found == [b"1\tx\n", b"2\t\\N\n", "3\ttab\\tnewline\\nback\\\\slash \\\\N é\n".encode()]
    assert (filled.rowcount, status(filled)) == (3, "IDLE")


def test_read(filled: Any) -> None:
    with filled.copy(OUT) as copy:
        found = [bytes(copy.read()) for _ in range(5)]
    assert found[:2] == [b"1\tx\n", b"2\t\\N\n"]
    assert found[3:] == [b"", b""]
    assert filled.rowcount == 3


def test_read_binary(filled: Any) -> None:
    with filled.copy(OUT + BINARY) as copy:
        data = b""
        while piece := copy.read():
            data += piece
    assert data.startswith(HEADER + b"\0\2\0\0\0\4\0\0\0\1\0\0\0\1x\0\2\0\0\0\4\0\0\0\2\xff\xff\xff\xff")
    assert data.endswith(b"\xff\xff")


def test_rows(filled: Any) -> None:
    with filled.copy(OUT) as copy:
        rows = copy.rows()
        assert isinstance(rows, Iterator)
        found = list(rows)
    assert found == [("1", "x"), ("2", None), ("3", ROWS[2][1])]
    assert all(type(row) is tuple for row in found)
    with filled.copy(OUT + BINARY) as copy:
        found = [tuple(None if value is None else bytes(value) for value in row) for row in copy.rows()]
    assert found == [(b"\0\0\0\1", b"x"), (b"\0\0\0\2", None), (b"\0\0\0\3", ROWS[2][1].encode())]


@pytest.mark.parametrize("options", ["", BINARY])
def test_rows_with_types(filled: Any, options: str) -> None:
    with filled.copy(OUT + options) as copy:
        copy.set_types(TYPES)
        assert list(copy.rows()) == ROWS
        assert list(copy.rows()) == []


@pytest.mark.parametrize("options", ["", BINARY])
def test_read_row(filled: Any, options: str) -> None:
    with filled.copy(OUT + options) as copy:
        copy.set_types(TYPES)
        assert [copy.read_row() for _ in range(5)] == [*ROWS, None, None]


@pytest.mark.parametrize("options", ["", BINARY])
def test_no_rows(cursor: Any, options: str) -> None:
    with cursor.copy(OUT + options) as copy:
        assert (copy.read_row(), copy.read_row()) == (None, None)
    assert cursor.rowcount == 0


def test_documented_example(cursor: Any) -> None:
    query = "copy (values (10::int, date '2046-12-24')) to stdout"
    with cursor.copy(query) as copy:
        assert list(copy.rows()) == [("10", "2046-12-24")]
    with cursor.copy(query) as copy:
        copy.set_types(["int4", "date"])
        assert list(copy.rows()) == [(10, dt.date(2046, 12, 24))]


def test_types_that_do_not_fit_the_columns(peer: Peer, filled: Any) -> None:
    for types in (["int4"], ["int4", "text", "text"]):
        with pytest.raises(
            peer.module.ProgrammingError, match=r"cannot load sequence of 2 items: \d loaders registered"
        ):
            with filled.copy(OUT) as copy:
                copy.set_types(types)
                list(copy.rows())
        assert filled.execute("select 1").fetchone() == (1,)


def test_state_in_the_block(filled: Any) -> None:
    with filled.copy(OUT) as copy:
        assert status(filled) == "ACTIVE"
        assert ExecStatus(filled.pgresult.status).name == "COPY_OUT"
        assert len(filled.description) == 2
        list(copy)
    with filled.copy(IN):
        assert status(filled) == "ACTIVE"
        assert ExecStatus(filled.pgresult.status).name == "COPY_IN"
        assert (filled.rowcount, filled.statusmessage) == (-1, None)


def test_repr(peer: Peer, cursor: Any) -> None:
    with cursor.copy(IN) as copy:
        assert repr(copy).startswith(f"<{peer.module.__name__}.Copy [ACTIVE] (")


# The wrong direction


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        (IN, lambda copy: copy.read()),
        (IN, lambda copy: list(copy)),
        (IN, lambda copy: copy.read_row()),
        (IN, lambda copy: list(copy.rows())),
    ],
    ids=["read", "iterate", "read_row", "rows"],
)
def test_wrong_direction(peer: Peer, filled: Any, statement: str, use: Callable[[Any], object]) -> None:
    with pytest.raises((peer.module.Error, TypeError)):
        with filled.copy(statement) as copy:
            use(copy)
    assert filled.execute("select 1").fetchone() == (1,)


# Errors of the server


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda copy: copy.write_row((1,)), "BadCopyFileFormat", 'missing data for column "b"'),
        (lambda copy: copy.write_row((1, "x", "y")), "BadCopyFileFormat", "extra data after last expected column"),
        (lambda copy: copy.write_row(("a", "x")), "InvalidTextRepresentation", "invalid input syntax for type integer"),
        (lambda copy: copy.write("1\n"), "BadCopyFileFormat", 'missing data for column "b"'),
        (lambda copy: copy.write_row(()), "InvalidTextRepresentation", "invalid input syntax for type integer"),
    ],
    ids=["short", "long", "text", "write", "empty"],
)
def test_bad_data(peer: Peer, cursor: Any, write: Callable[[Any], object], error: str, message: str) -> None:
    with pytest.raises(getattr(peer.module.errors, error), match=message) as caught:
        with cursor.copy(IN) as copy:
            write(copy)
    assert "COPY items, line 1" in caught.value.diag.context
    assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_rows_of_different_lengths(peer: Peer, cursor: Any) -> None:
    for first, second in [((1, "x"), (1,)), ((1, "x"), (1, "x", "y"))]:
        with pytest.raises(peer.module.DataError):
            with cursor.copy(IN) as copy:
                copy.write_row(first)
                copy.write_row(second)
        assert (status(cursor), contents(cursor)) == ("IDLE", [])


@pytest.mark.parametrize("options", ["", BINARY])
def test_rows_of_another_length_than_the_types(peer: Peer, cursor: Any, options: str) -> None:
    for row in ((1,), (1, "x", "y")):
        with pytest.raises(peer.module.DataError, match=rf"expected 2 values in row, got {len(row)}"):
            with cursor.copy(IN + options) as copy:
                copy.set_types(TYPES)
                copy.write_row(row)
        assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_binary_without_types(peer: Peer, cursor: Any) -> None:
    with pytest.raises(peer.module.Error):  # 1 goes as an int2, which the server does not cast
        with cursor.copy(IN + BINARY) as copy:
            copy.write_row((1, "x"))
    assert contents(cursor) == []


def test_values_that_cannot_be_written(peer: Peer, cursor: Any) -> None:
    with pytest.raises(peer.module.ProgrammingError, match="cannot adapt type 'object'"):
        with cursor.copy(IN) as copy:
            copy.write_row((1, object()))
    with pytest.raises(peer.module.DataError, match="cannot contain NUL"):
        with cursor.copy(IN) as copy:
            copy.write_row((1, "a\0b"))
    assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_constraint_violation(peer: Peer, cursor: Any) -> None:
    cursor.execute("create unique index on items (a)")
    with pytest.raises(peer.module.errors.UniqueViolation):
        with cursor.copy(IN) as copy:
            copy.write_row((1, "x"))
            copy.write_row((1, "y"))
    assert contents(cursor) == []
    assert cursor.execute("select 1").fetchone() == (1,)


def test_error_while_there_is_more_to_write(peer: Peer, cursor: Any) -> None:
    with pytest.raises(peer.module.errors.InvalidTextRepresentation):
        with cursor.copy(IN) as copy:
            copy.write("wrong\n")
            for i in range(50000):
                copy.write_row((i, "x" * 100))
    assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_error_while_reading(peer: Peer, cursor: Any) -> None:
    found = []
    with pytest.raises(peer.module.errors.DivisionByZero):
        with cursor.copy("copy (select 1 / (3 - i) from generate_series(1, 5) i) to stdout") as copy:
            for data in copy:
                found.append(bytes(data))
    assert found == [b"0\n", b"1\n"]
    assert cursor.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("copy nope from stdin", "UndefinedTable"),
        ("copy items (nope) from stdin", "UndefinedColumn"),
        ("copy items from stdin (format wat)", "InvalidParameterValue"),
        ("selec", "SyntaxError"),
        ("copy items from '/nope/nope'", None),
    ],
)
def test_bad_statement(peer: Peer, cursor: Any, statement: str, error: str | None) -> None:
    with pytest.raises(peer.module.Error) as caught:
        with cursor.copy(statement):
            raise AssertionError("not reached")
    assert error is None or type(caught.value) is getattr(peer.module.errors, error)
    assert cursor.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("statement", "got"),
    [
        ("select 1", "TUPLES_OK"),
        ("insert into items values (1)", "COMMAND_OK"),
        ("set work_mem = '5MB'", "COMMAND_OK"),
        ("", "EMPTY_QUERY"),
        ("-- nothing", "EMPTY_QUERY"),
    ],
)
def test_statement_that_copies_nothing(peer: Peer, cursor: Any, statement: str, got: str) -> None:
    with pytest.raises(peer.module.ProgrammingError) as caught:
        with cursor.copy(statement):
            raise AssertionError("not reached")
    assert str(caught.value) == (
        f"copy() should be used only with COPY ... TO STDOUT or COPY ... FROM STDIN statements, got {got}"
    )
    assert cursor.execute("select 1").fetchone() == (1,)


# Errors in the block


@pytest.mark.parametrize("options", ["", BINARY])
def test_exception_while_writing(cursor: Any, options: str) -> None:
    with pytest.raises(ZeroDivisionError, match="mine"):
        with cursor.copy(IN + options) as copy:
            copy.set_types(TYPES)
            copy.write_row((1, "x"))
            raise ZeroDivisionError("mine")
    assert (status(cursor), contents(cursor)) == ("IDLE", [])
    assert cursor.execute("select 1").fetchone() == (1,)


def test_exception_before_writing(cursor: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        with cursor.copy(IN):
            raise ZeroDivisionError
    assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_exception_with_curious_text(cursor: Any) -> None:
    for text in ("é€ '\\ %s", "a\0b", "x" * 5000):
        with pytest.raises(ValueError):  # noqa: PT011 - it is ours
            with cursor.copy(IN):
                raise ValueError(text)
        assert status(cursor) == "IDLE"


def test_exception_that_is_no_exception(cursor: Any) -> None:
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind):
            with cursor.copy(IN) as copy:
                copy.write_row((1, "x"))
                raise kind
        assert (status(cursor), contents(cursor)) == ("IDLE", [])


def test_exception_while_reading(filled: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        with filled.copy(OUT) as copy:
            copy.read()
            raise ZeroDivisionError
    assert filled.execute("select 1").fetchone() == (1,)


def test_exception_with_much_left_to_read(cursor: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        with cursor.copy("copy (select generate_series(1, 1000000000), repeat('x', 1000)) to stdout") as copy:
            for _ in copy:
                raise ZeroDivisionError
    assert status(cursor) == "IDLE"
    assert cursor.execute("select 1").fetchone() == (1,)


def test_exception_in_a_transaction(peer: Peer, conn: Any) -> None:
    conn.autocommit = False
    with pytest.raises(ZeroDivisionError):
        with conn.cursor().copy(IN) as copy:
            copy.write_row((1, "x"))
            raise ZeroDivisionError
    assert conn.info.transaction_status.name == "INERROR"
    conn.rollback()
    assert conn.execute("select * from items").fetchall() == []


def test_transactions(conn: Any) -> None:
    conn.autocommit = False
    with conn.cursor().copy(IN) as copy:
        copy.write_row((1, "x"))
    assert conn.info.transaction_status.name == "INTRANS"
    conn.rollback()
    assert conn.execute("select * from items").fetchall() == []
    with conn.cursor().copy(IN) as copy:
        copy.write_row((1, "x"))
    conn.commit()
    with pytest.raises(ZeroDivisionError):
        with conn.transaction():
            with conn.cursor().copy(IN) as copy:
                copy.write_row((2, "x"))
            raise ZeroDivisionError
    assert conn.execute("select a from items").fetchall() == [(1,)]


def test_the_connection_is_closed_in_the_block(conn: Any) -> None:
    with suppress(Exception):
        with conn.cursor().copy(IN) as copy:
            copy.write_row((1, "x"))
            conn.close()
    assert conn.closed


def test_the_server_ends_the_connection(peer: Peer, conn: Any, admin: Any) -> None:
    with pytest.raises(peer.module.OperationalError):
        with conn.cursor().copy(IN) as copy:
            admin.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
            for i in range(200000):
                copy.write_row((i, "x" * 100))
    assert conn.closed


# Parameters


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        ("copy (select %s::int, %s) to stdout", (1, "it's"), [("1", "it's")]),
        ("copy (select %(a)s::int, %(b)s, %(a)s::text) to stdout", {"a": 3, "b": None}, [("3", None, "3")]),
        ("copy (select '%%' || %s) to stdout", ("x",), [("%x",)]),
        ("copy (select '%') to stdout", None, [("%",)]),
        ("copy (select 1 where 'x' = any(%s)) to stdout", (["x", "y"],), [("1",)]),
        ("copy (select * from items order by a limit %s) to stdout", (2,), [("1", "x"), ("2", None)]),
        (b"copy (select %s) to stdout", ("é",), [("é",)]),
        ("copy (select %s::date) to stdout", (dt.date(2020, 1, 2),), [("2020-01-02",)]),
        ("copy (select %t, %b) to stdout", (1, "x"), [("1", "x")]),
    ],
)
def test_params(filled: Any, query: Any, params: Any, expected: list[Any]) -> None:
    with filled.copy(query, params) as copy:
        assert list(copy.rows()) == expected


def test_params_in_binary(cursor: Any) -> None:
    with cursor.copy("copy (select %s::int) to stdout (format binary)", (1,)) as copy:
        copy.set_types(["int4"])
        assert list(copy.rows()) == [(1,)]


def test_params_of_copy_from(cursor: Any) -> None:
    with cursor.copy("copy items from stdin (delimiter %s, null %s)", ("|", "it's")) as copy:
        copy.write("1|it's\n")
    assert contents(cursor) == [(1, None)]


def test_composed(peer: Peer, cursor: Any) -> None:
    sql = peer.submodule("sql")
    with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(sql.Identifier("items"), sql.Identifier("a"))) as copy:
        copy.write_row((1,))
    query = sql.SQL("copy (select a, {}, %s from {}) to stdout").format("x", sql.Identifier("items"))
    with cursor.copy(query, ("y",)) as copy:
        assert list(copy.rows()) == [("1", "x", "y")]


def test_params_that_do_not_fit(peer: Peer, cursor: Any) -> None:
    with pytest.raises(peer.module.ProgrammingError, match="the query has 1 placeholders but 2 parameters were passed"):
        with cursor.copy("copy (select %s) to stdout", (1, 2)):
            pass
    with pytest.raises(peer.module.ProgrammingError, match="cannot adapt type 'object'"):
        with cursor.copy("copy (select %s) to stdout", (object(),)):
            pass
    with pytest.raises(TypeError, match="query parameters should be a sequence or a mapping"):
        with cursor.copy("copy (select %s) to stdout", "x"):
            pass
    assert cursor.execute("select 1").fetchone() == (1,)


# Several copies, cursors


def test_several_copies(cursor: Any) -> None:
    for i in range(3):
        with cursor.copy(IN) as copy:
            copy.write_row((i, "x"))
        with cursor.copy(OUT) as copy:
            assert len(list(copy.rows())) == i + 1


def test_from_one_connection_to_another(peer: Peer, filled: Any) -> None:
    other = peer.connect(autocommit=True)
    other.execute("create temp table items (a int, b text)")
    with filled.copy(OUT + BINARY) as source:
        with other.cursor().copy(IN + BINARY) as target:
            for data in source:
                target.write(data)
    assert contents(other.cursor()) == ROWS


def test_statements_after_copy_forget_it(peer: Peer, filled: Any) -> None:
    with filled.copy(OUT) as copy:
        list(copy)
    with pytest.raises(peer.module.ProgrammingError):
        filled.fetchone()
    assert filled.nextset() is None
    assert filled.execute("select 1").fetchone() == (1,)


def test_nothing_is_sent_before_the_block(conn: Any) -> None:
    conn.cursor().copy("selec")
    assert conn.info.transaction_status.name == "IDLE"


def test_closed_cursor(peer: Peer, cursor: Any) -> None:
    cursor.close()
    with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
        with cursor.copy(IN):
            pass


def test_pipeline(peer: Peer, conn: Any) -> None:
    with conn.pipeline():
        with pytest.raises(peer.module.NotSupportedError, match="COPY cannot be used in pipeline mode"):
            with conn.cursor().copy(IN):
                pass


def test_row_factory_does_not_matter(peer: Peer, filled: Any) -> None:
    filled.row_factory = peer.submodule("rows").dict_row
    with filled.copy(OUT) as copy:
        copy.set_types(TYPES)
        assert list(copy.rows()) == ROWS


def test_dumpers_of_the_cursor(peer: Peer, cursor: Any) -> None:
    class Loud(peer.submodule("adapt").Dumper):  # type: ignore[misc]
        oid = 25

        def dump(self, value: str) -> bytes:
            return value.upper().encode()

    cursor.adapters.register_dumper(str, Loud)
    with cursor.copy(IN) as copy:
        copy.write_row((1, "a\tb"))
    assert contents(cursor) == [(1, "A\tB")]


def test_other_threads_wait(conn: Any, cursor: Any, in_thread: Callable[..., Any]) -> None:
    with cursor.copy(IN) as copy:
        waiting = in_thread(lambda: conn.execute("select count(*) from items").fetchone())
        for row in ROWS:
            copy.write_row(row)
    assert waiting.result(10) == (3,)


# Writers


def test_file_writer(peer: Peer, cursor: Any) -> None:
    writer = peer.submodule("copy").FileWriter
    file = BytesIO()
    with peer.module.Copy(cursor, writer=writer(file)) as copy:
        copy.write_row((1, "a\tb"))
        copy.write_row((None, "é"))
    assert file.getvalue() == "1\ta\\tb\n\\N\té\n".encode()
    assert status(cursor) == "IDLE"


def test_file_writer_binary(peer: Peer, cursor: Any) -> None:
    writer = peer.submodule("copy").FileWriter
    file = BytesIO()
    with peer.module.Copy(cursor, binary=True, writer=writer(file)) as copy:
        copy.set_types(TYPES)
        for row in ROWS:
            copy.write_row(row)
    assert file.getvalue().startswith(HEADER + b"\0\2\0\0\0\4\0\0\0\1\0\0\0\1x")
    assert file.getvalue().endswith(b"\xff\xff")
    file.seek(0)
    with cursor.copy(IN + BINARY) as copy:
        while data := file.read(10):
            copy.write(data)
    assert contents(cursor) == ROWS


def test_file_writer_binary_without_rows(peer: Peer, cursor: Any) -> None:
    file = BytesIO()
    with peer.module.Copy(cursor, binary=True, writer=peer.submodule("copy").FileWriter(file)):
        pass
    assert file.getvalue() == HEADER + b"\xff\xff"


def test_own_writer(peer: Peer, cursor: Any) -> None:
    class Mine(peer.submodule("copy").Writer):  # type: ignore[misc]
        def __init__(self) -> None:
            self.data = b""
            self.finished: list[Any] = []

        def write(self, data: Any) -> None:
            self.data += bytes(data)

        def finish(self, exc: BaseException | None = None) -> None:
            self.finished.append(exc)

    mine = Mine()
    with peer.module.Copy(cursor, writer=mine) as copy:
        copy.write_row((1, "x"))
        copy.write_row((2, None))
    assert (mine.data, mine.finished) == (b"1\tx\n2\t\\N\n", [None])
    mine = Mine()
    with pytest.raises(ZeroDivisionError):
        with peer.module.Copy(cursor, writer=mine) as copy:
            copy.write_row((1, "x"))
            raise ZeroDivisionError
    assert [type(exc) for exc in mine.finished] == [ZeroDivisionError]


def test_own_writer_that_passes_on(peer: Peer, cursor: Any) -> None:
    copy_module = peer.submodule("copy")

    class Counting(copy_module.LibpqWriter):  # type: ignore[misc]
        size = 0

        def write(self, data: Any) -> None:
            self.size += len(data)
            super().write(data)

    writer = Counting(cursor)
    assert isinstance(writer, copy_module.Writer)
    with cursor.copy(IN, writer=writer) as copy:
        for row in ROWS:
            copy.write_row(row)
    assert (contents(cursor), writer.size) == (ROWS, 44)


def test_writers_are_abstract(peer: Peer) -> None:
    module = peer.submodule("copy")
    for name in ("Writer", "AsyncWriter"):
        with pytest.raises(TypeError, match="abstract"):
            getattr(module, name)()


# asyncio


def test_async(peer: Peer) -> None:
    async def main() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("create temp table items (a int, b text)")
            cursor = conn.cursor()
            for options in ("", BINARY):
                async with cursor.copy(IN + options) as copy:
                    assert isinstance(copy, peer.module.AsyncCopy)
                    copy.set_types(TYPES)
                    for row in ROWS:
                        await copy.write_row(row)
                assert (cursor.rowcount, cursor.statusmessage) == (3, "COPY 3")
                async with cursor.copy(OUT + options) as copy:
                    copy.set_types(TYPES)
                    assert [row async for row in copy.rows()] == ROWS
                async with cursor.copy(OUT + options) as copy:
                    copy.set_types(TYPES)
                    assert [await copy.read_row() for _ in range(4)] == [*ROWS, None]
                await conn.execute("truncate items")
            async with cursor.copy(IN) as copy:
                await copy.write("1\tx\n")
                await copy.write(b"2\ty\n")
            async with cursor.copy(OUT) as copy:
                assert [bytes(data) async for data in copy] == [b"1\tx\n", b"2\ty\n"]
            async with cursor.copy(OUT) as copy:
                assert [bytes(await copy.read()) for _ in range(3)] == [b"1\tx\n", b"2\ty\n", b""]
            async with cursor.copy("copy (select %s::int) to stdout", (5,)) as copy:
                assert await copy.read_row() == ("5",)
                assert await copy.read_row() is None

    asyncio.run(main())


def test_async_errors(peer: Peer) -> None:
    async def main() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            await conn.execute("create temp table items (a int, b text)")
            cursor = conn.cursor()
            with pytest.raises(ZeroDivisionError):
                async with cursor.copy(IN) as copy:
                    await copy.write_row((1, "x"))
                    raise ZeroDivisionError
            with pytest.raises(peer.module.errors.BadCopyFileFormat):
                async with cursor.copy(IN) as copy:
                    await copy.write_row((1,))
            with pytest.raises(peer.module.ProgrammingError, match="got TUPLES_OK"):
                async with cursor.copy("select 1"):
                    pass
            with pytest.raises(ZeroDivisionError):
                async with cursor.copy("copy (select generate_series(1, 1000000000), 'x') to stdout") as copy:
                    async for _ in copy:
                        raise ZeroDivisionError
            assert await (await conn.execute("select count(*) from items")).fetchone() == (0,)

    asyncio.run(main())


def test_async_writer(peer: Peer) -> None:
    class Mine(peer.submodule("copy").AsyncWriter):  # type: ignore[misc]
        data = b""
        finished = "no"

        async def write(self, data: Any) -> None:
            self.data += bytes(data)

        async def finish(self, exc: BaseException | None = None) -> None:
            self.finished = str(exc)

    async def main() -> None:
        async with await peer.connect_async() as conn:
            mine = Mine()
            async with peer.module.AsyncCopy(conn.cursor(), writer=mine) as copy:
                await copy.write_row((1, "x"))
            assert (mine.data, mine.finished) == (b"1\tx\n", "None")

    asyncio.run(main())
