"""COPY in both directions and both formats, and what becomes of it when somebody fails."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import psycopg
import pytest

import neonps
from neonps.pq import TransactionStatus

ROWS: list[tuple[Any, ...]] = [
    (1, "plain", Decimal("1.50")),
    (2, None, None),
    (3, "tab\tnewline\nback\\slash \\N é", Decimal("NaN")),
]


@pytest.fixture(params=["tcp", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """Those that have COPY."""
    return str(request.param)


@pytest.fixture
def table(conn: neonps.Connection[Any]) -> neonps.Connection[Any]:
    conn.execute("CREATE TEMPORARY TABLE goods (id int, name text, price numeric)")
    conn.commit()
    return conn


def contents(conn: neonps.Connection[Any]) -> list[tuple[Any, ...]]:
    return [(i, n, str(p)) for i, n, p in conn.execute("SELECT * FROM goods ORDER BY id").fetchall()]


@pytest.mark.parametrize("options", ["", "(FORMAT binary)"])
def test_rows_in_and_out(table: neonps.Connection[Any], options: str) -> None:
    with table.cursor() as cursor:
        with cursor.copy(f"COPY goods FROM STDIN {options}") as copy:
            copy.set_types(["int4", "text", "numeric"])
            for row in ROWS:
                copy.write_row(row)
        assert (cursor.rowcount, cursor.statusmessage) == (3, "COPY 3")
        assert contents(table) == [(i, n, str(p)) for i, n, p in ROWS]
        with cursor.copy(f"COPY (SELECT * FROM goods ORDER BY id) TO STDOUT {options}") as copy:
            copy.set_types(["int4", "text", "numeric"])
            found = list(copy.rows())
            assert copy.read_row() is None
        assert [(i, n, str(p)) for i, n, p in found] == [(i, n, str(p)) for i, n, p in ROWS]
        assert cursor.statusmessage == "COPY 3"
    assert table.info.transaction_status == TransactionStatus.INTRANS


def test_pieces_of_data_need_not_be_rows(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor:
        with cursor.copy("COPY goods (id, name) FROM STDIN") as copy:
            for piece in ("1\to", b"ne\n2", memoryview(b"\ttwo\n")):
                copy.write(piece)
        with cursor.copy("COPY goods TO STDOUT") as copy:
            assert b"".join(copy) == b"1\tone\t\\N\n2\ttwo\t\\N\n"


@pytest.mark.parametrize("options", ["", "(FORMAT binary)"])
def test_what_is_sent_is_what_psycopg_sends(table: neonps.Connection[Any], dsn: str, options: str) -> None:
    """The same rows, written by either driver, are the same data to the server."""
    statement = f"COPY goods FROM STDIN {options}"
    with table.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int4", "text", "numeric"])
        for row in ROWS:
            copy.write_row(row)
    with psycopg.connect(dsn) as other, other.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE goods (id int, name text, price numeric)")
        with cursor.copy(statement) as copy:
            copy.set_types(["int4", "text", "numeric"])
            for row in ROWS:
                copy.write_row(row)
        with cursor.copy("COPY goods TO STDOUT") as copy:
            theirs = b"".join(bytes(piece) for piece in copy)
    with table.cursor() as cursor, cursor.copy("COPY goods TO STDOUT") as copy:
        assert b"".join(copy) == theirs


def test_no_rows(table: neonps.Connection[Any]) -> None:
    for options in ("", "(FORMAT binary)"):
        with table.cursor() as cursor:
            with cursor.copy(f"COPY goods FROM STDIN {options}"):
                pass
            assert cursor.rowcount == 0
            with cursor.copy(f"COPY goods TO STDOUT {options}") as copy:
                assert copy.read_row() is None


def test_many_rows(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor, cursor.copy("COPY goods (id) FROM STDIN") as copy:
        for n in range(50_000):
            copy.write_row((n,))
    assert table.execute("SELECT count(*), sum(id) FROM goods").fetchone() == (50_000, 1_249_975_000)


def test_an_exception_in_the_block_undoes_the_copy(table: neonps.Connection[Any]) -> None:
    with pytest.raises(ZeroDivisionError), table.cursor() as cursor, cursor.copy("COPY goods (id) FROM STDIN") as copy:
        copy.write_row((1,))
        _ = 1 / 0
    table.rollback()
    assert contents(table) == []


def test_a_mistake_in_the_data(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor:
        with pytest.raises(neonps.errors.InvalidTextRepresentation), cursor.copy("COPY goods (id) FROM STDIN") as copy:
            copy.write(b"nonsense\n")
        table.rollback()
        with pytest.raises(neonps.errors.InvalidTextRepresentation), cursor.copy("COPY goods (id) FROM STDIN") as copy:
            for _ in range(100_000):
                copy.write(b"nonsense\n")
    table.rollback()
    assert contents(table) == []


def test_a_copy_that_fails_before_it_reads(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor:
        with pytest.raises(neonps.errors.UndefinedTable), cursor.copy("COPY no_such_table FROM STDIN"):
            raise AssertionError("the block must not be entered")
        table.rollback()
        cursor.execute(
            "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no goods today'; END $$"
        )
        cursor.execute("CREATE TRIGGER t BEFORE INSERT ON goods FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.refuse()")
        table.commit()
        for _ in range(3):
            with pytest.raises(neonps.errors.RaiseException, match="no goods today"):
                with cursor.copy("COPY goods (id) FROM STDIN") as copy:
                    copy.write_row((1,))
            table.rollback()
            with pytest.raises(neonps.ProgrammingError, match="use copy"):
                cursor.execute("COPY goods (id) FROM STDIN")
            table.rollback()
            assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_reading_can_stop_early(table: neonps.Connection[Any]) -> None:
    table.autocommit = True
    with table.cursor() as cursor:
        with cursor.copy("COPY (SELECT generate_series(1, 10000000)) TO STDOUT") as copy:
            assert copy.read() == b"1\n"
        assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_an_error_in_the_middle_of_reading(table: neonps.Connection[Any]) -> None:
    statement = "COPY (SELECT 1 / (5 - n) FROM generate_series(1, 9) AS n) TO STDOUT"
    with table.cursor() as cursor:
        with pytest.raises(neonps.errors.DivisionByZero), cursor.copy(statement) as copy:
            list(copy)
        table.rollback()
        assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_nothing_else_can_run_meanwhile(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor:
        with cursor.copy("COPY goods (id) FROM STDIN") as copy:
            for action in (lambda: table.execute("SELECT 1"), table.commit, table.rollback):
                with pytest.raises(neonps.OperationalError, match="another command is already in progress"):
                    action()
            copy.write_row((1,))
        assert contents(table) == [(1, None, "None")]


def test_misuse(table: neonps.Connection[Any]) -> None:
    with table.cursor() as cursor:
        with pytest.raises(neonps.ProgrammingError, match="only with COPY"), cursor.copy("SELECT 1"):
            pass
        with cursor.copy("COPY goods TO STDOUT") as copy, pytest.raises(TypeError):
            copy.write(b"1\n")
        with cursor.copy("COPY goods (id) FROM STDIN") as copy, pytest.raises(TypeError):
            copy.read()
        with cursor.copy("COPY goods FROM STDIN (FORMAT binary)") as copy, pytest.raises(TypeError, match="binary"):
            copy.write("text")
        with pytest.raises(neonps.ProgrammingError, match="0 placeholders"):
            cursor.copy("COPY goods FROM STDIN", [1])


def test_http_has_no_copy(url: str) -> None:
    with neonps.connect(url, transport="http") as conn, conn.cursor() as cursor:
        with pytest.raises(neonps.NotSupportedError, match="websocket"), cursor.copy("COPY goods FROM STDIN"):
            pass


def test_a_buffer_that_is_filled_anew(table: neonps.Connection[Any]) -> None:
    """What was written is what was in it then."""
    buffer = bytearray(2)
    with table.cursor().copy("COPY goods (id) FROM STDIN") as copy:
        for number in range(8):
            buffer[:] = b"%d\n" % number
            copy.write(buffer if number % 2 else memoryview(buffer))
        copy.write(memoryview(b"8x9x\n\n")[::2])
    assert [row[0] for row in table.execute("SELECT id FROM goods ORDER BY id")] == [*range(8), 89]


def test_a_copy_that_is_entered_again(table: neonps.Connection[Any]) -> None:
    copy = table.cursor().copy("COPY goods (id) FROM STDIN")
    with copy:
        copy.write_row((1,))
        with pytest.raises(TypeError, match="only once"):
            copy.__enter__()
    with pytest.raises(TypeError, match="only once"):
        copy.__enter__()
    assert table.execute("SELECT id FROM goods").fetchall() == [(1,)]


def test_an_asyncio_copy_that_is_entered_again(url: str, transport: str) -> None:
    async def main() -> None:
        async with await neonps.AsyncConnection.connect(url, transport=transport) as conn:
            await conn.execute("CREATE TEMPORARY TABLE goods (id int)")
            copy = conn.cursor().copy("COPY goods FROM STDIN")
            async with copy:
                await copy.write_row((1,))
            with pytest.raises(TypeError, match="only once"):
                await copy.__aenter__()
            cursor = await conn.execute("SELECT id FROM goods")
            assert await cursor.fetchall() == [(1,)]

    asyncio.run(main())


@pytest.mark.parametrize("options", ["", "(FORMAT binary)"])
def test_writing_behind_the_end(table: neonps.Connection[Any], options: str) -> None:
    with table.cursor().copy(f"COPY goods (id) FROM STDIN {options}") as copy:
        copy.set_types(["int4"])
        copy.write_row((1,))
        copy.write_row((2,))
    for write in (lambda: copy.write(b"3\n"), lambda: copy.write_row((3,))):
        with pytest.raises(neonps.ProgrammingError, match="no COPY is in progress"):
            write()
    assert table.execute("SELECT count(*) FROM goods").fetchone() == (2,)
