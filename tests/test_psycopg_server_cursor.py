"""`ServerCursor` and `RawServerCursor` as psycopg has them: DECLARE, FETCH, MOVE and CLOSE behind a cursor."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from peers import Peer


@pytest.fixture
def conn(peer: Peer) -> Any:
    return peer.connect()


def declared(conn: Any) -> list[str]:
    return [row[0] for row in conn.execute("select name from pg_cursors where name <> '' order by name")]


def statements(conn: Any) -> list[str]:
    return [row[0] for row in conn.execute("select statement from pg_cursors where statement ilike 'declare%'")]


def test_new_cursor(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as cursor:
        assert type(cursor) is peer.module.ServerCursor
        assert (cursor.name, cursor.scrollable, cursor.withhold) == ("named", None, False)
        assert (cursor.itersize, cursor.arraysize, cursor.format, cursor.closed) == (100, 1, 0, False)
        assert (cursor.description, cursor.rowcount, cursor.rownumber, cursor.statusmessage) == (None, -1, None, None)
        assert conn.info.transaction_status.name == "IDLE"


def test_constructor(peer: Peer, conn: Any) -> None:
    rows = peer.submodule("rows")
    with peer.module.ServerCursor(conn, "named") as cursor:
        assert cursor.execute("select 1 as a").fetchone() == (1,)
    with peer.module.ServerCursor(conn, "named", row_factory=rows.dict_row, scrollable=True, withhold=True) as cursor:
        assert (cursor.scrollable, cursor.withhold) == (True, True)
        assert cursor.execute("select 1 as a").fetchone() == {"a": 1}
        assert statements(conn) == ['DECLARE "named" SCROLL CURSOR WITH HOLD FOR select 1 as a']


@pytest.mark.parametrize("name", [5, b"named", ["named"]])
def test_names_that_are_no_strings(conn: Any, name: Any) -> None:
    with pytest.raises(TypeError), conn.cursor(name) as cursor:
        cursor.execute("select 1")
    assert conn.info.transaction_status.name in ("IDLE", "INTRANS")


def test_repr(peer: Peer, conn: Any) -> None:
    name = peer.module.__name__
    with conn.cursor("named") as cursor:
        assert repr(cursor).startswith(f"<{name}.ServerCursor 'named' [no result] [IDLE] (")
        cursor.execute("select 1")
        assert repr(cursor).startswith(f"<{name}.ServerCursor 'named' [COMMAND_OK] [INTRANS] (")
        cursor.fetchone()
        assert repr(cursor).startswith(f"<{name}.ServerCursor 'named' [TUPLES_OK] [INTRANS] (")
    assert repr(cursor).startswith(f"<{name}.ServerCursor 'named' [closed] [INTRANS] (")


def test_execute(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        assert cursor.execute("select generate_series(1, 3) as a") is cursor
        assert statements(conn) == ['DECLARE "named" CURSOR FOR select generate_series(1, 3) as a']
        assert conn.info.transaction_status.name == "INTRANS"
        assert [column.name for column in cursor.description] == ["a"]
        assert (cursor.rownumber, cursor.statusmessage) == (0, None)
        assert cursor.fetchall() == [(1,), (2,), (3,)]
        assert cursor.rownumber == 3


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        ("select %s::int, %s::text", (1, "a"), (1, "a")),
        ("select %(a)s::int, %(b)s::int", {"b": 2, "a": 1}, (1, 2)),
        ("select %s::text", (None,), (None,)),
        ("select '%'", None, ("%",)),
        ("select '%%' || %s", ("x",), ("%x",)),
        (b"select 1", None, (1,)),
        ("values (1), (2)", None, (1,)),
        ("with a as (select 1) select * from a", None, (1,)),
        ("select 1; ", None, (1,)),
        ("select 1 -- comment", None, (1,)),
    ],
)
def test_queries(conn: Any, query: Any, params: Any, expected: tuple[Any, ...]) -> None:
    with conn.cursor("named") as cursor:
        assert cursor.execute(query, params).fetchone() == expected


def test_query_of_composed(peer: Peer, conn: Any) -> None:
    sql = peer.submodule("sql")
    with conn.cursor("named") as cursor:
        cursor.execute(sql.SQL("select {}, %s::int as {}").format("x", sql.Identifier("a b")), (1,))
        assert cursor.description[1].name == "a b"
        assert cursor.fetchone() == ("x", 1)


def test_parameters_are_bound_by_the_server(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select %s::int", (1,))
        assert statements(conn) == ['DECLARE "named" CURSOR FOR select $1::int']
        assert cursor._query.query == b'DECLARE "named" CURSOR FOR select $1::int'


def test_nothing_is_prepared(peer: Peer) -> None:
    conn = peer.connect(prepare_threshold=0)
    with conn.cursor("named") as cursor:
        for _ in range(3):
            cursor.execute("select 1").fetchall()
    found = conn.execute(
        "select statement from pg_prepared_statements where statement ilike '%%named%%'", prepare=False
    )
    assert found.fetchall() == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("selec 1", "SyntaxError"),
        ("", "SyntaxError"),
        ("insert into t values (1)", "SyntaxError"),
        ("create temp table t (a int)", "SyntaxError"),
        ("select * from nope", "UndefinedTable"),
        ("select 1; select 2", None),
    ],
)
def test_statements_that_cannot_be_declared(peer: Peer, conn: Any, query: str, error: str | None) -> None:
    with conn.cursor("named") as cursor:
        with pytest.raises(peer.module.Error) as caught:
            cursor.execute(query)
        if error is not None:
            assert type(caught.value) is getattr(peer.module.errors, error)
        conn.rollback()
        assert cursor.description is None
        assert cursor.execute("select 1").fetchone() == (1,)


def test_query_and_params_that_do_not_fit(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as cursor:
        with pytest.raises(peer.module.ProgrammingError, match="the query has 1 placeholders but 2 parameters"):
            cursor.execute("select %s", (1, 2))
        with pytest.raises(TypeError, match="query parameters should be a sequence or a mapping"):
            cursor.execute("select %s", "a")


def test_keywords_of_execute(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        for keywords in ({"prepare": True}, {"wat": 1}):
            with pytest.raises(TypeError, match="keyword not supported"):
                cursor.execute("select 1", **keywords)


def test_fetching(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select generate_series(1, 10)")
        assert cursor.fetchone() == (1,)
        assert cursor.fetchmany(2) == [(2,), (3,)]
        assert cursor.fetchmany() == [(4,)]
        cursor.arraysize = 2
        assert cursor.fetchmany() == [(5,), (6,)]
        assert cursor.rownumber == 6
        assert cursor.fetchmany(size=3) == [(7,), (8,), (9,)]
        assert cursor.fetchall() == [(10,)]
        assert (cursor.fetchone(), cursor.fetchmany(2), cursor.fetchall()) == (None, [], [])
        assert cursor.rownumber == 10


def test_empty_result(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select 1 as a where false")
        assert [column.name for column in cursor.description] == ["a"]
        assert (cursor.fetchone(), cursor.fetchmany(2), cursor.fetchall(), list(cursor)) == (None, [], [], [])


def test_description(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select 'x'::varchar(10) as a, 1.5::numeric(10, 2) as b")
        assert [(c.name, c.type_display) for c in cursor.description] == [("a", "varchar(10)"), ("b", "numeric(10,2)")]
        cursor.fetchall()
        assert [column.name for column in cursor.description] == ["a", "b"]


def test_rowcount_is_unknown(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select generate_series(1, 3)")
        assert cursor.rowcount == -1
        cursor.fetchone()
        assert cursor.rowcount == -1


def test_iteration(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.itersize = 3
        cursor.execute("select generate_series(1, 8)")
        assert iter(cursor) is cursor
        numbers = [(row[0], cursor.rownumber) for row in cursor]
        assert numbers == [(i, i) for i in range(1, 9)]
        assert list(cursor) == []
        with pytest.raises(StopIteration):
            next(cursor)
        assert next(cursor, None) is None


def test_next(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select generate_series(1, 3)")
        assert (next(cursor), next(cursor), list(cursor)) == ((1,), (2,), [(3,)])


def test_iteration_goes_on_where_it_was_left(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.itersize = 2
        cursor.execute("select generate_series(1, 7)")
        assert list(islice(cursor, 3)) == [(1,), (2,), (3,)]
        assert list(cursor) == [(4,), (5,), (6,), (7,)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_itersize(conn: Any, size: int) -> None:
    with conn.cursor("named") as cursor:
        cursor.itersize = size
        cursor.execute("select generate_series(1, 7)")
        assert [row[0] for row in cursor] == [1, 2, 3, 4, 5, 6, 7]


def test_itersize_is_what_is_fetched_at_once(conn: Any) -> None:
    conn.execute("create temp sequence counted")
    with conn.cursor("named") as cursor:
        cursor.itersize = 10
        cursor.execute("select nextval('counted') from generate_series(1, 100)")
        assert next(cursor) == (1,)
        assert conn.execute("select last_value from counted").fetchone() == (10,)


def test_other_statements_while_iterating(conn: Any) -> None:
    conn.execute("create temp table t (a int)")
    with conn.cursor("named") as cursor:
        cursor.itersize = 2
        for row in cursor.execute("select generate_series(1, 5)"):
            conn.execute("insert into t values (%s)", row)
    assert conn.execute("select sum(a) from t").fetchone() == (15,)


def test_iteration_without_a_row_object(conn: Any) -> None:
    with conn.cursor("named", row_factory=lambda cursor: lambda values: None) as cursor:
        cursor.itersize = 2
        assert list(cursor.execute("select generate_series(1, 5)")) == [None] * 5


def test_row_factory(peer: Peer, conn: Any) -> None:
    rows = peer.submodule("rows")
    with conn.cursor("named", row_factory=rows.dict_row) as cursor:
        cursor.execute("select generate_series(1, 6) as a")
        assert cursor.fetchone() == {"a": 1}
        cursor.row_factory = rows.namedtuple_row
        assert cursor.fetchone().a == 2
        cursor.row_factory = rows.scalar_row
        assert cursor.fetchmany(2) == [3, 4]
        assert list(cursor) == [5, 6]


def test_two_cursors(conn: Any) -> None:
    with conn.cursor("one") as one, conn.cursor("two") as two:
        one.execute("select generate_series(1, 3)")
        two.execute("select generate_series(11, 13)")
        assert declared(conn) == ["one", "two"]
        assert [(one.fetchone(), two.fetchone()) for _ in range(2)] == [((1,), (11,)), ((2,), (12,))]
        one.close()
        assert two.fetchall() == [(13,)]
        assert declared(conn) == ["two"]


@pytest.mark.parametrize("name", ["a b", 'a"b', "A", "é", "select", "a'b", "1", "a.b"])
def test_names_are_quoted(conn: Any, name: str) -> None:
    with conn.cursor(name) as cursor:
        assert cursor.name == name
        assert cursor.execute("select 1 where %s", (True,)).fetchall() == [(1,)]
        assert declared(conn) == [name]
        cursor.execute("select generate_series(1, 3)").scroll(1)
        assert next(cursor) == (2,)
    assert declared(conn) == []


def test_execute_again(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select generate_series(1, 3) as a").fetchone()
        cursor.execute("select 'x' as b")
        assert (cursor.description[0].name, cursor.rownumber) == ("b", 0)
        assert cursor.fetchall() == [("x",)]
        assert declared(conn) == ["named"]


def test_name_in_use(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as first, conn.cursor("named") as second:
        first.execute("select 1")
        with pytest.raises(peer.module.errors.DuplicateCursor):
            second.execute("select 2")
        conn.rollback()


def test_name_is_free_again_after_close(conn: Any) -> None:
    for i in range(3):
        with conn.cursor("named") as cursor:
            assert cursor.execute("select %s::int", (i,)).fetchone() == (i,)


# Closing


def test_close(conn: Any) -> None:
    cursor = conn.cursor("named")
    cursor.execute("select 1")
    cursor.close()
    assert (cursor.closed, cursor.description, cursor.rownumber) == (True, None, None)
    assert declared(conn) == []
    cursor.close()


def test_close_without_execute(conn: Any) -> None:
    cursor = conn.cursor("named")
    cursor.close()
    assert cursor.closed
    assert conn.info.transaction_status.name == "IDLE"


@pytest.mark.parametrize(
    "use",
    [
        lambda cursor: cursor.fetchone(),
        lambda cursor: cursor.fetchmany(2),
        lambda cursor: cursor.fetchall(),
        lambda cursor: next(cursor),
        lambda cursor: list(cursor),
    ],
    ids=["fetchone", "fetchmany", "fetchall", "next", "list"],
)
def test_use_after_close(peer: Peer, conn: Any, use: Callable[[Any], object]) -> None:
    cursor = conn.cursor("named")
    cursor.execute("select 1")
    cursor.close()
    with pytest.raises(peer.module.InterfaceError, match="the cursor is closed"):
        use(cursor)


def test_close_in_a_failed_transaction(peer: Peer, conn: Any) -> None:
    with pytest.raises(peer.module.errors.DivisionByZero):
        with conn.cursor("named") as cursor:
            cursor.execute("select generate_series(1, 3)")
            conn.execute("select 1 / 0")
    assert cursor.closed
    assert conn.info.transaction_status.name == "INERROR"
    conn.rollback()
    assert conn.execute("select 1").fetchone() == (1,)


def test_error_while_fetching(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select 1 / (3 - i) from generate_series(1, 5) i")
        assert cursor.fetchmany(2) == [(0,), (1,)]
        with pytest.raises(peer.module.errors.DivisionByZero):
            cursor.fetchone()
    assert cursor.closed
    assert conn.info.transaction_status.name == "INERROR"


def test_close_after_commit(conn: Any) -> None:
    cursor = conn.cursor("named")
    cursor.execute("select 1")
    conn.commit()
    cursor.close()
    assert cursor.closed


def test_fetch_after_commit(peer: Peer, conn: Any) -> None:
    for end in (conn.commit, conn.rollback):
        with conn.cursor("named") as cursor:
            cursor.execute("select 1")
            end()
            with pytest.raises(peer.module.errors.InvalidCursorName):
                cursor.fetchone()
            conn.rollback()


def test_close_after_the_connection(conn: Any) -> None:
    cursor = conn.cursor("named")
    cursor.execute("select 1")
    conn.close()
    cursor.close()
    assert cursor.closed


def test_use_after_the_connection_is_closed(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.execute("select 1")
        conn.close()
        for use in (cursor.fetchone, lambda: cursor.execute("select 1"), cursor.fetchall, lambda: list(cursor)):
            with pytest.raises(peer.module.OperationalError, match="the connection is closed"):
                use()


def test_warning_when_left_open(conn: Any) -> None:
    cursors = [conn.cursor("named")]
    cursors[0].execute("select 1")
    with pytest.warns(ResourceWarning, match=r"ServerCursor .* was deleted while still open"):
        cursors.clear()


def test_no_warning_when_closed(conn: Any) -> None:
    cursor = conn.cursor("named")
    cursor.execute("select 1")
    cursor.close()
    del cursor
    gc.collect()


# withhold, autocommit


def test_withhold(conn: Any) -> None:
    with conn.cursor("named", withhold=True) as cursor:
        assert cursor.withhold is True
        cursor.execute("select generate_series(1, 5)")
        assert statements(conn) == ['DECLARE "named" CURSOR WITH HOLD FOR select generate_series(1, 5)']
        assert cursor.fetchone() == (1,)
        conn.commit()
        assert cursor.fetchmany(2) == [(2,), (3,)]
        conn.commit()
        assert list(cursor) == [(4,), (5,)]
    conn.commit()
    assert declared(conn) == []


def test_fetching_begins_no_transaction(conn: Any) -> None:
    with conn.cursor("named", scrollable=True, withhold=True) as cursor:
        cursor.execute("select generate_series(0, 9)")
        conn.commit()
        for fetch in (
            cursor.fetchone,
            lambda: cursor.scroll(1),
            cursor.fetchmany,
            lambda: next(cursor),
            cursor.fetchall,
        ):
            fetch()
            assert conn.info.transaction_status.name == "IDLE"


def test_withhold_does_not_survive_a_rollback(peer: Peer, conn: Any) -> None:
    cursor = conn.cursor("named", withhold=True)
    cursor.execute("select 1")
    conn.rollback()
    with pytest.raises(peer.module.errors.InvalidCursorName):
        cursor.fetchone()
    conn.close()
    cursor.close()


def test_autocommit_needs_withhold(peer: Peer) -> None:
    conn = peer.connect(autocommit=True)
    with conn.cursor("named") as cursor:
        with pytest.raises(peer.module.errors.NoActiveSqlTransaction):
            cursor.execute("select 1")
    with conn.cursor("named", withhold=True) as cursor:
        cursor.execute("select generate_series(1, 3)")
        assert cursor.fetchone() == (1,)
        assert conn.info.transaction_status.name == "IDLE"
        assert list(cursor) == [(2,), (3,)]
    assert declared(conn) == []


def test_autocommit_in_a_transaction_block(conn: Any, peer: Peer) -> None:
    conn.autocommit = True
    with conn.transaction():
        with conn.cursor("named") as cursor:
            assert cursor.execute("select generate_series(1, 3)").fetchall() == [(1,), (2,), (3,)]
    with conn.transaction():
        cursor = conn.cursor("named")
        cursor.execute("select 1")
    with pytest.raises(peer.module.errors.InvalidCursorName):
        cursor.fetchone()
    cursor.close()


# Scrolling


def test_scroll(conn: Any) -> None:
    with conn.cursor("named", scrollable=True) as cursor:
        assert cursor.scrollable is True
        cursor.execute("select generate_series(0, 9)")
        assert statements(conn) == ['DECLARE "named" SCROLL CURSOR FOR select generate_series(0, 9)']
        cursor.scroll(3)
        assert (cursor.rownumber, cursor.fetchone()) == (3, (3,))
        cursor.scroll(-2)
        assert (cursor.rownumber, cursor.fetchone()) == (2, (2,))
        cursor.scroll(5, "absolute")
        assert (cursor.rownumber, cursor.fetchone()) == (5, (5,))
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchmany(2) == [(0,), (1,)]
        cursor.scroll(0)
        assert cursor.fetchone() == (2,)
        cursor.scroll(9, "absolute")
        assert cursor.fetchall() == [(9,)]
        cursor.scroll(0, "absolute")
        assert len(list(cursor)) == 10


def test_scroll_past_the_end(conn: Any) -> None:
    with conn.cursor("named", scrollable=True) as cursor:
        cursor.execute("select generate_series(0, 9)")
        cursor.scroll(100)
        assert cursor.fetchone() is None
        cursor.scroll(-100)
        assert cursor.fetchone() == (0,)


def test_scroll_with_a_bad_mode(conn: Any) -> None:
    with conn.cursor("named", scrollable=True) as cursor:
        cursor.execute("select generate_series(0, 9)")
        with pytest.raises(ValueError, match=r"bad mode: wat. It should be 'relative' or 'absolute'"):
            cursor.scroll(1, "wat")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(("scrollable", "words"), [(False, "NO SCROLL CURSOR"), (None, "CURSOR")])
def test_scroll_backwards_when_not_scrollable(peer: Peer, conn: Any, scrollable: bool | None, words: str) -> None:
    with conn.cursor("named", scrollable=scrollable) as cursor:
        cursor.execute("select generate_series(0, 9)")
        assert statements(conn) == [f'DECLARE "named" {words} FOR select generate_series(0, 9)']
        cursor.scroll(2)
        assert cursor.fetchone() == (2,)
        with pytest.raises(peer.module.errors.ObjectNotInPrerequisiteState, match="cursor can only scan forward"):
            cursor.scroll(-1)


# binary


def test_binary(conn: Any) -> None:
    with conn.cursor("named", binary=True) as cursor:
        assert cursor.format == 1
        cursor.execute("select generate_series(1, 3)")
        assert cursor.fetchone() == (1,)
        assert cursor.pgresult.get_value(0, 0) == b"\0\0\0\1"
        assert list(cursor) == [(2,), (3,)]
        cursor.execute("select 1", binary=False).fetchone()
        assert (cursor.pgresult.get_value(0, 0), cursor.format) == (b"1", 1)
    with conn.cursor("named") as cursor:
        cursor.execute("select 1", binary=True).fetchone()
        assert (cursor.pgresult.get_value(0, 0), cursor.format) == (b"\0\0\0\1", 0)


# What server cursors do not have


def test_executemany(peer: Peer, conn: Any) -> None:
    with conn.cursor("named") as cursor:
        with pytest.raises(peer.module.NotSupportedError, match="executemany not supported on server-side cursors"):
            cursor.executemany("select %s", [(1,)])


def test_nextset(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        assert cursor.nextset() is None
        cursor.execute("select 1")
        assert cursor.nextset() is None


# Cursors that were declared by somebody else


def test_stealing(conn: Any) -> None:
    conn.execute("declare other cursor for select generate_series(1, 6) as a")
    with conn.cursor("other") as cursor:
        cursor.itersize = 2
        assert cursor.fetchone() == (1,)
        assert cursor.description[0].name == "a"
        assert cursor.fetchmany(2) == [(2,), (3,)]
        assert list(cursor) == [(4,), (5,), (6,)]


def test_stealing_by_iteration(conn: Any) -> None:
    conn.execute("declare other scroll cursor for select generate_series(1, 3) as a")
    with conn.cursor("other") as cursor:
        assert [row for row in cursor] == [(1,), (2,), (3,)]  # noqa: C416
    conn.execute("declare another scroll cursor for select generate_series(1, 3) as a")
    with conn.cursor("another") as cursor:
        cursor.scroll(2)
        assert cursor.fetchall() == [(3,)]


def test_stealing_from_a_function(conn: Any) -> None:
    conn.execute(
        "create function pg_temp.opened(refcursor) returns refcursor language plpgsql as "
        "$$begin open $1 for select generate_series(1, 3); return $1; end$$"
    )
    conn.execute("select pg_temp.opened('curname')")
    with conn.cursor("curname") as cursor:
        assert list(cursor) == [(1,), (2,), (3,)]


def test_cursor_that_does_not_exist(peer: Peer, conn: Any) -> None:
    for use in ("fetchone", "fetchmany", "fetchall", "__next__"):
        with conn.cursor("nope") as cursor:
            with pytest.raises(peer.module.errors.InvalidCursorName):
                getattr(cursor, use)()
            conn.rollback()


# Factories and subclasses


def test_factory(peer: Peer) -> None:
    class Mine(peer.module.ServerCursor):  # type: ignore[misc]
        pass

    conn = peer.connect()
    assert conn.server_cursor_factory is peer.module.ServerCursor
    conn.server_cursor_factory = Mine
    with conn.cursor("named", scrollable=True) as cursor:
        assert (type(cursor), cursor.scrollable) == (Mine, True)
        assert cursor.execute("select 1").fetchone() == (1,)
    assert type(conn.cursor()) is peer.module.Cursor
    assert type(conn.cursor("")) is peer.module.Cursor


def test_raw(peer: Peer, conn: Any) -> None:
    with peer.module.RawServerCursor(conn, "named", scrollable=True) as cursor:
        assert repr(cursor).startswith(f"<{peer.module.__name__}.RawServerCursor 'named' [no result] [IDLE] (")
        cursor.execute("select $1::int, '%s', '%%' from generate_series(1, $2)", (5, 3))
        assert cursor.fetchall() == [(5, "%s", "%%")] * 3
        cursor.scroll(1, "absolute")
        assert len(cursor.fetchall()) == 2
        with pytest.raises(TypeError, match="raw queries require a sequence of parameters"):
            cursor.execute("select $1", {"a": 1})
        with pytest.raises(peer.module.errors.SyntaxError):
            cursor.execute("select %s", (1,))


def test_client_side_binding_mixed_in(peer: Peer) -> None:
    """Django makes its server-side cursors so when server-side binding is off."""

    class Mixed(peer.module.client_cursor.ClientCursorMixin, peer.module.ServerCursor):  # type: ignore[misc]
        pass

    conn = peer.connect()
    conn.server_cursor_factory = Mixed
    with conn.cursor("named", scrollable=False) as cursor:
        cursor.execute("select %s, %s", (1, "it's"))
        assert statements(conn) == ["DECLARE \"named\" NO SCROLL CURSOR FOR select 1, 'it''s'"]
        assert cursor.fetchall() == [(1, "it's")]
        assert cursor.mogrify("select %s", ("x",)) == "select 'x'"
        assert list(cursor.execute("select generate_series(1, %s)", (3,))) == [(1,), (2,), (3,)]


def test_adapters_of_the_cursor(peer: Peer, conn: Any) -> None:
    class Shout(peer.submodule("adapt").Loader):  # type: ignore[misc]
        def load(self, data: Any) -> str:
            return bytes(data).decode().upper()

    with conn.cursor("named") as cursor:
        cursor.adapters.register_loader("text", Shout)
        assert cursor.execute("select 'a'::text").fetchall() == [("A",)]


def test_many_rows(conn: Any) -> None:
    with conn.cursor("named") as cursor:
        cursor.itersize = 1000
        cursor.execute("select i, repeat('x', 100) from generate_series(1, 10000) i")
        assert sum(row[0] for row in cursor) == 10000 * 10001 // 2
