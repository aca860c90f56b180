"""DB-API 2.0 (PEP 249): cursors, their attributes, and fetching in every state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from transports import Connection, Numbers, on_sessions, over_http

import neonps

Cursor = neonps.Cursor[Any]

STATEMENTS = [
    "select 1",
    "select * from numbers",
    "select a, b as c, a + 0.5 as \"D\" from numbers where false",
    "select",
    "select from generate_series(1, 3)",
    "table numbers",
    "values (1, 'a'), (2, 'b')",
    "show work_mem",
    "explain select 1",
    "with w as (select 1) select * from w",
    "with w as (delete from numbers returning a) select * from w",
    "insert into numbers values (11), (12)",
    "insert into numbers values (11), (12) returning a, b",
    "insert into numbers select where false returning a",
    "update numbers set b = a",
    "update numbers set b = a where false",
    "update numbers set b = a returning *",
    "delete from numbers",
    "delete from numbers returning a",
    "merge into numbers n using numbers m on n.a = m.a when matched then delete",
    "create temp table t (a int)",
    "create temp table t as select 1",
    "select a into temp t from numbers",
    "do $$begin perform 1; end$$",
    "truncate numbers",
    "analyze numbers",
    "grant select on numbers to current_user",
    "set local work_mem = '3MB'",
    "",
    "   ",
    "-- nothing",
    "/* select */",
    ";",
]  # fmt: skip


def outcome(call: Callable[[], object]) -> Any:
    """What a call gives, or how it fails, in a form in which two drivers can be compared."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__, str(error)


def state(cursor: Any, *, http: bool = False) -> dict[str, object]:
    """What a cursor tells of its result; with `http`, as far as HTTP carries it: the first word of a command tag."""
    columns, tag = cursor.description, cursor.statusmessage
    rows = outcome(cursor.fetchall)
    if http and tag in ("CREATE TABLE", "TRUNCATE TABLE"):
        rows = (rows[0], rows[1].replace(tag, tag.split()[0]))
        tag = tag.split()[0]
    return {
        "description": columns and [tuple(column) for column in columns],
        "names": columns and [column.name for column in columns],
        "reprs": columns and [repr(column) for column in columns],
        "rowcount": cursor.rowcount,
        "statusmessage": tag,
        "rows": rows,
        "end": cursor.rownumber,
        "nextset": cursor.nextset(),
    }


@pytest.mark.parametrize("params", [None, ()], ids=["simple", "extended"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_cursor_tells_the_same_as_that_of_psycopg(
    numbers: Numbers, admin: psycopg.Connection[Any], auto: Connection, statement: str, params: tuple[()] | None
) -> None:
    http = auto.info.transport == "http"
    if http and statement.startswith("set"):
        with pytest.raises(neonps.NotSupportedError, match="would have no effect"):
            auto.execute(statement, params)
        return
    admin.execute("insert into numbers values (1, 10), (2, 20), (3, 30)")
    with admin.transaction(force_rollback=True):
        expected = state(admin.execute(statement, params), http=http)
    cursor = auto.cursor()
    assert cursor.execute(statement, params) is cursor
    assert state(cursor) == expected


def test_a_cursor_that_was_not_used(conn: Connection) -> None:
    cursor = conn.cursor()
    assert cursor.connection is conn
    assert cursor.description is None
    assert cursor.rowcount == -1
    assert cursor.rownumber is None
    assert cursor.statusmessage is None
    assert cursor.arraysize == 1
    assert cursor.closed is False
    assert cursor.nextset() is None
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: next(cursor), lambda: cursor.scroll(0)):
        with pytest.raises(neonps.ProgrammingError, match="no result available"):
            fetch()


def test_there_is_no_lastrowid(conn: Connection) -> None:
    """Tables have no row ids that would be of use; psycopg 3 does not have it either."""
    assert not hasattr(conn.cursor(), "lastrowid")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1::int2", ("x", 21, None, 2, None, None, None)),
        ("1", ("x", 23, None, 4, None, None, None)),
        ("1::int8", ("x", 20, None, 8, None, None, None)),
        ("1::float4", ("x", 700, None, 4, None, None, None)),
        ("1::float8", ("x", 701, None, 8, None, None, None)),
        ("1::numeric", ("x", 1700, None, None, None, None, None)),
        ("1::numeric(10, 2)", ("x", 1700, None, None, 10, 2, None)),
        ("1::numeric(2, -3)", ("x", 1700, None, None, 2, -3, None)),
        ("true", ("x", 16, None, 1, None, None, None)),
        ("''::text", ("x", 25, None, None, None, None, None)),
        ("''::varchar", ("x", 1043, None, None, None, None, None)),
        ("''::varchar(42)", ("x", 1043, 42, None, None, None, None)),
        ("''::char(3)", ("x", 1042, 3, None, None, None, None)),
        ("''::name", ("x", 19, None, 64, None, None, None)),
        ("''::bytea", ("x", 17, None, None, None, None, None)),
        ("now()::date", ("x", 1082, None, 4, None, None, None)),
        ("now()::time(3)", ("x", 1083, None, 8, 3, None, None)),
        ("now()::timetz", ("x", 1266, None, 12, None, None, None)),
        ("now()::timestamp(0)", ("x", 1114, None, 8, 0, None, None)),
        ("now()", ("x", 1184, None, 8, None, None, None)),
        ("'1 s'::interval(4)", ("x", 1186, None, 16, 4, None, None)),
        ("gen_random_uuid()", ("x", 2950, None, 16, None, None, None)),
        ("'{}'::json", ("x", 114, None, None, None, None, None)),
        ("'{}'::jsonb", ("x", 3802, None, None, None, None, None)),
        ("array[1]", ("x", 1007, None, None, None, None, None)),
        ("B'101'::bit(3)", ("x", 1560, 3, None, None, None, None)),
        ("null", ("x", 25, None, None, None, None, None)),
        ("1::oid", ("x", 26, None, 4, None, None, None)),
        ("'127.0.0.1'::inet", ("x", 869, None, None, None, None, None)),
    ],
)
def test_description(conn: Connection, admin: psycopg.Connection[Any], value: str, expected: tuple[Any, ...]) -> None:
    query = f"select {value} as x"
    (column,) = conn.execute(query).description or ()
    assert len(column) == 7
    assert tuple(column) == expected
    assert (column.name, column.type_code, column.display_size, column.internal_size) == expected[:4]
    assert (column.precision, column.scale, column.null_ok) == expected[4:]
    (theirs,) = admin.execute(query).description or ()
    assert tuple(theirs) == expected
    assert column.type_display == theirs.type_display


def test_fetching_in_order(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(1, 10)")
    assert cursor.rownumber == 0
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(3) == [(3,), (4,), (5,)]
    assert cursor.rownumber == 5
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(6,), (7,)]
    assert cursor.fetchmany(0) == [(8,), (9,)]
    assert next(cursor) == (10,)
    assert cursor.rownumber == 10
    for _ in range(2):
        assert cursor.fetchone() is None
        assert cursor.fetchmany() == []
        assert cursor.fetchmany(5) == []
        assert cursor.fetchall() == []
        with pytest.raises(StopIteration):
            next(cursor)
    assert cursor.rowcount == 10


def test_fetching_more_than_there_is(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(1, 3)")
    assert cursor.fetchmany(1000) == [(1,), (2,), (3,)]


def test_fetching_a_negative_number(conn: Connection) -> None:
    cursor = conn.execute("select 1")
    with pytest.raises(neonps.ProgrammingError, match="-1"):
        cursor.fetchmany(-1)
    cursor.arraysize = -1
    with pytest.raises(neonps.ProgrammingError, match="-1"):
        cursor.fetchmany()
    assert cursor.fetchall() == [(1,)]


@on_sessions
def test_fetching_a_negative_number_from_the_server(conn: Connection) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select 1")
        with pytest.raises(neonps.ProgrammingError, match="-1"):
            cursor.fetchmany(-1)
        assert cursor.fetchall() == [(1,)]


def test_iteration(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(1, 4)")
    assert cursor.fetchone() == (1,)
    assert iter(cursor) is cursor
    assert list(cursor) == [(2,), (3,), (4,)]
    assert list(cursor) == []
    for number, row in enumerate(conn.execute("select generate_series(0, 2)")):
        assert row == (number,)


def test_an_empty_result(conn: Connection) -> None:
    cursor = conn.execute("select 1 as a, 'x' as b where false")
    assert cursor.rowcount == 0
    assert [column.name for column in cursor.description or ()] == ["a", "b"]
    assert cursor.fetchone() is None
    assert cursor.fetchmany(2) == []
    assert list(cursor) == []


def test_the_next_statement_takes_the_place_of_the_last(auto: Connection) -> None:
    cursor = auto.cursor()
    cursor.execute("select generate_series(1, 3)")
    cursor.fetchone()
    cursor.execute("select 'x' as name")
    assert cursor.rownumber == 0
    assert [column.name for column in cursor.description or ()] == ["name"]
    assert cursor.fetchall() == [("x",)]
    cursor.execute("do $$begin end$$")
    assert cursor.description is None
    assert cursor.rownumber is None


def test_a_statement_that_fails_leaves_no_result(auto: Connection) -> None:
    cursor = auto.execute("select 1")
    with pytest.raises(neonps.DataError):
        cursor.execute("select 1 / 0")
    assert cursor.description is None
    assert cursor.rowcount == -1
    with pytest.raises(neonps.ProgrammingError, match="no result available"):
        cursor.fetchone()
    assert cursor.execute("select 2").fetchone() == (2,)


@pytest.mark.parametrize("statement", ["do $$begin end$$", "delete from pg_enum where false", "-- nothing"])
def test_fetching_from_what_returns_no_rows(auto: Connection, admin: psycopg.Connection[Any], statement: str) -> None:
    cursor, theirs = auto.execute(statement), admin.execute(statement)
    for fetch in ("fetchone", "fetchmany", "fetchall", "__next__"):
        with pytest.raises(neonps.ProgrammingError) as caught:
            getattr(cursor, fetch)()
        with pytest.raises(psycopg.ProgrammingError) as expected:
            getattr(theirs, fetch)()
        assert str(caught.value) == str(expected.value)
    with pytest.raises(neonps.ProgrammingError):
        cursor.scroll(0)


# Scrolling


def test_scroll(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(0, 9)")
    cursor.scroll(2)
    assert cursor.fetchone() == (2,)
    cursor.scroll(2)
    assert cursor.fetchone() == (5,)
    cursor.scroll(-3)
    assert cursor.rownumber == 3
    assert cursor.fetchone() == (3,)
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchone() == (0,)
    cursor.scroll(9, "absolute")
    assert cursor.fetchall() == [(9,)]
    cursor.scroll(-2)
    assert cursor.fetchall() == [(8,), (9,)]


@pytest.mark.parametrize(
    ("value", "mode"), [(9, "relative"), (-2, "relative"), (10, "absolute"), (-1, "absolute"), (10**30, "absolute")]
)
def test_scrolling_beyond_the_result(conn: Connection, value: int, mode: str) -> None:
    cursor = conn.execute("select generate_series(0, 9)")
    cursor.fetchone()
    with pytest.raises(IndexError):
        cursor.scroll(value, mode)
    assert cursor.fetchone() == (1,)


def test_scrolling_in_an_unknown_way(conn: Connection) -> None:
    cursor = conn.execute("select 1")
    with pytest.raises(ValueError, match="sideways"):
        cursor.scroll(0, "sideways")


# Several results


@on_sessions
def test_several_results(conn: Connection, admin: psycopg.Connection[Any]) -> None:
    query = "select 1 as a; select 2 as b union select 3 order by 1; set local work_mem = '1MB'; select; select 'x'"
    seen = []
    for cursor in (conn.cursor(), admin.cursor()):
        cursor.execute(query)
        states = []
        while True:
            one = {name: getattr(cursor, name) for name in ("rowcount", "rownumber", "statusmessage")}
            states.append({**one, "rows": outcome(cursor.fetchall), "columns": len(cursor.description or ())})
            if not cursor.nextset():
                break
        assert cursor.nextset() is None
        seen.append(states)
    assert seen[0] == seen[1]
    assert [each["rows"] for each in seen[0] if isinstance(each["rows"], list)] == [
        [(1,)],
        [(2,), (3,)],
        [()],
        [("x",)],
    ]


@on_sessions
def test_nextset_drops_what_was_not_fetched(conn: Connection) -> None:
    cursor = conn.execute("select generate_series(1, 3); select 'a' as a, 'b' as b")
    assert cursor.fetchone() == (1,)
    assert cursor.nextset() is True
    assert cursor.rownumber == 0
    assert cursor.fetchone() == ("a", "b")
    assert cursor.nextset() is None
    assert cursor.fetchone() is None


@on_sessions
def test_going_through_results(conn: Connection) -> None:
    cursor = conn.execute("select 1; select 2; select 3")
    assert [each.fetchone() for each in cursor.results()] == [(1,), (2,), (3,)]
    assert cursor.set_result(0).fetchone() == (1,)
    assert cursor.set_result(-1).fetchone() == (3,)
    for index in (3, -4):
        with pytest.raises(IndexError):
            cursor.set_result(index)
    assert list(conn.cursor().results()) == []


@on_sessions
def test_an_error_among_several_statements(conn: Connection) -> None:
    cursor = conn.cursor()
    with pytest.raises(neonps.DataError):
        cursor.execute("select 1; select 1 / 0; select 3")
    assert cursor.description is None
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


@on_sessions
def test_several_statements_with_parameters(conn: Connection) -> None:
    with pytest.raises(neonps.ProgrammingError, match="multiple commands"):
        conn.execute("select %s; select 2", [1])


@over_http
def test_several_statements_over_http(auto: Connection) -> None:
    with pytest.raises(neonps.ProgrammingError, match="multiple commands"):
        auto.execute("select 1; select 2")


# What PEP 249 allows to do nothing


def test_sizes(conn: Connection) -> None:
    cursor = conn.cursor()
    cursor.setinputsizes([25, None])
    cursor.setoutputsize(1000)
    cursor.setoutputsize(1000, 2)
    assert cursor.execute("select %s", ["x" * 2000]).fetchone() == ("x" * 2000,)


# Closing


@pytest.mark.parametrize(
    "use",
    [
        lambda cursor: cursor.execute("select 1"),
        lambda cursor: cursor.executemany("select 1", [()]),
        lambda cursor: cursor.executemany("select 1", []),
        lambda cursor: cursor.fetchone(),
        lambda cursor: cursor.fetchmany(),
        lambda cursor: cursor.fetchall(),
        lambda cursor: next(cursor),
        lambda cursor: cursor.scroll(0),
    ],
)
def test_a_closed_cursor_is_of_no_use(conn: Connection, use: Callable[[Cursor], object]) -> None:
    cursor = conn.execute("select 1")
    cursor.close()
    cursor.close()
    assert cursor.closed
    assert cursor.description is None
    assert cursor.rowcount == -1
    with pytest.raises(neonps.InterfaceError, match="the cursor is closed"):
        use(cursor)
    assert "[closed]" in repr(cursor)
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_cursor_as_context_manager(conn: Connection) -> None:
    with conn.cursor() as cursor:
        assert cursor.execute("select 1").fetchone() == (1,)
    assert cursor.closed
    assert not conn.closed
    with pytest.raises(ZeroDivisionError), conn.cursor() as cursor:
        raise ZeroDivisionError
    assert cursor.closed


def test_cursors_of_one_connection_are_independent(auto: Connection, numbers: Numbers) -> None:
    one, two = auto.cursor(), auto.cursor()
    one.execute("select generate_series(1, 3)")
    two.execute("select generate_series(11, 13)")
    assert (one.fetchone(), two.fetchone(), one.fetchone(), two.fetchone()) == ((1,), (11,), (2,), (12,))
    for (value,) in one:
        two.execute("insert into numbers values (%s)", [value])
    one.close()
    assert numbers() == [3]
    assert two.execute("select 1").fetchone() == (1,)


def test_row_factories(connect: Callable[..., Connection]) -> None:
    from neonps.rows import dict_row, namedtuple_row

    conn = connect(row_factory=dict_row)
    cursor = conn.execute("select 1 as a, 2 as b union all select 3, 4")
    assert cursor.fetchone() == {"a": 1, "b": 2}
    cursor.row_factory = namedtuple_row
    row = cursor.fetchone()
    assert row.b == 4
    assert conn.cursor(row_factory=namedtuple_row).execute("select 5 as c").fetchone().c == 5


def test_a_class_of_ones_own_for_cursors(connect: Callable[..., Connection]) -> None:
    class Mine(neonps.Cursor[Any]):
        pass

    conn = connect(cursor_factory=Mine)
    assert type(conn.cursor()) is Mine
    assert type(conn.execute("select 1")) is Mine
