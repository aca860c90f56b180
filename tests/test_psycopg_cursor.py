"""`Cursor` as psycopg has it: statements, results, rows, and what is raised when they are misused."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import weakref
from collections import ChainMap, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from gateway_client import wait_for
from interruptions import main_thread_waits
from peers import Peer
from psycopg.pq import ExecStatus


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect(autocommit=True)


@pytest.fixture
def table(conn: Any) -> Any:
    conn.execute("create temp table items (a int primary key, b text)")
    return conn


def state(cursor: Any) -> tuple[Any, ...]:
    columns = cursor.description
    return (
        columns and [column.name for column in columns],
        cursor.rowcount,
        cursor.rownumber,
        cursor.statusmessage,
        None if cursor.pgresult is None else ExecStatus(cursor.pgresult.status).name,
    )


NOTHING = (None, -1, None, None, None)


# A cursor that has run nothing


def test_new_cursor(conn: Any) -> None:
    cursor = conn.cursor()
    assert state(cursor) == NOTHING
    assert (cursor.arraysize, cursor.format, cursor.closed, cursor.connection) == (1, 0, False, conn)
    assert cursor.row_factory is conn.row_factory
    assert cursor.nextset() is None
    assert list(cursor.results()) == []


FETCHES: list[Callable[[Any], object]] = [
    lambda cursor: cursor.fetchone(),
    lambda cursor: cursor.fetchmany(),
    lambda cursor: cursor.fetchmany(2),
    lambda cursor: cursor.fetchall(),
    lambda cursor: next(cursor),
    lambda cursor: list(cursor),
    lambda cursor: cursor.scroll(0),
]
FETCH_NAMES = ["fetchone", "fetchmany", "fetchmany-2", "fetchall", "next", "list", "scroll"]


@pytest.mark.parametrize("fetch", FETCHES, ids=FETCH_NAMES)
def test_fetch_without_result(peer: Peer, conn: Any, fetch: Callable[[Any], object]) -> None:
    with pytest.raises(peer.module.ProgrammingError, match=r"^no result available$"):
        fetch(conn.cursor())


@pytest.mark.parametrize("fetch", FETCHES, ids=FETCH_NAMES)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", "result status: EMPTY_QUERY"),
        ("set work_mem = '5MB'", "command status: SET"),
        ("insert into items values (1), (2)", "command status: INSERT 0 2"),
        ("delete from items", "command status: DELETE 0"),
    ],
    ids=["empty", "set", "insert", "delete"],
)
def test_fetch_from_a_result_without_rows(
    peer: Peer, table: Any, query: str, status: str, fetch: Callable[[Any], object]
) -> None:
    cursor = table.execute(query)
    with pytest.raises(peer.module.ProgrammingError) as caught:
        fetch(cursor)
    assert str(caught.value) == f"the last operation didn't produce records ({status})"


def test_constructor(peer: Peer, conn: Any) -> None:
    rows = peer.submodule("rows")
    with peer.module.Cursor(conn) as cursor:
        assert cursor.execute("select 1 as a").fetchone() == (1,)
    with peer.module.Cursor(conn, row_factory=rows.dict_row) as cursor:
        assert cursor.execute("select 1 as a").fetchone() == {"a": 1}
    with pytest.raises(TypeError):
        peer.module.Cursor(conn, rows.dict_row)


def test_cursor_factory(peer: Peer, conn: Any) -> None:
    class Mine(peer.module.Cursor):  # type: ignore[misc]
        pass

    assert conn.cursor_factory is peer.module.Cursor
    conn.cursor_factory = Mine
    assert type(conn.cursor()) is Mine
    assert type(conn.execute("select 1")) is Mine
    assert type(peer.connect(cursor_factory=Mine).cursor()) is Mine


def test_repr(peer: Peer, conn: Any) -> None:
    def words(cursor: Any) -> str:
        return repr(cursor).partition(" (")[0].partition(" at 0x")[0]

    name = f"<{peer.module.__name__}.Cursor"
    cursor = conn.cursor()
    assert words(cursor) == f"{name} [no result] [IDLE]"
    assert f"database={conn.info.dbname})" in repr(cursor)
    assert words(cursor.execute("select 1")) == f"{name} [TUPLES_OK] [IDLE]"
    assert words(cursor.execute("begin")) == f"{name} [COMMAND_OK] [INTRANS]"
    with pytest.raises(peer.module.Error):
        cursor.execute("selec")
    assert words(cursor) == f"{name} [no result] [INERROR]"
    assert words(cursor.execute("rollback; select 1;;")).startswith(f"{name} [COMMAND_OK] [IDLE]")
    assert words(cursor.execute("")) == f"{name} [EMPTY_QUERY] [IDLE]"
    cursor.close()
    assert words(cursor) == f"{name} [closed] [IDLE]"
    other = conn.cursor()
    conn.close()
    assert words(other) == f"{name} [no result] [BAD]"


# execute()


def test_execute_returns_the_cursor(conn: Any) -> None:
    cursor = conn.cursor()
    assert cursor.execute("select 1") is cursor
    assert list(cursor.execute("select generate_series(1, 3)")) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("params", [None, ()], ids=["simple", "extended"])
@pytest.mark.parametrize("query", ["", "  ", "\n", ";", ";;", "-- nothing", "/* nothing */", "/* a */ ; -- b"])
def test_empty_query(conn: Any, query: str, params: Any) -> None:
    cursor = conn.execute(query, params)
    assert state(cursor) == (None, -1, None, None, "EMPTY_QUERY")
    assert cursor.nextset() is None
    assert len(list(cursor.results())) == 1


@pytest.mark.parametrize("params", [None, ()], ids=["simple", "extended"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select 1 as x", (["x"], 1, 0, "SELECT 1", "TUPLES_OK")),
        ("select 1 as x;", (["x"], 1, 0, "SELECT 1", "TUPLES_OK")),
        ("select 1 as x where false", (["x"], 0, 0, "SELECT 0", "TUPLES_OK")),
        ("select", ([], 1, 0, "SELECT 1", "TUPLES_OK")),
        ("select from generate_series(1, 3)", ([], 3, 0, "SELECT 3", "TUPLES_OK")),
        ("create temp table t (a int)", (None, -1, None, "CREATE TABLE", "COMMAND_OK")),
        ("create temp table t as select 1", (None, 1, None, "SELECT 1", "COMMAND_OK")),
        ("insert into items values (1), (2)", (None, 2, None, "INSERT 0 2", "COMMAND_OK")),
        ("insert into items values (1), (2) returning b, a", (["b", "a"], 2, 0, "INSERT 0 2", "TUPLES_OK")),
        ("update items set a = a", (None, 0, None, "UPDATE 0", "COMMAND_OK")),
        ("delete from items returning *", (["a", "b"], 0, 0, "DELETE 0", "TUPLES_OK")),
        ("set work_mem = '5MB'", (None, -1, None, "SET", "COMMAND_OK")),
        ("show work_mem", (["work_mem"], 1, 0, "SHOW", "TUPLES_OK")),
        ("explain (costs off) select 1", (["QUERY PLAN"], 1, 0, "EXPLAIN", "TUPLES_OK")),
        ("begin", (None, -1, None, "BEGIN", "COMMAND_OK")),
        ("listen me", (None, -1, None, "LISTEN", "COMMAND_OK")),
        ("do $$begin end$$", (None, -1, None, "DO", "COMMAND_OK")),
        ("truncate items", (None, -1, None, "TRUNCATE TABLE", "COMMAND_OK")),
        ('select 1 as "a b", 2 as "é", 3 as "%"', (["a b", "é", "%"], 1, 0, "SELECT 1", "TUPLES_OK")),
        ("select 1 as a, 2 as a", (["a", "a"], 1, 0, "SELECT 1", "TUPLES_OK")),
    ],
)
def test_state_after_a_statement(table: Any, query: str, params: Any, expected: tuple[Any, ...]) -> None:
    if params is not None:
        query = query.replace("%", "%%")
    assert state(table.execute(query, params)) == expected


def test_no_columns(conn: Any) -> None:
    cursor = conn.execute("select from generate_series(1, 3)")
    assert cursor.description == []
    assert (cursor.fetchone(), cursor.fetchall()) == ((), [(), ()])


def test_state_is_reset_by_the_next_statement(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    cursor.execute("select generate_series(1, 3)").fetchone()
    with pytest.raises(peer.module.errors.SyntaxError):
        cursor.execute("selec 1")
    assert state(cursor) == NOTHING
    cursor.execute("select 1")
    with pytest.raises(peer.module.ProgrammingError):
        cursor.execute("select %s", [object()])
    assert state(cursor) == NOTHING


def test_query_of_bytes_and_composed(peer: Peer, conn: Any) -> None:
    sql = peer.module.sql if hasattr(peer.module, "sql") else peer.submodule("sql")
    queries = [
        (b"select 'a'", None, "a"),
        (b"select %s", ("b",), "b"),
        ("select 'é€'", None, "é€"),
        ("select 'é€'".encode(), None, "é€"),
        (sql.SQL("select 'c'"), None, "c"),
        (sql.SQL("select '%'"), None, "%"),
        (sql.SQL("select {}").format(sql.Literal("d'")), None, "d'"),
        (sql.SQL("select {}").format("e"), None, "e"),
        (sql.SQL("select {} as {}").format(sql.Placeholder(), sql.Identifier("x y")), ("f",), "f"),
        (sql.SQL("select {}").format(sql.Placeholder("n")), {"n": "g"}, "g"),
        (sql.SQL("select ") + sql.Literal("h"), None, "h"),
        (sql.Composed([sql.SQL("select "), sql.Literal("i")]), None, "i"),
    ]
    for query, params, expected in queries:
        assert conn.execute(query, params).fetchone() == (expected,)


@pytest.mark.parametrize("query", [None, 1, ["select 1"], object()], ids=["None", "int", "list", "object"])
def test_query_of_a_wrong_type(conn: Any, query: Any) -> None:
    with pytest.raises(TypeError):
        conn.execute(query)
    assert conn.execute("select 1").fetchone() == (1,)


POINT = namedtuple("POINT", "x y")


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        ("select %s, %s", (1, "x"), (1, "x")),
        ("select %s, %s", [1, None], (1, None)),
        ("select %s, %s", range(2), (0, 1)),
        ("select %s, %s", deque([1, 2]), (1, 2)),
        ("select %s, %s", POINT(3, 4), (3, 4)),
        ("select %t, %b, %s", ("a", "b", "c"), ("a", "b", "c")),
        ("select %(a)s, %(b)s, %(a)s", {"b": 2, "a": 1, "unused": 3}, (1, 2, 1)),
        ("select %(a)t, %(b)b", {"a": 1, "b": 2}, (1, 2)),
        ("select %(a)s", OrderedDict(a=1), (1,)),
        ("select %(a)s", defaultdict(int), (0,)),
        ("select %(a)s, %(b)s", ChainMap({"a": 1}, {"b": 2}), (1, 2)),
        ("select %(a b)s, %(é)s", {"a b": 1, "é": 2}, (1, 2)),
        ("select 1", (), (1,)),
        ("select 1", {}, (1,)),
        ("select 1", {"unused": object()}, (1,)),
        ("select 7 % 4", None, (3,)),
        ("select 7 %% %s", (4,), (3,)),
        ("select '%%'", (), ("%",)),
        ("select '%s'", None, ("%s",)),
        ("select '%%s' || %s", ("x",), ("%sx",)),
        ("select '%%%%' || %s || '%%'", ("x",), ("%%x%",)),
        ("select %s::text || %s", ("a", "b"), ("ab",)),
        ("select %s", ("%s",), ("%s",)),
        ("select %(a)s", {"a": "%(a)s"}, ("%(a)s",)),
        ("select %s -- %%\n", ("x",), ("x",)),
    ],
)
def test_params(conn: Any, query: str, params: Any, expected: tuple[Any, ...]) -> None:
    assert conn.execute(query, params).fetchone() == expected
    cursor = conn.cursor()
    if params is not None:
        cursor.executemany(query, [params], returning=True)
        assert cursor.fetchone() == expected


@pytest.mark.parametrize(
    ("query", "params", "message"),
    [
        ("select %s", (), "the query has 1 placeholders but 0 parameters were passed"),
        ("select %s", (1, 2), "the query has 1 placeholders but 2 parameters were passed"),
        ("select %s, %s", (1,), "the query has 2 placeholders but 1 parameters were passed"),
        ("select 1", (1,), "the query has 0 placeholders but 1 parameters were passed"),
        ("select %%", (1,), "the query has 0 placeholders but 1 parameters were passed"),
        ("select %(a)s", {"b": 1}, "query parameter missing: a"),
        ("select %(a)s, %s", {"a": 1}, "positional and named placeholders cannot be mixed"),
        ("select %s, %(a)s", (1,), "positional and named placeholders cannot be mixed"),
        ("select %d", (1,), "only '%s', '%b', '%t' are allowed as placeholders, got '%d'"),
        ("select '%'", (), "only '%s', '%b', '%t' are allowed as placeholders, got '%''"),
        ("select %(a)d", {"a": 1}, "only '%s', '%b', '%t' are allowed as placeholders, got '%(a)d'"),
        ("select %(a", {"a": 1}, "incomplete placeholder: '%(a'"),
        ("select %(a)", {"a": 1}, "incomplete placeholder: '%(a)'"),
        ("select %()s", {"": 1}, "incomplete placeholder: '%()s'"),
        ("select 100% from x", (1,), "incomplete placeholder: '%'; if you want to use '%' as an operator"),
        ("select %(a)s, %(a)b", {"a": 1}, "placeholder 'a' cannot have different formats"),
        ("select %s", [object()], "cannot adapt type 'object' using placeholder '%s' (format: AUTO)"),
        ("select %t", [object()], "cannot adapt type 'object' using placeholder '%t' (format: TEXT)"),
        ("select %b", [object()], "cannot adapt type 'object' using placeholder '%b' (format: BINARY)"),
    ],
)
def test_query_and_params_that_do_not_fit(peer: Peer, conn: Any, query: str, params: Any, message: str) -> None:
    cursor = conn.cursor()
    for run in (lambda: cursor.execute(query, params), lambda: cursor.executemany(query, [params])):
        with pytest.raises(peer.module.ProgrammingError) as caught:
            run()
        assert str(caught.value).startswith(message)
        assert caught.value.sqlstate is None
    assert conn.info.transaction_status == 0


def test_params_that_do_not_fit_start_no_transaction(peer: Peer) -> None:
    conn = peer.connect()
    with pytest.raises(peer.module.ProgrammingError):
        conn.execute("select %s", ())
    assert conn.info.transaction_status.name in ("IDLE", "INTRANS")  # never INERROR
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("query", "params", "message"),
    [
        ("select %(a)s", (1,), "named placeholders require a mapping of parameters"),
        ("select %s", {"a": 1}, "positional placeholders (%s) require a sequence of parameters"),
        ("select %s", "a", "query parameters should be a sequence or a mapping, got str"),
        ("select %s, %s", "ab", "query parameters should be a sequence or a mapping, got str"),
        ("select %s", b"a", "query parameters should be a sequence or a mapping, got bytes"),
        ("select %s", {1}, "query parameters should be a sequence or a mapping, got set"),
        ("select %s", frozenset([1]), "query parameters should be a sequence or a mapping, got frozenset"),
        ("select %s", 1, None),
        ("select %s", iter([1]), None),
    ],
)
def test_params_of_a_wrong_type(conn: Any, query: str, params: Any, message: str | None) -> None:
    cursor = conn.cursor()
    for run in (lambda: cursor.execute(query, params), lambda: cursor.executemany(query, [params])):
        with pytest.raises(TypeError) as caught:
            run()
        if message is not None:
            assert str(caught.value) == message


def test_text_that_cannot_be_sent(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.DataError, match="cannot contain NUL"):
        conn.execute("select %s", ("a\0b",))
    for query, params in [("select '\ud800'", None), ("select %s", ("\ud800",))]:
        with pytest.raises(UnicodeEncodeError):
            conn.execute(query, params)
    assert conn.execute("select 1").fetchone() == (1,)


def test_client_encoding(peer: Peer, conn: Any) -> None:
    conn.execute("set client_encoding to latin1")
    cursor = conn.execute("select 'é' as \"é\", %s || 'x', %s", ("è", "ü"))
    assert cursor.description[0].name == "é"
    assert cursor.fetchone() == ("é", "èx", "ü")
    for query, params in [("select '€'", None), ("select %s", ("€",))]:
        with pytest.raises(UnicodeEncodeError):
            conn.execute(query, params)
    with pytest.raises(peer.module.errors.UntranslatableCharacter):
        conn.execute("select chr(8364)")


def test_errors_of_the_server(peer: Peer, conn: Any) -> None:
    errors = peer.module.errors
    for query, params, expected in [
        ("selec 1", None, errors.SyntaxError),
        ("select %s", None, errors.SyntaxError),
        ("select * from nope", None, errors.UndefinedTable),
        ("select 1 / 0", None, errors.DivisionByZero),
        ("select %s::int", ("x",), errors.InvalidTextRepresentation),
        ("select %s; select %s", (1, 2), errors.SyntaxError),
    ]:
        with pytest.raises(expected) as caught:
            conn.execute(query, params)
        assert caught.value.sqlstate == expected.sqlstate == caught.value.diag.sqlstate
        assert type(caught.value) is expected
    with pytest.raises(errors.SyntaxError, match="cannot insert multiple commands into a prepared statement"):
        conn.execute("select %s; select %s", (1, 2))
    with pytest.raises(errors.UndefinedTable) as caught:
        conn.execute("select * from nope")
    assert str(caught.value) == 'relation "nope" does not exist\nLINE 1: select * from nope\n                      ^'
    assert (caught.value.diag.statement_position, caught.value.diag.severity) == ("15", "ERROR")


def test_error_carries_the_result(peer: Peer, conn: Any) -> None:
    field = peer.submodule("pq").DiagnosticField
    with pytest.raises(peer.module.errors.DivisionByZero) as caught:
        conn.execute("select 1 / 0")
    result = caught.value.pgresult
    assert ExecStatus(result.status) == ExecStatus.FATAL_ERROR
    assert result.error_field(field.SQLSTATE) == b"22012"
    assert result.error_field(field.MESSAGE_PRIMARY) == b"division by zero"
    assert result.error_field(field.TABLE_NAME) is None
    assert result.error_message == b"ERROR:  division by zero\n"
    assert result.get_error_message() == "division by zero"
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.diag.sqlstate) == (type(caught.value), "division by zero", "22012")


def test_copy_statement_in_execute(peer: Peer) -> None:
    for query in ("copy (select 1) to stdout", "copy items from stdin"):
        conn = peer.connect(autocommit=True)
        conn.execute("create temp table items (a int)")
        with pytest.raises(peer.module.ProgrammingError, match=r"COPY cannot be used with this method; use copy\(\)"):
            conn.execute(query)


# Several results


def test_several_statements(peer: Peer, table: Any) -> None:
    cursor = table.execute(
        "select 1 as x; insert into items values (1), (2); select 2 as y, 3 as z; select 4 where false"
    )
    assert (state(cursor), cursor.fetchall()) == ((["x"], 1, 0, "SELECT 1", "TUPLES_OK"), [(1,)])
    assert cursor.nextset() is True
    assert state(cursor) == (None, 2, None, "INSERT 0 2", "COMMAND_OK")
    with pytest.raises(peer.module.ProgrammingError, match="INSERT 0 2"):
        cursor.fetchone()
    assert cursor.nextset() is True
    assert (state(cursor), cursor.fetchone()) == ((["y", "z"], 1, 0, "SELECT 1", "TUPLES_OK"), (2, 3))
    assert cursor.nextset() is True
    assert (cursor.fetchall(), cursor.nextset(), cursor.nextset()) == ([], None, None)
    assert state(cursor) == (["?column?"], 0, 0, "SELECT 0", "TUPLES_OK")


@pytest.mark.parametrize("params", [(), [], {}])
def test_several_statements_with_no_params(conn: Any, params: Any) -> None:
    cursor = conn.execute("select 1; select '%%'", params)
    assert [each.fetchone() for each in cursor.results()] == [(1,), ("%",)]


def test_results(conn: Any) -> None:
    cursor = conn.execute("select 1; set work_mem = '5MB'; select 2")
    found = [(each is cursor, each.statusmessage) for each in cursor.results()]
    assert found == [(True, "SELECT 1"), (True, "SET"), (True, "SELECT 1")]
    assert cursor.fetchall() == [(2,)]
    cursor.set_result(1)
    assert [each.statusmessage for each in cursor.results()] == ["SET", "SELECT 1"]


def test_nested_iteration_of_results(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 2); select generate_series(3, 4)")
    assert [row for _ in cursor.results() for row in cursor] == [(1,), (2,), (3,), (4,)]
    cursor.executemany("select generate_series(1, %s)", [(1,), (0,), (2,)], returning=True)
    assert [cursor.fetchall() for _ in cursor.results()] == [[(1,)], [], [(1,), (2,)]]


def test_set_result(conn: Any) -> None:
    cursor = conn.execute("select 'a'; select 'b'; select 'c'")
    assert [cursor.set_result(i).fetchone()[0] for i in (2, 0, 1, -1, -2, -3, 0)] == list("cabcbaa")
    cursor.set_result(0).fetchall()
    assert cursor.set_result(0).fetchone() == ("a",)
    assert cursor.set_result(2).nextset() is None
    cursor.set_result(1)
    for index in (3, -4, 100):
        with pytest.raises(IndexError, match=r"index .* out of range: 3 result"):
            cursor.set_result(index)
    assert cursor.fetchone() == ("b",)
    with pytest.raises(IndexError, match="out of range: 0 result"):
        conn.cursor().set_result(0)


@pytest.mark.parametrize(
    "query",
    ["select 1; selec 2; select 3", "select 1; select 1 / 0; select 3", "insert into items values (1); select 1/0"],
)
def test_error_among_several_statements(peer: Peer, table: Any, query: str) -> None:
    cursor = table.cursor()
    with pytest.raises(peer.module.Error):
        cursor.execute(query)
    assert state(cursor) == NOTHING
    assert cursor.nextset() is None
    assert table.execute("select count(*) from items").fetchone() == (0,)  # one implicit transaction


def test_empty_statements_among_several(conn: Any) -> None:
    cursor = conn.execute("select 1;; select 2;")
    assert [each.fetchone() for each in cursor.results()] == [(1,), (2,)]


def test_binary_result_of_several_statements(peer: Peer, conn: Any) -> None:
    for keywords in ({"binary": True}, {"prepare": True}):
        with pytest.raises(peer.module.errors.SyntaxError, match="cannot insert multiple commands"):
            conn.execute("select 1; select 2", **keywords)


# executemany()


def test_executemany(peer: Peer, table: Any) -> None:
    cursor = table.cursor()
    assert cursor.executemany("insert into items values (%s, %s)", [(1, "a"), (2, None)]) is None
    assert state(cursor) == (None, 2, None, "INSERT 0 1", None)
    with pytest.raises(peer.module.ProgrammingError, match="no result available"):
        cursor.fetchone()
    assert cursor.nextset() is None
    cursor.executemany("update items set b = %(b)s where a <= %(a)s", [{"a": 1, "b": "x"}, {"a": 9, "b": None}])
    assert (cursor.rowcount, cursor.statusmessage) == (3, "UPDATE 2")
    assert table.execute("select * from items order by a").fetchall() == [(1, None), (2, None)]


def test_executemany_takes_any_iterable(table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany("insert into items values (%s, %s)", ((i, str(i)) for i in range(250)))
    assert cursor.rowcount == 250
    cursor.executemany("delete from items where a = %s", map(list, zip(range(100))))
    assert cursor.rowcount == 100


@pytest.mark.parametrize("returning", [False, True])
def test_executemany_of_nothing(peer: Peer, table: Any, returning: bool) -> None:
    cursor = table.cursor()
    cursor.executemany("insert into items values (%s, %s)", [], returning=returning)
    assert (cursor.statusmessage, cursor.pgresult, cursor.nextset()) == (None, None, None)
    assert returning or cursor.rowcount == 0
    assert list(cursor.results()) == []
    with pytest.raises(peer.module.ProgrammingError, match="no result available"):
        cursor.fetchone()


def test_executemany_ignores_rows_unless_told(peer: Peer, table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany("insert into items values (%s) returning a", [(1,), (2,)])
    assert (cursor.rowcount, cursor.description) == (2, None)
    with pytest.raises(peer.module.ProgrammingError, match="no result available"):
        cursor.fetchone()


def test_executemany_returning(table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany(
        "insert into items values (%s, %s) returning a, b", [(1, "a"), (2, "b"), (3, "c")], returning=True
    )
    assert state(cursor) == (["a", "b"], 1, 0, "INSERT 0 1", "TUPLES_OK")
    assert cursor.fetchall() == [(1, "a")]
    assert cursor.nextset() is True
    assert (cursor.rowcount, cursor.fetchone(), cursor.fetchone()) == (1, (2, "b"), None)
    assert cursor.nextset() is True
    assert (cursor.fetchall(), cursor.nextset()) == ([(3, "c")], None)
    cursor.set_result(0)
    assert [cursor.fetchone()[0] for _ in cursor.results()] == [1, 2, 3]


def test_executemany_returning_without_rows(peer: Peer, table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany("insert into items values (%s)", [(1,), (2,)], returning=True)
    assert [state(each) for each in cursor.results()] == [(None, 1, None, "INSERT 0 1", "COMMAND_OK")] * 2
    with pytest.raises(peer.module.ProgrammingError, match="INSERT 0 1"):
        cursor.fetchone()


def test_executemany_with_different_types(conn: Any) -> None:
    cursor = conn.cursor()
    values = [1, "a", None, 10**10, 1.5, Decimal("1.5"), [1]]
    cursor.executemany("select %s", [(value,) for value in values], returning=True)
    found = [(each.description[0].type_display, each.fetchone()[0]) for each in cursor.results()]
    types = ["int2", "text", "text", "int8", "float8", "numeric", "int2[]"]
    assert found == list(zip(types, values, strict=True))


def test_executemany_nulls_and_values_of_one_column(table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany("insert into items values (%s, %s)", [(1, None), (2, "x"), (3, None), (100000, "y")])
    assert table.execute("select b from items order by a").fetchall() == [(None,), ("x",), (None,), ("y",)]


def test_executemany_many_rows_with_large_values(table: Any) -> None:
    cursor = table.cursor()
    cursor.executemany(
        "insert into items values (%s, %s) returning b", ((i, str(i) * 2000) for i in range(1000)), returning=True
    )
    assert all(each.fetchone() == (str(i) * 2000,) for i, each in enumerate(cursor.results()))


def test_executemany_error_of_the_server(peer: Peer, table: Any) -> None:
    cursor = table.cursor()
    with pytest.raises(peer.module.errors.UniqueViolation):
        cursor.executemany("insert into items values (%s)", [(1,), (2,), (1,), (3,)])
    assert table.execute("select a from items").fetchall() == []  # one implicit transaction
    assert table.info.transaction_status == 0
    with pytest.raises(peer.module.errors.DivisionByZero):
        cursor.executemany("select 1 / %s", [(1,), (0,), (1,)], returning=True)
    assert cursor.execute("select 1").fetchone() == (1,)


def test_executemany_error_in_a_transaction(peer: Peer) -> None:
    conn = peer.connect()
    conn.execute("create temp table items (a int primary key)")
    conn.commit()
    with pytest.raises(peer.module.errors.UniqueViolation):
        conn.cursor().executemany("insert into items values (%s)", [(1,), (1,), (2,)])
    assert conn.info.transaction_status.name == "INERROR"
    conn.rollback()
    assert conn.execute("select * from items").fetchall() == []


def test_executemany_error_of_params(peer: Peer) -> None:
    conn = peer.connect()
    cursor = conn.cursor()
    conn.execute("create temp table items (a int, b text)")
    conn.commit()

    def failing() -> Iterator[tuple[int, str]]:
        yield (1, "a")
        raise KeyError("from the iterable")

    for error, params in [
        (KeyError, failing()),
        (peer.module.ProgrammingError, [(1, "a"), (2,)]),
        (peer.module.ProgrammingError, [(1, "a"), (2, object())]),
        (TypeError, [(1, "a"), 5]),
        (TypeError, ["ab"]),
        (TypeError, 5),
        (TypeError, None),
    ]:
        with pytest.raises(error):
            cursor.executemany("insert into items values (%s, %s)", params)
        conn.rollback()
        assert conn.execute("select * from items").fetchall() == []
        conn.rollback()


def test_executemany_of_several_statements(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.errors.SyntaxError, match="cannot insert multiple commands"):
        conn.cursor().executemany("select 1; select 2", [(), ()])


def test_executemany_without_placeholders(conn: Any) -> None:
    cursor = conn.cursor()
    cursor.executemany("select 1", [(), ()], returning=True)
    assert [each.fetchall() for each in cursor.results()] == [[(1,)], [(1,)]]
    cursor.executemany("", [(), ()], returning=True)
    assert [state(each) for each in cursor.results()] == [(None, -1, None, None, "EMPTY_QUERY")] * 2


def test_executemany_binary(conn: Any) -> None:
    cursor = conn.cursor(binary=True)
    cursor.executemany("select %s::int4", [(1,), (2,)], returning=True)
    assert [(each.pgresult.get_value(0, 0), each.fetchone()) for each in cursor.results()] == [
        (b"\0\0\0\1", (1,)),
        (b"\0\0\0\2", (2,)),
    ]


def test_executemany_in_autocommit_statements_that_refuse_transactions(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    cursor.executemany("create temp table once (a int)", [()])
    assert (cursor.rowcount, cursor.statusmessage) == (0, "CREATE TABLE")


def test_executemany_of_nothing_in_a_pipeline(peer: Peer, table: Any) -> None:
    with table.pipeline():
        cursor = table.cursor()
        cursor.executemany("insert into items values (%s)", [])
        with pytest.raises(peer.module.ProgrammingError, match="no result available"):
            cursor.fetchone()
    assert cursor.rowcount == 0


def test_executemany_returning_in_a_pipeline(peer: Peer, table: Any) -> None:
    with table.pipeline():
        cursor = table.cursor()
        cursor.executemany("insert into items values (%s) returning a", [(1,), (2,)], returning=True)
        assert [each.fetchone() for each in cursor.results()] == [(1,), (2,)]
        cursor.executemany("update items set b = 'x' where a < %s", [(2,), (9,)])
    assert cursor.rowcount == 3


def test_executemany_without_rows_in_a_pipeline(peer: Peer, table: Any) -> None:
    with table.pipeline():
        cursor = table.cursor()
        cursor.executemany("insert into items values (%s)", [(1,), (2,)], returning=True)
        with pytest.raises(peer.module.ProgrammingError, match=r"didn't produce records .command status: INSERT 0 1"):
            cursor.fetchone()
    assert [each.statusmessage for each in cursor.results()] == ["INSERT 0 1", "INSERT 0 1"]


def test_executemany_error_in_a_pipeline(peer: Peer, table: Any) -> None:
    with pytest.raises(peer.module.errors.UniqueViolation):
        with table.pipeline():
            table.cursor().executemany("insert into items values (%s)", [(1,), (1,), (2,)])
    assert table.execute("select * from items").fetchall() == []


# description


COLUMNS = [
    ("1::int", ("x", 23, None, 4, None, None, None), "int4"),
    ("1::oid", ("x", 26, None, 4, None, None, None), "oid"),
    ("'x'::text", ("x", 25, None, None, None, None, None), "text"),
    ("null", ("x", 25, None, None, None, None, None), "text"),
    ("'x'::name", ("x", 19, None, 64, None, None, None), "name"),
    ("""'a'::"char\"""", ("x", 18, None, 1, None, None, None), '"char"'),
    ("'x'::varchar(10)", ("x", 1043, 10, None, None, None, None), "varchar(10)"),
    ("'x'::varchar", ("x", 1043, None, None, None, None, None), "varchar"),
    ("'x'::bpchar(3)", ("x", 1042, 3, None, None, None, None), "bpchar(3)"),
    ("'{}'::varchar(5)[]", ("x", 1015, 5, None, None, None, None), "varchar(5)[]"),
    ("'{}'::int[]", ("x", 1007, None, None, None, None, None), "int4[]"),
    ("1.5::numeric", ("x", 1700, None, None, None, None, None), "numeric"),
    ("1.5::numeric(10,2)", ("x", 1700, None, None, 10, 2, None), "numeric(10,2)"),
    ("1.5::numeric(10)", ("x", 1700, None, None, 10, 0, None), "numeric(10,0)"),
    ("'{}'::numeric(3,1)[]", ("x", 1231, None, None, 3, 1, None), "numeric(3,1)[]"),
    ("1.5::float8", ("x", 701, None, 8, None, None, None), "float8"),
    ("1::money", ("x", 790, None, 8, None, None, None), "money"),
    ("now()", ("x", 1184, None, 8, None, None, None), "timestamptz"),
    ("now()::timestamptz(3)", ("x", 1184, None, 8, 3, None, None), "timestamptz(3)"),
    ("now()::timestamp(0)", ("x", 1114, None, 8, 0, None, None), "timestamp(0)"),
    ("'12:00'::time(1)", ("x", 1083, None, 8, 1, None, None), "time(1)"),
    ("'1s'::interval(2)", ("x", 1186, None, 16, 2, None, None), "interval(2)"),
    ("'1'::bit(3)", ("x", 1560, 3, None, None, None, None), "bit(3)"),
    ("'1'::varbit(5)", ("x", 1562, 5, None, None, None, None), "varbit(5)"),
    ("row(1, 2)", ("x", 2249, None, None, None, None, None), "record"),
    ("'int4'::regtype", ("x", 2206, None, 4, None, None, None), "regtype"),
    ("'[1,2)'::int4range", ("x", 3904, None, None, None, None, None), "int4range"),
    ("'{}'::jsonb", ("x", 3802, None, None, None, None, None), "jsonb"),
]


@pytest.mark.parametrize(("expression", "expected", "display"), COLUMNS, ids=[column[0] for column in COLUMNS])
def test_description(peer: Peer, conn: Any, expression: str, expected: tuple[Any, ...], display: str) -> None:
    (column,) = conn.execute(f"select {expression} as x").description
    assert isinstance(column, peer.module.Column)
    assert tuple(column) == expected
    assert column.type_display == display
    assert repr(column) == f"<Column 'x', type: {display} (oid: {expected[1]})>"


def test_column_attributes(conn: Any) -> None:
    first, second = conn.execute("select 'x'::varchar(10) as a, 1.5::numeric(10, 2) as b").description
    assert (first.name, first.type_code, first.display_size, first.internal_size) == ("a", 1043, 10, None)
    assert (second.precision, second.scale, second.null_ok) == (10, 2, None)


def test_column_is_a_sequence(conn: Any) -> None:
    (column,) = conn.execute("select 'x'::varchar(10) as a").description
    assert isinstance(column, Sequence)
    assert (len(column), column[0], column[1], column[-1], column[0:3]) == (7, "a", 1043, None, ("a", 1043, 10))
    name, type_code, *_ = column
    assert (name, type_code) == ("a", 1043)
    with pytest.raises(IndexError):
        column[7]


def test_column_pickles(conn: Any) -> None:
    cursor = conn.execute("select 'x'::varchar(10) as a, 1.5::numeric(10, 2) as b, now()::timestamptz(3)")
    copies = pickle.loads(pickle.dumps(cursor.description))
    for column, copy in zip(cursor.description, copies, strict=True):
        assert type(copy) is type(column)
        assert (tuple(copy), repr(copy), copy.type_display) == (tuple(column), repr(column), column.type_display)


def test_type_that_is_not_registered(conn: Any) -> None:
    conn.execute("create temp table made (a int)")
    (column,) = conn.execute("select made from made").description
    oid = conn.execute("select 'made'::regtype::oid").fetchone()[0]
    assert (column.type_code, column.type_display) == (oid, str(oid))
    assert repr(column) == f"<Column 'made', type: {oid} (oid: {oid})>"


def test_description_after_the_connection_is_closed(conn: Any) -> None:
    cursor = conn.execute("select 1 as a")
    conn.close()
    assert cursor.description[0].name == "a"


# Fetching


def test_fetching(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 10)")
    assert cursor.fetchmany() == [(1,)]
    assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
    assert cursor.fetchmany(4) == [(5,), (6,), (7,), (8,)]
    assert cursor.rownumber == 8
    assert cursor.fetchone() == (9,)
    assert cursor.fetchmany(size=100) == [(10,)]
    assert (cursor.fetchmany(), cursor.fetchone(), cursor.fetchall()) == ([], None, [])
    assert (cursor.rownumber, cursor.rowcount) == (10, 10)


def test_fetchmany_uses_arraysize(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 5)")
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(1,), (2,)]
    assert cursor.fetchmany(0) == [(3,), (4,)]


def test_rownumber(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 4)")
    assert cursor.rownumber == 0
    cursor.fetchone()
    assert cursor.rownumber == 1
    cursor.fetchmany(2)
    assert cursor.rownumber == 3
    assert [cursor.rownumber for _ in cursor] == [4]
    cursor.scroll(-2)
    assert cursor.rownumber == 2


def test_iteration(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 5)")
    assert iter(cursor) is cursor
    assert next(cursor) == (1,)
    for row in cursor:
        if row == (3,):
            break
    assert cursor.fetchone() == (4,)
    assert list(cursor) == [(5,)]
    assert list(cursor) == []
    with pytest.raises(StopIteration):
        next(cursor)
    assert next(cursor, "default") == "default"


def test_scroll(conn: Any) -> None:
    cursor = conn.execute("select generate_series(0, 9)")
    cursor.scroll(3)
    assert cursor.fetchone() == (3,)
    cursor.scroll(-2)
    assert cursor.fetchone() == (2,)
    cursor.scroll(8, "absolute")
    assert cursor.fetchone() == (8,)
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchone() == (0,)
    cursor.scroll(0)
    assert cursor.fetchone() == (1,)
    for value, mode in [(-1, "absolute"), (10, "absolute"), (-3, "relative"), (8, "relative"), (100, "relative")]:
        with pytest.raises(IndexError, match="position out of bound"):
            cursor.scroll(value, mode)
        assert cursor.rownumber == 2
    with pytest.raises(ValueError, match=r"bad mode: wat. It should be 'relative' or 'absolute'"):
        cursor.scroll(1, "wat")


def test_scroll_back_from_the_end(conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 3)")
    cursor.fetchall()
    cursor.scroll(-1)
    assert cursor.fetchall() == [(3,)]


def test_scroll_an_empty_result(conn: Any) -> None:
    cursor = conn.execute("select 1 where false")
    for mode in ("relative", "absolute"):
        with pytest.raises(IndexError):
            cursor.scroll(0, mode)


# Row factories


def test_row_factory_is_changed_while_fetching(peer: Peer, conn: Any) -> None:
    rows = peer.submodule("rows")
    cursor = conn.execute("select i as a, -i as b from generate_series(1, 4) i")
    assert cursor.fetchone() == (1, -1)
    cursor.row_factory = rows.dict_row
    assert cursor.fetchone() == {"a": 2, "b": -2}
    cursor.row_factory = rows.namedtuple_row
    third = cursor.fetchone()
    assert (third.a, third.b, third) == (3, -3, (3, -3))
    cursor.row_factory = rows.scalar_row
    assert cursor.fetchone() == 4
    assert cursor.row_factory is rows.scalar_row
    assert conn.row_factory is rows.tuple_row


def test_row_factory_of_connection_and_cursor(peer: Peer) -> None:
    rows = peer.submodule("rows")
    conn = peer.connect(row_factory=rows.dict_row)
    assert conn.execute("select 1 as a").fetchone() == {"a": 1}
    assert conn.cursor(row_factory=rows.tuple_row).execute("select 1 as a").fetchone() == (1,)
    cursor = conn.cursor()
    conn.row_factory = rows.scalar_row
    assert cursor.execute("select 1 as a").fetchone() == {"a": 1}
    assert conn.execute("select 1 as a").fetchone() == 1


def test_row_factory_with_several_results(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor(row_factory=peer.submodule("rows").dict_row)
    cursor.execute("select 1 as a; select 2 as b, 3 as c")
    assert [each.fetchall() for each in cursor.results()] == [[{"a": 1}], [{"b": 2, "c": 3}]]
    assert cursor.set_result(0).fetchone() == {"a": 1}


def test_row_factory_sees_the_result(conn: Any) -> None:
    seen = []

    def factory(cursor: Any) -> Callable[[Sequence[Any]], Any]:
        if cursor.description is not None:
            seen.append(([c.name for c in cursor.description], cursor.statusmessage, cursor.pgresult.ntuples))
        return lambda values: tuple(reversed(values))

    cursor = conn.cursor(row_factory=factory)
    assert cursor.execute("select 1 as a, 2 as b").fetchall() == [(2, 1)]
    assert seen == [(["a", "b"], "SELECT 1", 1)]


def test_row_factory_given_as_a_class(conn: Any) -> None:
    class Rows:
        def __init__(self, cursor: Any) -> None:
            self.fields = [column.name for column in cursor.description]

        def __call__(self, values: Sequence[Any]) -> dict[str, Any]:
            return dict(zip(self.fields, values, strict=True))

    assert conn.cursor(row_factory=Rows).execute("select 1 as a, 2 as b").fetchall() == [{"a": 1, "b": 2}]


def test_rows_of_none_do_not_end_the_iteration(conn: Any) -> None:
    cursor = conn.cursor(row_factory=lambda cursor: lambda values: None)
    cursor.execute("select generate_series(1, 3)")
    assert list(cursor) == [None, None, None]


def test_row_maker_that_raises(conn: Any) -> None:
    def maker(values: Sequence[Any]) -> Any:
        raise KeyError("maker")

    cursor = conn.cursor(row_factory=lambda cursor: maker)
    cursor.execute("select 1")
    for _ in range(2):
        with pytest.raises(KeyError, match="maker"):
            cursor.fetchone()
    cursor.row_factory = lambda cursor: tuple
    assert cursor.fetchone() == (1,)


def test_row_factory_that_raises(conn: Any) -> None:
    def factory(cursor: Any) -> Any:
        raise KeyError("factory")

    with pytest.raises(KeyError, match="factory"):
        conn.cursor(row_factory=factory).execute("select 1")
    assert conn.execute("select 1").fetchone() == (1,)


def test_scalar_row_without_columns(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor(row_factory=peer.submodule("rows").scalar_row)
    with pytest.raises(peer.module.ProgrammingError, match="at least one column expected"):
        cursor.execute("select").fetchone()


def test_namedtuple_row_with_duplicate_names(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor(row_factory=peer.submodule("rows").namedtuple_row)
    with pytest.raises(peer.module.DataError):
        cursor.execute("select 1 as a, 2 as a").fetchone()


def test_loaders_registered_after_the_query(peer: Peer, conn: Any) -> None:
    class Shout(peer.submodule("adapt").Loader):  # type: ignore[misc]
        def load(self, data: Any) -> str:
            return bytes(data).decode().upper()

    cursor = conn.execute("select 'a'::text union all select 'b' order by 1")
    assert cursor.fetchone() == ("a",)
    cursor.adapters.register_loader("text", Shout)
    assert cursor.fetchone() == ("B",)
    assert conn.execute("select 'a'::text").fetchone() == ("a",)


# binary=, format


def test_binary(peer: Peer, conn: Any) -> None:
    binary = peer.submodule("pq").Format.BINARY
    cursor = conn.cursor(binary=True)
    assert cursor.format == binary
    cursor.execute("select 1::int4, 'x'::text, null::int, '{1}'::int[]")
    assert [cursor.pgresult.fformat(i) for i in range(4)] == [1, 1, 1, 1]
    assert [cursor.pgresult.get_value(0, i) for i in range(3)] == [b"\0\0\0\1", b"x", None]
    assert cursor.fetchone() == (1, "x", None, [1])
    assert cursor.execute("select 1", binary=False).pgresult.get_value(0, 0) == b"1"
    assert cursor.format == binary
    cursor.format = peer.submodule("pq").Format.TEXT
    assert cursor.execute("select 1").pgresult.get_value(0, 0) == b"1"
    assert cursor.execute("select 1", binary=True).pgresult.get_value(0, 0) == b"\0\0\0\1"
    assert conn.execute("select 1", binary=True).pgresult.get_value(0, 0) == b"\0\0\0\1"
    assert conn.cursor(binary=False).format == peer.submodule("pq").Format.TEXT


def test_binary_of_a_type_without_a_loader(conn: Any) -> None:
    row = conn.execute("select '(1,0)'::point, 'int4'::regtype", binary=True).fetchone()
    assert row == (b"\x3f\xf0" + bytes(14), b"\0\0\0\x17")


def test_binary_of_a_type_without_binary_output(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.errors.UndefinedFunction, match="no binary output function"):
        conn.execute("select 'postgres=r/postgres'::aclitem", binary=True)


# pgresult


def test_pgresult(table: Any) -> None:
    table.execute("insert into items values (1, 'x'), (2, null)")
    cursor = table.execute("select a, b, a + 1 as c, 1.5::numeric(5, 2) as d from items order by a")
    result = cursor.pgresult
    assert (result.status, result.ntuples, result.nfields) == (ExecStatus.TUPLES_OK, 2, 4)
    assert (result.command_status, result.command_tuples, result.oid_value) == (b"SELECT 2", 2, 0)
    assert [result.fname(i) for i in range(4)] == [b"a", b"b", b"c", b"d"]
    assert [result.ftype(i) for i in range(4)] == [23, 25, 23, 1700]
    assert [result.fmod(i) for i in range(4)] == [-1, -1, -1, 327686]
    assert [result.fsize(i) for i in range(4)] == [4, -1, 4, -1]
    assert [result.fformat(i) for i in range(4)] == [0, 0, 0, 0]
    oid = table.execute("select 'items'::regclass::oid").fetchone()[0]
    assert [result.ftable(i) for i in range(4)] == [oid, oid, 0, 0]
    assert [result.ftablecol(i) for i in range(4)] == [1, 2, 0, 0]
    assert [result.get_value(1, i) for i in range(4)] == [b"2", None, b"3", b"1.50"]
    assert result.error_message == b""
    assert result.binary_tuples == 0


def test_pgresult_of_commands(conn: Any) -> None:
    found = []
    for query in ("create temp table t (a int)", "insert into t values (1), (2)", "set work_mem = '5MB'", ""):
        result = conn.execute(query).pgresult
        found.append(
            (
                ExecStatus(result.status).name,
                result.ntuples,
                result.nfields,
                result.command_status,
                result.command_tuples,
            )
        )
    assert found == [
        ("COMMAND_OK", 0, 0, b"CREATE TABLE", None),
        ("COMMAND_OK", 0, 0, b"INSERT 0 2", 2),
        ("COMMAND_OK", 0, 0, b"SET", None),
        ("EMPTY_QUERY", 0, 0, b"", None),
    ]


def test_pgresult_out_of_range(conn: Any) -> None:
    result = conn.execute("select 1").pgresult
    for row, column in [(1, 0), (0, 1), (-1, 0)]:
        assert result.get_value(row, column) is None
    assert result.fname(1) is None
    assert result.ftype(1) == 0


def test_pgresult_follows_nextset(conn: Any) -> None:
    cursor = conn.execute("select 1; select 2, 3")
    first = cursor.pgresult
    cursor.nextset()
    assert (first.nfields, cursor.pgresult.nfields) == (1, 2)


# _query


def test_query_object(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    assert cursor._query is None
    cursor.execute("select %s, %s", (1, "x"))
    query = cursor._query
    assert (query.query, [bytes(param) for param in query.params]) == (b"select $1, $2", [b"\0\1", b"x"])
    assert (list(query.types), list(query.formats)) == ([21, 0], [1, 0])
    cursor.execute("select %(b)s, %(a)t, %(b)s", {"a": 1, "b": None})
    assert (cursor._query.query, cursor._query.params) == (b"select $1, $2, $1", [None, b"1"])
    cursor.execute("select '%'")
    assert (cursor._query.query, cursor._query.params) == (b"select '%'", None)
    with pytest.raises(peer.module.errors.SyntaxError):
        cursor.execute("selec %s", (1,))
    assert cursor._query.query == b"selec $1"


# Closing


def test_close(conn: Any) -> None:
    cursor = conn.execute("select 1")
    cursor.close()
    cursor.close()
    assert cursor.closed
    assert state(cursor) == NOTHING
    assert not conn.closed


@pytest.mark.parametrize(
    "use",
    [
        lambda cursor: cursor.execute("select 1"),
        lambda cursor: cursor.executemany("select 1", [()]),
        *FETCHES,
        lambda cursor: cursor.copy("copy (select 1) to stdout").__enter__(),
        lambda cursor: list(cursor.stream("select 1")),
    ],
    ids=["execute", "executemany", *FETCH_NAMES, "copy", "stream"],
)
def test_use_after_close(peer: Peer, conn: Any, use: Callable[[Any], object]) -> None:
    cursor = conn.execute("select 1")
    cursor.close()
    with pytest.raises(peer.module.InterfaceError, match=r"^the cursor is closed$"):
        use(cursor)


def test_context_manager(conn: Any) -> None:
    with conn.cursor() as cursor:
        assert cursor.execute("select 1").fetchone() == (1,)
    assert cursor.closed
    with pytest.raises(ZeroDivisionError):
        with conn.cursor() as cursor:
            raise ZeroDivisionError
    assert cursor.closed
    assert not conn.closed


def test_closing_ends_no_transaction(peer: Peer) -> None:
    conn = peer.connect()
    with conn.cursor() as cursor:
        cursor.execute("create temp table t (a int)")
    assert conn.info.transaction_status.name == "INTRANS"
    conn.execute("select * from t")


def test_what_is_left_after_the_connection_is_closed(peer: Peer, conn: Any) -> None:
    cursor = conn.execute("select generate_series(1, 5)")
    conn.close()
    assert not cursor.closed
    assert (cursor.fetchone(), cursor.fetchmany(2), next(cursor), cursor.fetchall()) == (
        (1,),
        [(2,), (3,)],
        (4,),
        [(5,)],
    )
    assert state(cursor) == (["generate_series"], 5, 5, "SELECT 5", "TUPLES_OK")


@pytest.mark.parametrize(
    "use",
    [
        lambda cursor: cursor.execute("select 1"),
        lambda cursor: cursor.executemany("select 1", [()]),
        lambda cursor: cursor.copy("copy (select 1) to stdout").__enter__(),
        lambda cursor: list(cursor.stream("select 1")),
        lambda cursor: cursor.connection.cursor(),
        lambda cursor: cursor.connection.cursor("name"),
        lambda cursor: cursor.connection.execute("select 1"),
        lambda cursor: cursor.connection.commit(),
        lambda cursor: cursor.connection.rollback(),
    ],
    ids=[
        "execute",
        "executemany",
        "copy",
        "stream",
        "cursor",
        "server-cursor",
        "connection-execute",
        "commit",
        "rollback",
    ],
)
def test_use_after_the_connection_is_closed(peer: Peer, conn: Any, use: Callable[[Any], object]) -> None:
    cursor = conn.execute("select 1")
    conn.close()
    with pytest.raises(peer.module.OperationalError, match=r"^the connection is closed$"):
        use(cursor)


def test_connection_ended_by_the_server(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor()
    with pytest.raises(peer.module.errors.AdminShutdown):
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")
    assert (conn.closed, conn.broken, conn.info.transaction_status.name) == (True, True, "UNKNOWN")
    with pytest.raises(peer.module.OperationalError, match=r"the connection is (lost|closed)"):
        cursor.execute("select 1")
    with pytest.raises(peer.module.OperationalError, match=r"the connection is closed"):
        conn.cursor()


def test_connection_ended_by_the_server_while_idle(peer: Peer, conn: Any, admin: Any) -> None:
    admin.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
    with pytest.raises(peer.module.OperationalError):
        conn.execute("select 1")
    assert conn.closed
    assert conn.broken


def test_setinputsizes(conn: Any) -> None:
    cursor = conn.cursor()
    assert cursor.setinputsizes([1, 2]) is None
    assert cursor.setoutputsize(1) is None
    assert cursor.setoutputsize(1, 2) is None


def test_cursors_of_one_connection_are_independent(conn: Any) -> None:
    first = conn.execute("select generate_series(1, 3)")
    second = conn.execute("select generate_series(11, 13)")
    assert list(zip(first, second, strict=True)) == [((1,), (11,)), ((2,), (12,)), ((3,), (13,))]


def test_a_failing_statement_leaves_results_of_other_cursors(peer: Peer, conn: Any) -> None:
    first = conn.execute("select 1")
    with pytest.raises(peer.module.Error):
        conn.execute("selec")
    assert first.fetchone() == (1,)


def test_cursors_are_freed_at_once(peer: Peer, conn: Any) -> None:
    def run(cursor: Any) -> None:
        cursor.execute("select 1").fetchall()
        cursor.executemany("select %s", [(1,)], returning=True)
        list(cursor.stream("select 1"))
        with cursor.copy("copy (select 1) to stdout") as copy:
            list(copy)
        with pytest.raises(peer.module.Error):
            cursor.execute("selec")

    gc.disable()
    try:
        for cls in (peer.module.Cursor, peer.module.ClientCursor, peer.module.RawCursor):
            cursor = cls(conn)
            if cls is not peer.module.RawCursor:
                run(cursor)
            reference = weakref.ref(cursor)
            del cursor
            assert reference() is None
    finally:
        gc.enable()


def test_subclass(peer: Peer, conn: Any) -> None:
    class Logging(peer.module.Cursor):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.queries: list[Any] = []

        def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
            self.queries.append(query)
            return super().execute(query, params, **kwargs)

    conn.cursor_factory = Logging
    cursor = conn.execute("select 1")
    assert cursor.execute("select %s", (2,), binary=True).fetchone() == (2,)
    assert cursor.queries == ["select 1", "select %s"]


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("cursor", ["Cursor"]),
        ("cursor_async", ["AsyncCursor"]),
        ("client_cursor", ["ClientCursor", "AsyncClientCursor", "ClientCursorMixin"]),
        ("raw_cursor", ["RawCursor", "AsyncRawCursor", "RawServerCursor", "AsyncRawServerCursor"]),
        ("copy", ["Copy", "AsyncCopy", "Writer", "AsyncWriter", "LibpqWriter", "AsyncLibpqWriter", "FileWriter"]),
    ],
)
def test_modules(peer: Peer, module: str, names: list[str]) -> None:
    for name in names:
        found = getattr(peer.submodule(module), name)
        assert getattr(peer.module, name, found) is found


def test_names_of_the_arguments(conn: Any) -> None:
    cursor = conn.cursor(name=None, binary=False, row_factory=None)
    assert cursor.execute(query="select %s", params=(1,), prepare=None, binary=None).fetchmany(size=1) == [(1,)]
    cursor.scroll(value=0, mode="absolute")
    assert cursor.set_result(index=0).fetchone() == (1,)
    cursor.executemany(query="select %s", params_seq=[(1,)], returning=True)
    assert list(cursor.stream(query="select %s", params=(1,), binary=None, size=1)) == [(1,)]
    with cursor.copy(statement="copy (select %s) to stdout", params=(1,), writer=None) as copy:
        assert list(copy.rows()) == [("1",)]


@pytest.mark.parametrize("count", [65535, 65536])
def test_number_of_parameters(peer: Peer, conn: Any, count: int) -> None:
    query = f"select 1 where 1 in ({','.join(['%s'] * count)})"
    if count <= 65535:
        assert conn.execute(query, [1] * count).fetchone() == (1,)
    else:
        with pytest.raises(peer.module.DatabaseError, match="65535"):
            conn.execute(query, [1] * count)
        assert conn.execute("select 1").fetchone() == (1,)


def test_adapters_of_connection_and_cursor(peer: Peer, conn: Any) -> None:
    class Loud(peer.submodule("adapt").Loader):  # type: ignore[misc]
        def load(self, data: Any) -> str:
            return bytes(data).decode().upper()

    class Reversed(peer.submodule("adapt").Loader):  # type: ignore[misc]
        def load(self, data: Any) -> str:
            return bytes(data).decode()[::-1]

    query = "select 'ab'::text"
    conn.adapters.register_loader("text", Loud)
    cursor = conn.cursor()
    cursor.adapters.register_loader("text", Reversed)
    assert cursor.execute(query).fetchone() == ("ba",)
    assert conn.execute(query).fetchone() == ("AB",)
    assert peer.connect().execute(query).fetchone() == ("ab",)


SLOW: list[Callable[[Any, str], object]] = [
    lambda cursor, mark: cursor.execute(f"select pg_sleep(1000), '{mark}'"),
    lambda cursor, mark: cursor.executemany(f"select pg_sleep(%s), '{mark}'", [(1000,), (1000,)]),
    lambda cursor, mark: list(cursor.stream(f"select pg_sleep(1000), '{mark}'")),
]


def wait_until_active(admin: Any, mark: str) -> None:
    query = "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query ~ %s"
    while not admin.execute(query, (mark,)).fetchone():
        pass


def skip_what_hangs(peer: Peer, run: object) -> None:
    if peer.name == "psycopg" and run is SLOW[1]:
        pytest.skip("psycopg sometimes goes on to wait for the second statement")


@pytest.mark.parametrize("run", SLOW, ids=["execute", "executemany", "stream"])
def test_interrupted(
    peer: Peer, conn: Any, admin: Any, in_thread: Any, mark: str, run: Callable[[Any, str], object]
) -> None:
    skip_what_hangs(peer, run)

    def interrupt() -> None:
        wait_until_active(admin, mark)
        wait_for(main_thread_waits)
        os.kill(os.getpid(), signal.SIGINT)

    waiting = in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(conn.cursor(), mark)
        waiting.result(10)
    if conn.closed:
        return  # interrupted before it was clear that all was sent
    assert conn.info.transaction_status.name == "IDLE"
    assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("run", SLOW, ids=["execute", "executemany", "stream"])
def test_cancelled_by_another_thread(
    peer: Peer, conn: Any, admin: Any, in_thread: Any, mark: str, run: Callable[[Any, str], object]
) -> None:
    skip_what_hangs(peer, run)
    waiting = in_thread(lambda: run(conn.cursor(), mark))
    wait_until_active(admin, mark)
    conn.cancel()
    with pytest.raises(peer.module.errors.QueryCanceled):
        waiting.result(10)
    assert conn.execute("select 1").fetchone() == (1,)


def test_large_result(conn: Any) -> None:
    cursor = conn.execute("select i, repeat(i::text, 100) from generate_series(1, 20000) i")
    assert cursor.rowcount == 20000
    assert sum(row[0] for row in cursor) == 20000 * 20001 // 2
    cursor.scroll(9999, "absolute")
    assert cursor.fetchone() == (10000, "10000" * 100)


def test_large_value(conn: Any) -> None:
    value = "é" * 3_000_000
    assert conn.execute("select %s, length(%s)", (value, value)).fetchone() == (value, 3_000_000)
