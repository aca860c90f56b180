"""The formats that columns are asked for in once they are certain, and rows that are loaded before they are taken."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

import neonps
from neonps.adapt import Loader
from neonps.rows import dict_row, scalar_row

Connect = Callable[..., neonps.Connection[Any]]

QUERY = "select n, n * 1000000007::int8, n / 7.0::float8, 'text ' || n, n % 2 = 0 from generate_series(1, {}) n"
MOMENTS = "select now() + n * interval '1 day', n::numeric / 3, md5(n::text)::uuid, n from generate_series(1, 100) n"


@pytest.fixture(params=["tcp", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """Those with a session: HTTP carries text only."""
    return str(request.param)


@pytest.fixture
def auto(connect: Connect) -> neonps.Connection[Any]:
    return connect(autocommit=True)


def formats(cursor: neonps.Cursor[Any]) -> list[int]:
    result = cursor.pgresult
    assert result is not None
    return [result.fformat(n) for n in range(result.nfields)]


class Shouting(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode() + "!"


def test_prepared_statement(auto: neonps.Connection[Any]) -> None:
    query = QUERY.format(50)
    found = [auto.execute(query, prepare=True) for _ in range(3)]
    assert [formats(cursor) for cursor in found] == [[0] * 5, [1, 1, 1, 0, 1], [1, 1, 1, 0, 1]]
    rows = [cursor.fetchall() for cursor in found]
    assert rows[0] == rows[1] == rows[2]
    assert [type(value) for value in rows[1][0]] == [int, int, float, str, bool]


def test_in_a_pipeline(auto: neonps.Connection[Any]) -> None:
    query = QUERY.format(50)
    first = auto.execute(query, prepare=True).fetchall()
    with auto.pipeline():
        cursors = [auto.execute(query) for _ in range(2)]
        assert [cursor.fetchall() for cursor in cursors] == [first, first]
        assert formats(cursors[0]) == [1, 1, 1, 0, 1]


def test_few_rows_stay_text(auto: neonps.Connection[Any]) -> None:
    query = QUERY.replace("%", "%%").format("%s")
    found = [formats(auto.execute(query, [rows], prepare=True)) for rows in (31, 31, 32, 32, 1, 1)]
    assert [each[0] for each in found] == [0, 0, 0, 1, 1, 0]


def test_text_is_cheaper_where_each_value_needs_a_call(auto: neonps.Connection[Any]) -> None:
    for _ in range(3):
        assert formats(auto.execute(MOMENTS, prepare=True)) == [0] * 4


def test_binary_where_columns_cannot_be_taken_apart(auto: neonps.Connection[Any]) -> None:
    query = f"select *, '{{1,2}}'::int[], '\\x00ff'::bytea from ({MOMENTS}) t"
    first = auto.execute(query, prepare=True)
    second = auto.execute(query)
    assert formats(second) == [1, 0, 1, 1, 0, 1]
    for one, other in zip(first, second, strict=True):
        assert one[1:] == other[1:]


def test_thousands_of_rows_prepare_the_statement(auto: neonps.Connection[Any]) -> None:
    query = QUERY.format(2000)
    found = [auto.execute(query) for _ in range(3)]
    assert [formats(cursor)[0] for cursor in found] == [0, 0, 1]
    rows = [cursor.fetchall() for cursor in found]
    assert rows[0] == rows[1] == rows[2]
    statements = auto.execute("select statement from pg_prepared_statements").fetchall()
    assert statements == [(query,)]


def test_nothing_is_prepared_without_a_threshold(connect: Connect) -> None:
    conn = connect(autocommit=True, prepare_threshold=None)
    for _ in range(3):
        assert formats(conn.execute(QUERY.format(2000))) == [0] * 5
    assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_columns_that_have_changed(auto: neonps.Connection[Any], mark: str) -> None:
    table = f"changing_{mark}"
    auto.execute(f"create table {table} as select n, n + 1 as m from generate_series(1, 50) n")
    other = neonps.connect(auto.info.dsn, password=auto.info.password, transport="tcp", autocommit=True)
    try:
        query = f"select * from {table} where n >= %s"
        for _ in range(2):
            cursor = auto.execute(query, [1], prepare=True)
        assert formats(cursor) == [1, 1]
        other.execute(f"alter table {table} add column t text default 'new'")
        # Without the name nothing is certain.
        assert auto.execute(query, [1], prepare=False).fetchone() == (1, 2, "new")
        with pytest.raises(neonps.errors.FeatureNotSupported):  # as ever with a prepared statement
            auto.execute(query, [1])
        assert auto.execute(query, [1]).fetchone() == (1, 2, "new")
    finally:
        other.execute(f"drop table {table}")
        other.close()


def test_text_loader_of_the_program(auto: neonps.Connection[Any]) -> None:
    query = QUERY.format(50)
    auto.execute(query, prepare=True)
    auto.adapters.register_loader("int4", Shouting)
    cursor = auto.execute(query)
    assert formats(cursor) == [0, 1, 1, 0, 1]
    assert cursor.fetchone() == ("1!", 1000000007, 1 / 7, "text 1", False)
    assert cursor.fetchall()[-1] == ("50!", 50000000350, 50 / 7, "text 50", True)


def test_binary_loader_of_the_program(auto: neonps.Connection[Any]) -> None:
    class Binary(Shouting):
        format = neonps.pq.Format.BINARY

    query = QUERY.format(50)
    expected = auto.execute(query, prepare=True).fetchall()
    auto.adapters.register_loader("int4", Binary)
    assert auto.execute(query).fetchall() == expected  # text is what was asked for


def test_server_cursor(connect: Connect) -> None:
    conn = connect()
    query = QUERY.format(300)
    expected = conn.execute(query).fetchall()
    with conn.cursor("rows") as cursor:
        cursor.execute(query)
        assert [cursor.fetchone() for _ in range(3)] == expected[:3]
        assert formats(cursor) == [0] * 5
        assert cursor.fetchmany(32) == expected[3:35]
        assert formats(cursor) == [1, 1, 1, 0, 1]
        assert [next(cursor) for _ in range(5)] == expected[35:40]
        cursor.scroll(2)
        assert cursor.fetchall() == expected[42:]
        assert cursor.fetchall() == []
    with conn.cursor("rows", row_factory=dict_row) as dicts:
        assert list(dicts.execute(MOMENTS))[99]["n"] == 100
        assert formats(dicts) == [0] * 4
    with conn.cursor("rows") as binary:
        binary.execute(query, binary=True)
        assert binary.fetchone() == expected[0]
        assert formats(binary) == [1] * 5


# Rows that are taken one after another are loaded many at once. Nobody should be able to tell.


@pytest.mark.parametrize("way", ["fetchone", "next"])
def test_one_by_one(auto: neonps.Connection[Any], way: str) -> None:
    cursor = auto.execute(QUERY.format(600))
    expected = auto.execute(QUERY.format(600)).fetchall()
    take = cursor.fetchone if way == "fetchone" else lambda: next(cursor)
    for number, row in enumerate(expected):
        assert cursor.rownumber == number
        assert take() == row
    if way == "fetchone":
        assert cursor.fetchone() is None
    else:
        with pytest.raises(StopIteration):
            next(cursor)
    cursor.scroll(0, "absolute")
    assert take() == expected[0]


def test_mixed_with_other_ways(auto: neonps.Connection[Any]) -> None:
    cursor = auto.execute("select n from generate_series(1, 1000) n", prepare=False)
    assert [next(cursor)[0] for _ in range(5)] == [1, 2, 3, 4, 5]
    assert [row[0] for row in cursor.fetchmany(3)] == [6, 7, 8]
    assert next(cursor) == (9,)
    cursor.scroll(-5)
    assert cursor.fetchone() == (5,)
    cursor.scroll(800, "absolute")
    assert [row[0] for row in cursor] == list(range(801, 1001))


def test_none_is_a_row(auto: neonps.Connection[Any]) -> None:
    with auto.cursor(row_factory=scalar_row) as cursor:
        cursor.execute("select nullif(n, 3) from generate_series(1, 5) n")
        assert list(cursor) == [1, 2, None, 4, 5]


def test_what_makes_rows_is_called_when_they_are_taken(auto: neonps.Connection[Any]) -> None:
    made = []

    def factory(cursor: Any) -> Callable[[Any], Any]:
        return lambda values: made.append(values[0]) or values[0]  # type: ignore[func-returns-value]

    cursor = auto.cursor(row_factory=factory)
    cursor.execute("select n from generate_series(1, 500) n")
    assert [next(cursor) for _ in range(3)] == [1, 2, 3]
    assert made == [1, 2, 3]
    cursor.row_factory = dict_row  # type: ignore[assignment]
    assert next(cursor) == {"n": 4}


def test_a_loader_that_is_registered_meanwhile(auto: neonps.Connection[Any]) -> None:
    cursor = auto.execute("select n from generate_series(1, 500) n")
    assert [next(cursor)[0] for _ in range(3)] == [1, 2, 3]
    cursor.adapters.register_loader("int4", Shouting)
    assert next(cursor) == ("4!",)
    assert cursor.fetchone() == ("5!",)


@pytest.mark.parametrize("prepare", [False, True])
def test_rows_before_one_that_cannot_be_loaded(auto: neonps.Connection[Any], prepare: bool) -> None:
    query = (
        "select n, case n when 150 then 'infinity'::timestamptz else '2026-01-01'::timestamptz end, '{}'::int[]"
        " from generate_series(1, 300) n"
    )
    for _ in range(2):
        cursor = auto.execute(query, prepare=prepare)
    assert [row[0] for row in islice(cursor, 149)] == list(range(1, 150))
    for _ in range(2):
        with pytest.raises(neonps.DataError, match="timestamp too large"):
            cursor.fetchone()
    assert cursor.rownumber == 149
    cursor.scroll(1)
    assert [row[0] for row in cursor] == list(range(151, 301))
    cursor.scroll(0, "absolute")
    with pytest.raises(neonps.DataError, match="timestamp too large"):
        cursor.fetchall()
