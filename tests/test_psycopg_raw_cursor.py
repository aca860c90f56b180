"""`RawCursor` as psycopg has it: `$1` in the statement, which is sent as it is."""

from __future__ import annotations

from typing import Any

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect(autocommit=True)


@pytest.fixture
def cursor(peer: Peer, conn: Any) -> Any:
    return peer.module.RawCursor(conn)


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        ("select $1, $2", [1, "x"], (1, "x")),
        ("select $2::int, $1::text", (1, "2"), (2, "1")),
        ("select $1, $1", (1,), (1, 1)),
        ("select $1, '%s', '%', 7 % 4, '%%', '%(a)s'", [5], (5, "%s", "%", 3, "%%", "%(a)s")),
        ("select 4 % $1", (3,), (1,)),
        ("select $3", (1, 2, 3), (3,)),
        ("select $1", [None], (None,)),
        ("select '%s', '$1'", None, ("%s", "$1")),
        ("select 1", (), (1,)),
        ("select 1", (1,), (1,)),
        ("select $1", range(3, 4), (3,)),
        (b"select $1", (1,), (1,)),
        ("select $q$ $1 %s $q$ || $1", ("x",), (" $1 %s x",)),
    ],
)
def test_execute(cursor: Any, query: Any, params: Any, expected: tuple[Any, ...]) -> None:
    assert cursor.execute(query, params).fetchone() == expected
    if params:
        cursor.executemany(query, [params, params], returning=True)
        assert [each.fetchone() for each in cursor.results()] == [expected, expected]
        assert list(cursor.stream(query, params)) == [expected]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a": 1}, "raw queries require a sequence of parameters"),
        ("a", "query parameters should be a sequence or a mapping, got str"),
        (b"a", "query parameters should be a sequence or a mapping, got bytes"),
        (1, "query parameters should be a sequence or a mapping, got int"),
        ({1}, "query parameters should be a sequence or a mapping, got set"),
    ],
)
def test_params_of_a_wrong_type(cursor: Any, params: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        cursor.execute("select $1", params)
    assert str(caught.value) == message


def test_errors(peer: Peer, cursor: Any) -> None:
    errors = peer.module.errors
    for query, params, expected in [
        ("select $1", None, errors.UndefinedParameter),
        ("select $1", (), errors.UndefinedParameter),
        ("select %s", (1,), errors.SyntaxError),
        ("select $1; select 2", (1,), errors.SyntaxError),
    ]:
        with pytest.raises(expected):
            cursor.execute(query, params)
    with pytest.raises(peer.module.ProgrammingError, match="cannot adapt type 'object'"):
        cursor.execute("select $1", [object()])
    assert cursor.execute("select 1").fetchone() == (1,)


def test_several_statements(cursor: Any) -> None:
    cursor.execute("select 1; select '%'")
    assert [each.fetchone() for each in cursor.results()] == [(1,), ("%",)]


def test_composed(peer: Peer, cursor: Any) -> None:
    sql = peer.submodule("sql")
    query = sql.SQL("select {}, $1, '%' as {}").format("x", sql.Identifier("a$2"))
    assert cursor.execute(query, (1,)).fetchone() == ("x", 1, "%")
    assert cursor.description[2].name == "a$2"


def test_query_object(cursor: Any) -> None:
    cursor.execute("select $1, $2, '%'", (1, "x"))
    query = cursor._query
    assert (query.query, [bytes(param) for param in query.params]) == (b"select $1, $2, '%'", [b"\0\1", b"x"])
    assert (list(query.types), list(query.formats)) == ([21, 0], [1, 0])


def test_prepared(conn: Any, cursor: Any) -> None:
    for i in range(7):
        assert cursor.execute("select $1 + 1", (i,)).fetchone() == (i + 1,)
    cursor.execute("select $1 + 2", (1,), prepare=True)
    found = conn.execute("select statement, parameter_types::text[] from pg_prepared_statements order by 1").fetchall()
    assert found == [("select $1 + 1", ["smallint"]), ("select $1 + 2", ["smallint"])]


def test_binary(cursor: Any) -> None:
    cursor.execute("select $1::int", (1,), binary=True)
    assert (cursor.pgresult.get_value(0, 0), cursor.fetchone()) == (b"\0\0\0\1", (1,))


def test_as_cursor_factory(peer: Peer) -> None:
    conn = peer.connect(autocommit=True, cursor_factory=peer.module.RawCursor)
    assert conn.execute("select $1", (1,)).fetchone() == (1,)
    assert type(conn.cursor()) is peer.module.RawCursor
    assert repr(conn.cursor()).startswith(f"<{peer.module.__name__}.RawCursor [no result] [IDLE] (")
    # The factory of server cursors is another one.
    with conn.cursor("named", withhold=True) as cursor:
        assert cursor.execute("select generate_series(1, %s)", (3,)).fetchall() == [(1,), (2,), (3,)]
    conn.server_cursor_factory = peer.module.RawServerCursor
    with conn.cursor("named", withhold=True) as cursor:
        assert type(cursor) is peer.module.RawServerCursor
        assert cursor.execute("select generate_series(1, $1)", (3,)).fetchall() == [(1,), (2,), (3,)]


def test_row_factory(peer: Peer, conn: Any) -> None:
    with peer.module.RawCursor(conn, row_factory=peer.submodule("rows").dict_row) as cursor:
        assert cursor.execute("select $1 as a", (1,)).fetchone() == {"a": 1}
    assert cursor.closed


def test_copy(cursor: Any) -> None:
    with cursor.copy("copy (select '%s', 7 % 4) to stdout") as copy:
        assert list(copy.rows()) == [("%s", "3")]
