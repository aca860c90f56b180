"""`Cursor.stream()` as psycopg has it: rows as they come, and a connection that is busy until they are all there."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from itertools import islice
from typing import Any

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect(autocommit=True)


def status(conn: Any) -> str:
    name: str = conn.info.transaction_status.name
    return name


ENDLESS = "select generate_series(1, 1000000000), repeat('x', 1000)"


def test_rows(conn: Any) -> None:
    cursor = conn.cursor()
    assert list(cursor.stream("select i, -i from generate_series(1, 3) i")) == [(1, -1), (2, -2), (3, -3)]
    assert status(conn) == "IDLE"


def test_nothing_is_sent_before_the_first_row_is_asked_for(conn: Any) -> None:
    rows = conn.cursor().stream("select 1")
    assert status(conn) == "IDLE"
    assert conn.execute("select 2").fetchone() == (2,)
    assert iter(rows) is rows
    assert list(rows) == [(1,)]


def test_empty_result(conn: Any) -> None:
    assert list(conn.cursor().stream("select 1 where false")) == []
    assert list(conn.cursor().stream("select from generate_series(1, 2)")) == [(), ()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_size(conn: Any, size: int) -> None:
    cursor = conn.cursor()
    assert [row[0] for row in cursor.stream("select generate_series(1, 5)", size=size)] == [1, 2, 3, 4, 5]
    assert list(cursor.stream("select 1 where false", size=size)) == []


@pytest.mark.parametrize("size", [0, -1])
def test_bad_size(conn: Any, size: int) -> None:
    with pytest.raises(ValueError, match="size must be >= 1"):
        list(conn.cursor().stream("select 1", size=size))
    assert conn.execute("select 1").fetchone() == (1,)


def test_params(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    assert list(cursor.stream("select %s, %s", (1, "x"))) == [(1, "x")]
    assert list(cursor.stream("select %(a)s, '%%'", {"a": None})) == [(None, "%")]
    assert list(cursor.stream("select '%'")) == [("%",)]
    assert list(cursor.stream(b"select 1")) == [(1,)]
    assert list(cursor.stream(peer.submodule("sql").SQL("select {}").format("x"))) == [("x",)]
    for query, params, error in [
        ("select %s", (), peer.module.ProgrammingError),
        ("select %s", [object()], peer.module.ProgrammingError),
        ("select %(a)s", (1,), TypeError),
        ("select %s", "x", TypeError),
    ]:
        with pytest.raises(error):
            next(cursor.stream(query, params))
        assert status(conn) == "IDLE"


def test_binary(conn: Any) -> None:
    cursor = conn.cursor()
    for _ in cursor.stream("select 1::int4, 'x'::text", binary=True):
        assert cursor.pgresult.get_value(0, 0) == b"\0\0\0\1"
    assert list(cursor.stream("select generate_series(1, 3)", binary=True, size=2)) == [(1,), (2,), (3,)]
    binary = conn.cursor(binary=True)
    for row in binary.stream("select 1::int4"):
        assert (row, binary.pgresult.fformat(0)) == ((1,), 1)
    for row in binary.stream("select 1::int4", binary=False):
        assert (row, binary.pgresult.fformat(0)) == ((1,), 0)


def test_state_while_streaming(conn: Any) -> None:
    cursor = conn.cursor()
    for _ in cursor.stream("select generate_series(1, 3) as a"):
        assert [column.name for column in cursor.description] == ["a"]
        assert (cursor.rowcount, cursor.statusmessage) == (-1, None)
    assert [column.name for column in cursor.description] == ["a"]
    assert (cursor.rowcount, cursor.rownumber, cursor.statusmessage) == (-1, None, None)


def test_the_connection_is_active_while_streaming(conn: Any) -> None:
    with closing(conn.cursor().stream("select generate_series(1, 100000)")) as rows:
        next(rows)
        assert status(conn) == "ACTIVE"
    assert status(conn) == "IDLE"


def test_fetching_while_and_after_streaming(peer: Peer, conn: Any) -> None:
    cursor = conn.execute("select 5")
    rows = cursor.stream("select generate_series(1, 3)")
    assert cursor.fetchone() == (5,)
    next(rows)
    with pytest.raises(peer.module.ProgrammingError):
        cursor.fetchone()
    assert list(rows) == [(2,), (3,)]
    with pytest.raises(peer.module.ProgrammingError):
        cursor.fetchall()
    assert cursor.nextset() is None
    assert cursor.execute("select 6").fetchone() == (6,)


def test_row_factories(peer: Peer, conn: Any) -> None:
    rows = peer.submodule("rows")
    cursor = conn.cursor(row_factory=rows.dict_row)
    assert list(cursor.stream("select i as a, 'x' as b from generate_series(1, 2) i")) == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": "x"},
    ]
    cursor.row_factory = rows.scalar_row
    for size in (1, 2):
        assert list(cursor.stream("select generate_series(1, 5)", size=size)) == [1, 2, 3, 4, 5]
    cursor.row_factory = lambda cursor: lambda values: None
    assert list(cursor.stream("select generate_series(1, 3)")) == [None, None, None]


def test_query_object(conn: Any) -> None:
    cursor = conn.cursor()
    list(cursor.stream("select %s", (1,)))
    assert cursor._query.query == b"select $1"


# Errors


@pytest.mark.parametrize(
    "query",
    ["create temp table t (a int)", "insert into items values (1)", "set work_mem = '5MB'", "update items set a = 1"],
)
def test_statement_without_rows(peer: Peer, conn: Any, query: str) -> None:
    conn.execute("create temp table items (a int)")
    with pytest.raises(peer.module.ProgrammingError, match=r"the operation in stream\(\) didn't produce a result"):
        list(conn.cursor().stream(query))
    assert conn.execute("select 1").fetchone() == (1,)


def test_insert_returning(conn: Any) -> None:
    conn.execute("create temp table items (a int)")
    assert list(conn.cursor().stream("insert into items values (1), (2) returning a")) == [(1,), (2,)]
    assert conn.execute("select count(*) from items").fetchone() == (2,)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("selec 1", "SyntaxError"),
        ("select * from nope", "UndefinedTable"),
        ("select 1; select 2", "SyntaxError"),
        ("select 1 / 0", "DivisionByZero"),
    ],
)
def test_errors_before_the_first_row(peer: Peer, conn: Any, query: str, error: str) -> None:
    cursor = conn.cursor()
    with pytest.raises(getattr(peer.module.errors, error)):
        list(cursor.stream(query))
    assert status(conn) == "IDLE"
    assert cursor.execute("select 1").fetchone() == (1,)


def test_empty_query(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.Error):
        list(conn.cursor().stream(""))
    assert conn.execute("select 1").fetchone() == (1,)


def test_error_among_the_rows(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    found = []
    with pytest.raises(peer.module.errors.DivisionByZero):
        for row in cursor.stream("select 1 / (3 - i) from generate_series(1, 5) i"):
            found.append(row)
    assert found == [(0,), (1,)]
    assert status(conn) == "IDLE"
    assert cursor.execute("select 1").fetchone() == (1,)


def test_copy_statement(peer: Peer) -> None:
    for query in ("copy (select 1) to stdout", "copy t from stdin"):
        conn = peer.connect(autocommit=True)
        conn.execute("create temp table t (a int)")
        with pytest.raises(peer.module.ProgrammingError, match=r"COPY cannot be used with this method; use copy\(\)"):
            list(conn.cursor().stream(query))


def test_pipeline(peer: Peer, conn: Any) -> None:
    with conn.pipeline():
        with pytest.raises(peer.module.ProgrammingError, match=r"stream\(\) cannot be used in pipeline mode"):
            list(conn.cursor().stream("select 1"))


def test_closed_cursor(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    rows = cursor.stream("select 1")
    cursor.close()
    with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
        next(rows)


# Leaving early


def test_close_of_the_generator(conn: Any) -> None:
    with closing(conn.cursor().stream(ENDLESS)) as rows:
        assert [row[0] for row in islice(rows, 3)] == [1, 2, 3]
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_break(conn: Any) -> None:
    for row in conn.cursor().stream(ENDLESS):
        if row[0] == 3:
            break
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_close_with_size(conn: Any) -> None:
    with closing(conn.cursor().stream(ENDLESS, size=50)) as rows:
        assert [row[0] for row in islice(rows, 75)] == list(range(1, 76))
    assert conn.execute("select 1").fetchone() == (1,)


def test_exception_in_the_loop(conn: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        with closing(conn.cursor().stream(ENDLESS)) as rows:
            for _ in rows:
                raise ZeroDivisionError
    assert status(conn) == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


def test_errors_of_rows_that_nobody_wants(conn: Any) -> None:
    for size in (1, 2):
        with closing(conn.cursor().stream("select 1 / (3 - i) from generate_series(1, 5) i", size=size)) as rows:
            assert next(rows) == (0,)
        assert conn.execute("select 1").fetchone() == (1,)


def test_close_in_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    with closing(conn.cursor().stream(ENDLESS)) as rows:
        next(rows)
    assert status(conn) == "INERROR"  # it was cancelled
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        conn.execute("select 1")
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_close_of_a_small_result_in_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    with closing(conn.cursor().stream("select generate_series(1, 3)")) as rows:
        next(rows)
    assert status(conn) in ("INTRANS", "INERROR")
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_generator_that_was_never_started(conn: Any) -> None:
    conn.cursor().stream("select 1").close()
    assert status(conn) == "IDLE"


def test_use_again(conn: Any) -> None:
    cursor = conn.cursor()
    for _ in range(3):
        with closing(cursor.stream(ENDLESS)) as rows:
            next(rows)
        assert list(cursor.stream("select 1")) == [(1,)]


def test_the_connection_is_closed_meanwhile(peer: Peer, conn: Any) -> None:
    rows = conn.cursor().stream(ENDLESS)
    next(rows)
    conn.close()
    with pytest.raises(peer.module.OperationalError):
        for _ in rows:
            pass
    assert conn.closed


def test_the_connection_is_ended_by_the_server_meanwhile(peer: Peer, conn: Any, admin: Any) -> None:
    rows = conn.cursor().stream(ENDLESS)
    next(rows)
    admin.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
    with pytest.raises(peer.module.OperationalError):
        for _ in rows:
            pass
    assert conn.closed


# Transactions


def test_transactions(peer: Peer) -> None:
    conn = peer.connect()
    cursor = conn.cursor()
    assert list(cursor.stream("select 1")) == [(1,)]
    assert status(conn) == "INTRANS"
    with pytest.raises(peer.module.errors.SyntaxError):
        list(cursor.stream("selec 1"))
    assert status(conn) == "INERROR"
    with pytest.raises(peer.module.errors.InFailedSqlTransaction):
        list(cursor.stream("select 1"))
    conn.rollback()
    with conn.transaction():
        assert list(cursor.stream("select 1")) == [(1,)]


def test_many_rows(conn: Any) -> None:
    for size in (1, 1000):
        rows = conn.cursor().stream("select i, repeat('x', 50) from generate_series(1, 20000) i", size=size)
        assert sum(row[0] for row in rows) == 20000 * 20001 // 2


def test_large_values(conn: Any) -> None:
    rows = conn.cursor().stream("select repeat('x', 1000000) from generate_series(1, 5)")
    assert [len(row[0]) for row in rows] == [1000000] * 5


def test_other_threads_wait(conn: Any, in_thread: Any) -> None:
    rows = conn.cursor().stream("select generate_series(1, 1000)")
    assert next(rows) == (1,)
    waiting = in_thread(lambda: conn.execute("select 'x'").fetchone())
    assert len(list(rows)) == 999
    assert waiting.result(10) == ("x",)


# asyncio


def test_async(peer: Peer) -> None:
    async def main() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            cursor = conn.cursor()
            for size in (1, 2):
                found = [
                    row async for row in cursor.stream("select i, %s from generate_series(1, 3) i", ("x",), size=size)
                ]
                assert found == [(1, "x"), (2, "x"), (3, "x")]
            async with aclosing(cursor.stream(ENDLESS)) as rows:
                assert (await rows.__anext__())[0] == 1
                assert status(conn) == "ACTIVE"
            assert status(conn) == "IDLE"
            found = []
            with pytest.raises(peer.module.errors.DivisionByZero):
                async for row in cursor.stream("select 1 / (3 - i) from generate_series(1, 5) i"):
                    found.append(row)
            assert found == [(0,), (1,)]
            with pytest.raises(ValueError, match="size must be >= 1"):
                await cursor.stream("select 1", size=0).__anext__()
            with pytest.raises(peer.module.ProgrammingError, match="didn't produce a result"):
                await cursor.stream("set work_mem = '5MB'").__anext__()
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())


def test_async_task_is_cancelled(peer: Peer) -> None:
    async def main() -> None:
        async with await peer.connect_async(autocommit=True) as conn:
            started = asyncio.Event()

            async def read() -> None:
                async for _ in conn.cursor().stream("select repeat('x', 20000), pg_sleep(generate_series(0, 99))"):
                    started.set()

            task = asyncio.create_task(read())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert conn.closed or await (await conn.execute("select 1")).fetchone() == (1,)

    asyncio.run(main())
