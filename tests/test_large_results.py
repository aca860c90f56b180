"""Large results, and many sets of parameters: the same on every transport, by every way to fetch them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from transports import Connect, Connection, over_http

import neonps
from neonps import errors
from neonps.adapt import Loader
from neonps.protocol.textresult import JsonResult
from neonps.rows import dict_row, scalar_row

COLUMNS = """
    n::int2, n * 100000, n * -1000000007::int8, n / 7.0::float8, (n / 3.0)::float4, (n / 100.0)::numeric(12, 2),
    n % 2 = 0, 'row ' || n, repeat('],["\\', n % 3) || chr(1000 + n), md5(n::text)::uuid, n::text::bytea,
    date '2026-01-01' - n, time '12:34:56.7' + n * interval '1 ms', timestamp '2026-01-01' + n * interval '1.5 s',
    timestamptz '2026-01-01 12:34:56.789+00' + n * interval '1 s', n * interval '1 s', jsonb_build_object('n', n),
    array[n, null], nullif(n % 3, 0), case when n % 5 > 0 then n::text end, n::oid, null
"""
QUERY = f"select {COLUMNS} from generate_series(1, 3000) n"


@pytest.fixture(scope="module")
def expected(dsn: str) -> list[Any]:
    """The rows of `QUERY` as the other driver has them."""
    with psycopg.connect(dsn) as other:
        return other.execute(QUERY).fetchall()


def many(cursor: Any) -> list[Any]:
    rows = []
    for size in (1, 10, 100, 1000):
        rows += cursor.fetchmany(size)
    return [*rows, cursor.fetchone(), *cursor]


@pytest.mark.parametrize("fetch", [lambda cursor: cursor.fetchall(), list, many], ids=["fetchall", "iterating", "many"])
def test_all_types(auto: Connection, expected: list[Any], fetch: Callable[[Any], list[Any]]) -> None:
    rows = fetch(auto.execute(QUERY))
    assert rows == expected
    assert [list(map(type, row)) for row in rows] == [list(map(type, row)) for row in expected]


def test_row_factories_and_scrolling(auto: Connection) -> None:
    query = "select n, n::text as t, nullif(n, 7) as o from generate_series(0, 19999) n"
    cursor = auto.cursor(row_factory=dict_row).execute(query)
    assert cursor.fetchall() == [{"n": n, "t": str(n), "o": None if n == 7 else n} for n in range(20000)]
    assert cursor.fetchall() == []
    cursor.scroll(15000, "absolute")
    assert cursor.fetchone() == {"n": 15000, "t": "15000", "o": 15000}
    cursor.scroll(6, "absolute")
    cursor.row_factory = scalar_row  # type: ignore[assignment]
    assert cursor.fetchmany(3) == [6, 7, 8]
    assert cursor.rownumber == 9
    assert cursor.rowcount == 20000
    assert cursor.pgresult is not None
    assert cursor.pgresult.get_value(12345, 1) == b"12345"
    assert cursor.pgresult.get_value(7, 2) is None
    assert gc.isenabled()


def test_a_value_that_python_cannot_hold(auto: Connection) -> None:
    query = (
        "select case when n = 15000 then 'infinity' else timestamp '2026-01-01' end from generate_series(0, 19999) n"
    )
    cursor = auto.execute(query)
    with pytest.raises(errors.DataError, match="too large"):
        cursor.fetchall()
    assert gc.isenabled()
    assert len(cursor.fetchmany(15000)) == 15000
    with pytest.raises(errors.DataError, match="too large"):
        cursor.fetchone()


def test_a_loader_that_is_registered_between_two_fetches(auto: Connection) -> None:
    class Reversed(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode()[::-1]

    cursor = auto.execute("select n::text from generate_series(10000, 29999) n")
    assert cursor.fetchmany(50)[-1] == ("10049",)
    cursor.adapters.register_loader("text", Reversed)
    assert cursor.fetchone() == ("05001",)
    assert cursor.fetchall()[-1] == ("99992",)


@over_http
def test_large_results_stay_json(connect: Connect) -> None:
    """In a read-only transaction, in a batch, and alone."""
    query = "select n from generate_series(1, 20000) n"
    conn = connect()
    for autocommit in (False, True):
        conn.autocommit = autocommit
        cursor = conn.execute(query)
        assert isinstance(cursor.pgresult, JsonResult)
        assert cursor.fetchall() == [(n,) for n in range(1, 20001)]
    first, second = conn.batch([query, query])
    assert first.fetchall() == second.fetchall() == [(n,) for n in range(1, 20001)]


VALUES = [(n, (7**n) % (1 << 62 >> n % 40), n / 7.0 if n % 3 else None, f"é{n}'\\") for n in range(1500)]


@pytest.fixture
def many_rows(admin: psycopg.Connection[Any]) -> Any:
    admin.execute("create table many_rows (a int, b int8, c float8, d text)")
    yield lambda: admin.execute("select * from many_rows order by a").fetchall()
    admin.execute("drop table many_rows")


@pytest.mark.parametrize("factory", [neonps.Cursor, neonps.ClientCursor])
def test_executemany_with_values_of_many_types(connect: Connect, many_rows: Any, factory: Any) -> None:
    conn = connect(autocommit=True, cursor_factory=factory)
    cursor = conn.cursor()
    cursor.executemany("insert into many_rows values (%s, %s, %s, %s)", VALUES)
    assert cursor.rowcount == len(VALUES)
    assert many_rows() == VALUES


def test_executemany_returning(auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.executemany(
        "select %s, pg_typeof(%s)::text", [(n, n) for n in (1, 100000, 1 << 40, 1 << 70, 2)], returning=True
    )
    assert [result.fetchone() for result in cursor.results()] == [
        (1, "smallint"),
        (100000, "integer"),
        (1 << 40, "bigint"),
        (1 << 70, "numeric"),
        (2, "smallint"),
    ]
