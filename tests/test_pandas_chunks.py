"""`chunksize`: frames of a part of the result each; how much of it is in memory at once."""

from __future__ import annotations

import gc
from typing import Any

import pandas
import psycopg
import pytest
from frames import STATEMENTS, UNTESTED, WRAPPED, frame_of, oracle
from pages import run
from transports import Connect, on_sessions, over_http

import neonps

pytestmark = pytest.mark.filterwarnings(UNTESTED)

SERIES = "select n, n * 1.5::float8 as x, md5(n::text) as word from generate_series(1, %s) n order by n"

client_side = pytest.param({}, id="client-side")
server_side = pytest.param({"cursor_factory": neonps.ServerCursor}, id="server-side")


def cursors(conn: neonps.Connection[Any]) -> int:
    """How many cursors the server has for this connection, but for the one that counts."""
    (count,) = neonps.Cursor(conn).execute("select count(*) from pg_cursors where name <> ''").fetchone() or (-1,)
    return int(count)


@on_sessions
@pytest.mark.parametrize("how", [client_side, server_side])
@pytest.mark.parametrize(("rows", "sizes"), [(10, [4, 4, 2]), (8, [4, 4]), (3, [3]), (0, [0])])
def test_frames_of_that_size(connect: Connect, how: Any, rows: int, sizes: list[int]) -> None:
    frames = list(pandas.read_sql(SERIES, connect(**how), params=[rows], chunksize=4))
    assert [len(frame) for frame in frames] == sizes
    assert [list(frame.columns) for frame in frames] == [["n", "x", "word"]] * len(sizes)
    assert [n for frame in frames for n in frame["n"]] == list(range(1, rows + 1))


@over_http
def test_over_http_too(connect: Connect) -> None:
    """The answer is there as a whole, and is given out in parts."""
    frames = list(pandas.read_sql(SERIES, connect(), params=[10], chunksize=4))
    assert [frame["n"].tolist() for frame in frames] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


@pytest.mark.parametrize("how", [client_side, server_side])
@on_sessions
def test_same_chunks(connect: Connect, dsn: str, how: Any) -> None:
    engine, conn = oracle(dsn), connect(**how)
    for name, statement in STATEMENTS.items():
        theirs = [frame_of(frame) for frame in pandas.read_sql(statement, engine, chunksize=2)]
        ours = [frame_of(frame) for frame in pandas.read_sql(statement, conn, chunksize=2)]
        assert ours == theirs, name
    engine.dispose()


# Server-side


@on_sessions
def test_nothing_is_left_on_the_server(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    for frame in pandas.read_sql(SERIES, conn, params=[10], chunksize=4):
        assert len(frame) <= 4
        assert cursors(conn) == 1
    assert cursors(conn) == 0


@on_sessions
def test_a_loop_that_is_left_early(connect: Connect) -> None:
    """Neither a warning nor a cursor stays."""
    conn = connect(cursor_factory=neonps.ServerCursor)
    for frame in pandas.read_sql(SERIES, conn, params=[10], chunksize=4):
        assert frame["n"].tolist() == [1, 2, 3, 4]
        break
    gc.collect()
    assert cursors(conn) == 0
    assert pandas.read_sql("select 1 as a", conn)["a"].tolist() == [1]


@on_sessions
def test_two_at_once(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    loops = [pandas.read_sql(SERIES, conn, params=[rows], chunksize=2) for rows in (3, 4)]
    assert [(len(one), len(other)) for one, other in zip(*loops, strict=True)] == [(2, 2), (1, 2)]


@on_sessions
def test_all_at_once_through_the_same_connection(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    assert pandas.read_sql(SERIES, conn, params=[5])["n"].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises((neonps.errors.UndefinedTable, WRAPPED), match="missing"):
        pandas.read_sql("select * from missing", conn)
    conn.rollback()
    assert pandas.read_sql("select 1 as a", conn)["a"].tolist() == [1]


@on_sessions
def test_the_end_of_the_transaction_ends_the_reading(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    frames = pandas.read_sql(SERIES, conn, params=[10], chunksize=4)
    next(frames)
    conn.commit()
    with pytest.raises(neonps.errors.InvalidCursorName):
        next(frames)


@on_sessions
def test_with_autocommit_in_a_transaction(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor, autocommit=True)
    with pytest.raises((neonps.errors.NoActiveSqlTransaction, WRAPPED), match="DECLARE CURSOR"):
        pandas.read_sql(SERIES, conn, params=[10], chunksize=4)
    with conn.transaction():
        assert [len(frame) for frame in pandas.read_sql(SERIES, conn, params=[10], chunksize=4)] == [4, 4, 2]


@on_sessions
def test_killed_while_reading(connect: Connect, admin: psycopg.Connection[Any]) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    frames = pandas.read_sql(SERIES, conn, params=[10], chunksize=4)
    next(frames)
    admin.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(neonps.OperationalError):
        list(frames)
    assert conn.closed


@over_http
def test_not_over_http(connect: Connect) -> None:
    conn = connect(cursor_factory=neonps.ServerCursor)
    with pytest.raises((neonps.NotSupportedError, WRAPPED), match="a server-side cursor needs a session"):
        pandas.read_sql(SERIES, conn, params=[10], chunksize=4)


# Memory

WIDE = "select n, repeat(md5(n::text), 30) as words from generate_series(1, 10000) n"

#: Prints how many bytes Python has allocated at most while it read: in chunks of a hundredth, then at once.
MEMORY = """
import sys, tracemalloc, warnings
import pandas, neonps
statement, transport, factory, url = sys.argv[1:]
warnings.filterwarnings("ignore", "pandas only supports SQLAlchemy")
with neonps.connect(url, transport=transport, cursor_factory=getattr(neonps, factory)) as conn:
    pandas.read_sql("select 1 as n, 'x' as words", conn)  # so that what is imported late is not counted
    tracemalloc.start()
    assert sum(len(frame) for frame in pandas.read_sql(statement, conn, chunksize=100)) == 10000
    print(tracemalloc.get_traced_memory()[1])
    tracemalloc.reset_peak()
    assert len(pandas.read_sql(statement, conn)) == 10000
    print(tracemalloc.get_traced_memory()[1])
"""


def peaks(*arguments: str) -> list[int]:
    ran = run("-W", "error", "-c", MEMORY, *arguments, url=None)
    assert ran.stderr == ""
    return [int(line) for line in ran.stdout.split()]


@on_sessions
def test_memory_is_bounded_by_the_chunk(url: str, transport: str) -> None:
    in_chunks, at_once = peaks(WIDE, transport, "ServerCursor", url)
    assert in_chunks < at_once / 10


@on_sessions
def test_a_client_side_cursor_has_all_rows_in_memory(url: str, transport: str) -> None:
    in_chunks, at_once = peaks(WIDE, transport, "Cursor", url)
    assert in_chunks > at_once / 3
