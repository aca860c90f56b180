"""`ClientCursor` as psycopg has it: parameters are merged into the statement, which goes by the simple protocol."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect(autocommit=True)


@pytest.fixture
def cursor(peer: Peer, conn: Any) -> Any:
    return peer.module.ClientCursor(conn)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "true"),
        (1, "1"),
        (-1, " -1"),
        (10**20, "100000000000000000000"),
        (1.5, "1.5"),
        (-1.5, " -1.5"),
        (float("nan"), "'NaN'::float8"),
        (float("-inf"), "'-Infinity'::float8"),
        (Decimal("-1.50"), " -1.50"),
        (Decimal("1E+3"), "1E+3"),
        ("", "''"),
        ("a'b", "'a''b'"),
        ("a\\b", " E'a\\\\b'"),
        ("a\nb", "'a\nb'"),
        ("é€", "'é€'"),
        ("%s", "'%s'"),
        (b"", "'\\x'::bytea"),
        (b"\0a'\\", "'\\x0061275c'::bytea"),
        (bytearray(b"a"), "'\\x61'::bytea"),
        (memoryview(b"a"), "'\\x61'::bytea"),
        (dt.date(2020, 1, 2), "'2020-01-02'::date"),
        (dt.datetime(2020, 1, 2, 3, 4, 5), "'2020-01-02 03:04:05'::timestamp"),
        (dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc), "'2020-01-02 00:00:00+00:00'::timestamptz"),
        (dt.time(1, 2, 3), "'01:02:03'::time"),
        (dt.timedelta(1, 2), "'1 day 0:00:02'::interval"),
        (UUID(int=5), "'00000000000000000000000000000005'::uuid"),
        ([], "'{}'"),
        ([1, 2], "'{1,2}'::int2[]"),
        ([[1], [2]], "'{{1},{2}}'::int2[]"),
        ([1.5, None], "'{1.5,NULL}'::float8[]"),
        ([dt.date(2020, 1, 1)], "'{2020-01-01}'::date[]"),
        ((1, "a"), "'(1,a)'"),
    ],
    ids=lambda value: f"memoryview({bytes(value)!r})" if isinstance(value, memoryview) else repr(value),
)
def test_mogrify_values(cursor: Any, value: Any, expected: str) -> None:
    found = cursor.mogrify("select %s", (value,))
    assert type(found) is str
    assert found == f"select {expected}"


def test_mogrify_json(peer: Peer, cursor: Any) -> None:
    json = peer.submodule("types.json")
    assert cursor.mogrify("%s", (json.Json({"a": "'"}),)) == """'{"a": "''"}'::json"""
    assert cursor.mogrify("%s", (json.Jsonb([1]),)) == "'[1]'::jsonb"


def test_mogrify_queries(peer: Peer, cursor: Any) -> None:
    sql = peer.submodule("sql")
    assert cursor.mogrify("select 1") == "select 1"
    assert cursor.mogrify("select '%'") == "select '%'"
    assert cursor.mogrify("select '%%'") == "select '%%'"
    assert cursor.mogrify("select '%%', %s", (1,)) == "select '%', 1"
    assert cursor.mogrify(b"select %s", ("é",)) == "select 'é'"
    assert cursor.mogrify("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": "x"}) == "select 1, 'x', 1"
    assert cursor.mogrify("select %t, %b", (1, "x")) == "select 1, 'x'"
    assert cursor.mogrify("select 1 -%s", (-1,)) == "select 1 - -1"
    assert cursor.mogrify(sql.SQL("select {}, %s").format(sql.Identifier("x")), (3,)) == 'select "x", 3'
    assert cursor.mogrify("select %s; select %s", (1, 2)) == "select 1; select 2"


@pytest.mark.parametrize(
    ("query", "params", "message"),
    [
        ("select %s", (), "the query has 1 placeholders but 0 parameters were passed"),
        ("select %s", (1, 2), "the query has 1 placeholders but 2 parameters were passed"),
        ("select %(a)s", {}, "query parameter missing: a"),
        ("select %s, %(a)s", {"a": 1}, "positional and named placeholders cannot be mixed"),
        ("select %s", (object(),), "cannot adapt type 'object' using placeholder '%t' (format: TEXT)"),
    ],
)
def test_mogrify_errors(peer: Peer, cursor: Any, query: str, params: Any, message: str) -> None:
    for run in (cursor.mogrify, cursor.execute):
        with pytest.raises(peer.module.ProgrammingError) as caught:
            run(query, params)
        assert str(caught.value) == message


def test_mogrify_nul(peer: Peer, cursor: Any) -> None:
    with pytest.raises(peer.module.DataError, match="cannot contain NUL"):
        cursor.mogrify("select %s", ("a\0",))


def test_mogrify_follows_the_client_encoding(conn: Any, cursor: Any) -> None:
    conn.execute("set client_encoding to latin1")
    assert cursor.mogrify("select %s", ("é",)) == "select 'é'"
    with pytest.raises(UnicodeEncodeError):
        cursor.mogrify("select %s", ("€",))


def test_mogrify_without_standard_conforming_strings(conn: Any, cursor: Any) -> None:
    conn.execute("set standard_conforming_strings to off; set escape_string_warning to off")
    for value in ("a\\b", "a'b", "\\'", "\\"):
        assert cursor.execute("select %s", (value,)).fetchone() == (value,)
    assert cursor.execute("select %s", (b"\\'\0",)).fetchone() == (b"\\'\0",)


def test_mogrify_on_a_closed_cursor(cursor: Any) -> None:
    cursor.close()
    assert cursor.mogrify("select %s", (1,)) == "select 1"


def test_only_client_cursors_mogrify(peer: Peer, conn: Any) -> None:
    assert not hasattr(conn.cursor(), "mogrify")
    assert issubclass(peer.module.ClientCursor, peer.module.Cursor)


def test_execute(cursor: Any) -> None:
    values = (1, "a'b\\c", b"\0\\", None, Decimal("-1.5"), [1, None], ["x'\\", 'y"'])
    found = cursor.execute("select %s, %s, %s, %s, %s, %s, %s::text[]", values).fetchone()
    assert found == values
    assert cursor.execute("select pg_typeof(%s)::text, pg_typeof(%s)::text", ("x", 1)).fetchone() == (
        "unknown",
        "integer",
    )


def test_parameters_of_any_statement(cursor: Any) -> None:
    cursor.execute("create temp table t (a int default %s, check (a <> %s))", (5, 7))
    cursor.execute("insert into t default values")
    assert cursor.execute("select a from t").fetchone() == (5,)
    cursor.execute("set application_name = %s", ("it's",))
    assert cursor.execute("show application_name").fetchone() == ("it's",)
    cursor.execute("comment on table t is %s", ("x",))
    cursor.execute("do %s", ("begin perform 1; end",))


def test_several_statements_with_params(cursor: Any) -> None:
    cursor.execute("select %s; select %s, 2", (1, "x"))
    assert [each.fetchall() for each in cursor.results()] == [[(1,)], [("x", 2)]]


def test_empty_query(cursor: Any) -> None:
    for params in (None, ()):
        assert cursor.execute("", params).statusmessage is None


def test_percent_signs(cursor: Any) -> None:
    assert cursor.execute("select 'a' like '%'").fetchone() == (True,)
    assert cursor.execute("select 'a' like '%%', 5 %% %s", (3,)).fetchone() == (True, 2)


def test_query_object(cursor: Any) -> None:
    cursor.execute("select %s, %s", (1, "x"))
    assert cursor._query.query == b"select 1, 'x'"


def test_nothing_is_prepared(conn: Any, cursor: Any) -> None:
    conn.prepare_threshold = 0
    for keywords in ({}, {"prepare": True}):
        for _ in range(3):
            assert cursor.execute("select %s", ("x",), **keywords).fetchone() == ("x",)
    cursor.executemany("select %s", [("x",)] * 9)
    assert cursor.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_binary_results_are_refused(peer: Peer, conn: Any, cursor: Any) -> None:
    message = "client-side cursors don't support binary results"
    with pytest.raises(peer.module.NotSupportedError, match=message):
        cursor.execute("select %s", ("x",), binary=True)
    with pytest.raises(peer.module.NotSupportedError, match=message):
        list(cursor.stream("select 1", binary=True))
    conn.cursor_factory = peer.module.ClientCursor
    with pytest.raises(peer.module.NotSupportedError, match=message):
        conn.cursor(binary=True).execute("select 1")


def test_executemany(cursor: Any) -> None:
    cursor.execute("create temp table t (a int, b text)")
    cursor.executemany("insert into t values (%s, %s)", [(1, "a'"), (2, None)])
    assert (cursor.rowcount, cursor.description) == (2, None)
    cursor.executemany("insert into t values (%s, %s) returning b", [(3, "c"), (4, "d")], returning=True)
    assert [each.fetchone() for each in cursor.results()] == [("c",), ("d",)]
    assert cursor.execute("select * from t order by a").fetchall() == [(1, "a'"), (2, None), (3, "c"), (4, "d")]


def test_executemany_error(peer: Peer, cursor: Any) -> None:
    cursor.execute("create temp table t (a int primary key)")
    with pytest.raises(peer.module.errors.UniqueViolation):
        cursor.executemany("insert into t values (%s)", [(1,), (1,)])
    assert cursor.execute("select * from t").fetchall() == []


def test_stream(cursor: Any) -> None:
    assert list(cursor.stream("select %s, generate_series(1, 3)", ("q",))) == [("q", 1), ("q", 2), ("q", 3)]


def test_copy(cursor: Any) -> None:
    with cursor.copy("copy (select %s, %s) to stdout", (1, "x'")) as copy:
        assert list(copy.rows()) == [("1", "x'")]


def test_pipeline(conn: Any, cursor: Any) -> None:
    with conn.pipeline():
        cursor.execute("select %s, %s", (1, "x"))
    assert cursor.fetchall() == [(1, "x")]


def test_as_cursor_factory(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, cursor_factory=peer.module.ClientCursor)
    assert type(conn.cursor()) is peer.module.ClientCursor
    cursor = conn.execute("select %s; select %s", (1, 2))
    assert type(cursor) is peer.module.ClientCursor
    assert cursor.set_result(1).fetchone() == (2,)
    with conn.cursor(row_factory=peer.submodule("rows").dict_row) as cursor:
        assert cursor.execute("select %s as a", (1,)).fetchone() == {"a": 1}
    with conn.cursor("named") as cursor:
        assert type(cursor) is peer.module.ServerCursor
    assert repr(conn.cursor()).startswith(f"<{peer.module.__name__}.ClientCursor [no result] [IDLE] (")


def test_transactions(peer: Peer) -> None:
    conn = peer.connect(cursor_factory=peer.module.ClientCursor)
    conn.execute("create temp table t (a int default %s)", (1,))
    assert conn.info.transaction_status.name == "INTRANS"
    conn.rollback()
    with pytest.raises(peer.module.errors.UndefinedTable):
        conn.execute("select %s from t", (1,))
    conn.rollback()


def test_dumpers_of_the_cursor(peer: Peer, cursor: Any) -> None:
    class Loud(peer.submodule("adapt").Dumper):  # type: ignore[misc]
        oid = 25

        def dump(self, value: str) -> bytes:
            return value.upper().encode()

    cursor.adapters.register_dumper(str, Loud)
    assert cursor.execute("select %s", ("it's",)).fetchone() == ("IT'S",)
    assert cursor.mogrify("%s", ("it's",)).startswith("'IT''S'")


def test_closed_connection(peer: Peer, conn: Any, cursor: Any) -> None:
    conn.close()
    with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
        cursor.execute("select %s", (1,))


def test_closed_cursor(peer: Peer, cursor: Any) -> None:
    with cursor:
        cursor.execute("select 1")
    with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
        cursor.execute("select 1")
